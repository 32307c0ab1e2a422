"""One vocabulary for spans of LLM applications: OpenTelemetry's GenAI conventions, whoever recorded them.

:func:`normalise` first; everything else here reads normalised spans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from otelkit.mapping import openinference, traceloop
from otelkit.mapping.providers import canonical_provider
from otelkit.model import Attributes, AttributeValue, Span, SpanEvent, SpanKind
from otelkit.semconv.attributes import Core, GenAI, OpenInference, Operation, Otelkit, Traceloop

__all__ = [
    "FIRST_CHUNK_EVENTS",
    "StepKind",
    "Usage",
    "is_inference",
    "model",
    "normalise",
    "operation",
    "provider",
    "step_kind",
    "usage",
]

StepKind: TypeAlias = Literal[
    "llm",
    "embedding",
    "retrieval",
    "rerank",
    "tool",
    "agent",
    "workflow",
    "job",
    "sync",
    "http",
    "db",
    "messaging",
    "app",
]

_TOKENS: Final = (
    GenAI.INPUT_TOKENS,
    GenAI.OUTPUT_TOKENS,
    GenAI.CACHE_READ_TOKENS,
    GenAI.CACHE_WRITE_TOKENS,
    GenAI.REASONING_TOKENS,
)
_RENAMED: Final = frozenset(traceloop.RENAMED)
_PREFIXES: Final = ("llm.", "traceloop.", *traceloop.PREFIXES)
FIRST_CHUNK_EVENTS: Final = (OpenInference.FIRST_TOKEN_EVENT, Traceloop.CHUNK_EVENT)
_CALLS: Final = Operation.INFERENCE | {Operation.EMBEDDINGS}
# Keys that are known not to be legacy: services write the same few hundred again and again.
_current: set[str] = set()
_MAX_REMEMBERED: Final = 8_192
_LONGEST_REMEMBERED: Final = 256
# What the conventions give the kind CLIENT; OpenInference leaves every span INTERNAL.
_CLIENTS: Final = _CALLS | {Operation.RETRIEVAL, Operation.RERANK}

_STEP_KINDS: Final[dict[str, StepKind]] = {
    Operation.CHAT: "llm",
    Operation.GENERATE_CONTENT: "llm",
    Operation.TEXT_COMPLETION: "llm",
    Operation.EMBEDDINGS: "embedding",
    Operation.RETRIEVAL: "retrieval",
    Operation.RERANK: "rerank",
    Operation.EXECUTE_TOOL: "tool",
    Operation.CREATE_AGENT: "agent",
    Operation.INVOKE_AGENT: "agent",
    Operation.INVOKE_WORKFLOW: "workflow",
    Operation.JOB: "job",
    Operation.SYNC: "sync",
}
_STEPS: Final[dict[str, StepKind]] = {"chain": "workflow", "workflow": "workflow", "job": "job", "task": "workflow"}
_OTHER_KINDS: Final[tuple[tuple[str, StepKind], ...]] = (
    (Core.DB_SYSTEM, "db"),
    (Core.LEGACY_DB_SYSTEM, "db"),
    (Core.MESSAGING_SYSTEM, "messaging"),
    (Core.HTTP_METHOD, "http"),
    (Core.LEGACY_HTTP_METHOD, "http"),
)


class Usage(NamedTuple):
    """Token counts of one call; None where the instrumentation did not report them, which is not 0.

    ``input`` includes ``cache_read`` and ``cache_write``, ``output`` includes ``reasoning``.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


def normalise(span: Span) -> Span:
    """Return the span in the GenAI conventions' names, or the same object when it is already.

    Reads OpenInference, Traceloop and older gen_ai drafts; names that were translated are removed, attributes that a
    span has in the conventions' names already win. Token counts stay only where they are whole numbers ≥ 0, and are
    taken as unknown when a call claims no input at all (litellm writes 0 on streams that did not report).
    The span's own name stays. Idempotent; content is translated too, so redact after, not before.
    """
    attributes = span.attributes
    events = span.events
    if not attributes:
        return span
    kind = span.kind
    if OpenInference.KIND in attributes or OpenInference.MODEL in attributes:
        attributes = _merged(attributes, openinference.converted(attributes), openinference.consumed)
        attributes, kind = _named_agent(attributes, span.name), _client_kind(attributes, kind)
    results = bool(events) and any(event.name == Traceloop.QUERY_RESULT for event in events)
    if results or _is_legacy(attributes):
        attributes = _merged(attributes, traceloop.converted(attributes, events), traceloop.consumed)
        events = tuple([event for event in events if event.name != Traceloop.QUERY_RESULT])
    if GenAI.OPERATION in attributes or GenAI.PROVIDER in attributes:
        attributes = _corrected(attributes, events, span.start)
    if attributes is span.attributes and len(events) == len(span.events):
        return span
    return span._replace(attributes=attributes, events=events, kind=kind)


def _merged(
    attributes: Attributes, converted: Mapping[str, AttributeValue], consumed: Callable[[str], bool]
) -> dict[str, AttributeValue]:
    """What was translated, under what the span says in the conventions' own words."""
    kept = {key: value for key, value in attributes.items() if not consumed(key)}
    return kept | {key: value for key, value in converted.items() if key not in kept}


def _is_legacy(attributes: Attributes) -> bool:
    if _current.issuperset(attributes):
        return False
    for key in attributes:
        if key not in _current:
            if key in _RENAMED or (key.startswith(_PREFIXES) and traceloop.consumed(key)):
                return True
            if len(_current) < _MAX_REMEMBERED and len(key) <= _LONGEST_REMEMBERED:
                _current.add(key)
    return False


def _named_agent(attributes: Attributes, name: str) -> Attributes:
    if attributes.get(GenAI.OPERATION) != Operation.INVOKE_AGENT or GenAI.AGENT_NAME in attributes or not name:
        return attributes
    return {**attributes, GenAI.AGENT_NAME: name}  # OpenInference's agent spans are named after the agent


def _client_kind(attributes: Attributes, kind: int) -> int:
    return SpanKind.CLIENT if kind <= SpanKind.INTERNAL and _operation(attributes) in _CLIENTS else kind


def _corrected(attributes: Attributes, events: tuple[SpanEvent, ...], start: int) -> Attributes:
    """Values that are not what their name promises, put right; the same object when all are."""
    changes: dict[str, AttributeValue] = {}
    dropped: set[str] = set()
    _correct_tokens(attributes, changes, dropped)
    name = attributes.get(GenAI.PROVIDER)
    if isinstance(name, str) and (known := canonical_provider(name)) != name:
        changes[GenAI.PROVIDER] = known
    reasons = attributes.get(GenAI.FINISH_REASONS)
    if isinstance(reasons, str):
        changes[GenAI.FINISH_REASONS] = (reasons,)
    if attributes.get(GenAI.OPERATION) == Operation.RETRIEVAL and GenAI.REQUEST_TOP_K in attributes:
        changes.setdefault(GenAI.RETRIEVAL_TOP_K, attributes[GenAI.REQUEST_TOP_K])
        dropped.add(GenAI.REQUEST_TOP_K)
    if events and GenAI.TIME_TO_FIRST_CHUNK not in attributes:
        first = next((event.time for event in events if event.name in FIRST_CHUNK_EVENTS), 0)
        if first >= start > 0:
            changes[GenAI.TIME_TO_FIRST_CHUNK] = (first - start) / 1e9
    if not changes and not dropped:
        return attributes
    return {key: value for key, value in attributes.items() if key not in dropped} | changes


def _correct_tokens(attributes: Attributes, changes: dict[str, AttributeValue], dropped: set[str]) -> None:
    for key in _TOKENS:
        value = attributes.get(key)
        if (type(value) is int and value >= 0) or (value is None and key not in attributes):
            continue
        if isinstance(value, float) and value >= 0 and value.is_integer():
            changes[key] = int(value)  # JavaScript has no other numbers
        else:
            dropped.add(key)
    unreported = attributes.get(GenAI.INPUT_TOKENS) == 0 and not attributes.get(GenAI.OUTPUT_TOKENS)
    if unreported and _operation(attributes) in _CALLS:
        dropped.update(key for key in _TOKENS if key in attributes)
        for key in _TOKENS:
            changes.pop(key, None)


def operation(span: Span) -> str:
    """``gen_ai.operation.name`` of a normalised span, "" where it is no GenAI operation."""
    return _operation(span.attributes)


def is_inference(span: Span) -> bool:
    """Whether the span is a call of a generating model: a leaf that tokens are counted on (unlike agents)."""
    return _operation(span.attributes) in Operation.INFERENCE


def usage(span: Span) -> Usage:
    """The span's token counts, None where unknown.

    Agent and workflow spans restate their children's: ask :func:`is_inference` before adding up.
    """
    attributes = span.attributes
    return Usage(*[_count(attributes.get(key)) for key in _TOKENS])


def model(span: Span) -> str:
    """The model that answered, else the one asked for, else ""."""
    return _text(span, GenAI.RESPONSE_MODEL) or _text(span, GenAI.REQUEST_MODEL) or _text(span, Otelkit.RERANK_MODEL)


def provider(span: Span) -> str:
    """The provider, as one of the conventions' well-known values where there is one; "" where unknown."""
    return _text(span, GenAI.PROVIDER)


def step_kind(span: Span) -> StepKind:
    """What sort of work a normalised span is, for colours and grouping."""
    known = _STEP_KINDS.get(_operation(span.attributes)) or _STEPS.get(_text(span, Otelkit.STEP))
    if known:
        return known
    attributes = span.attributes
    return next((kind for key, kind in _OTHER_KINDS if key in attributes), "app")


def _operation(attributes: Attributes) -> str:
    value = attributes.get(GenAI.OPERATION)
    return value if isinstance(value, str) else ""


def _text(span: Span, key: str) -> str:
    value = span.attributes.get(key)
    return value if isinstance(value, str) else ""


def _count(value: AttributeValue) -> int | None:
    return value if type(value) is int and value >= 0 else None
