"""From a decoded span to what the store keeps: one vocabulary, priced, redacted, with the facts its trace needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from otelkit.mapping import genai
from otelkit.mapping.cost import PriceBook
from otelkit.model import Attributes, Resource, Span, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, GenAI, Operation, Otelkit
from otelkit.server.messages import last_text, last_user_text
from otelkit.server.storage.facts import Candidate, SeriesKey, SpanFact, Tokens
from otelkit.server.text import LABEL, clip, label, one_line, service_of, string_of, who

__all__ = ["Enricher"]

_log = logging.getLogger(__name__)
_SHOWN: Final = 300
_LAST_NANOSECOND: Final = 2**63 - 1
_REMOTE_PARENT: Final = 0x300  # OTLP span flags: "is remote" is known, and true
_MOST_TOKENS: Final = 10**12  # beyond this it is not a count, and sums must fit 64 bits
_NO_TOKENS: Final = Tokens()
_CALLS: Final = Operation.INFERENCE | {Operation.EMBEDDINGS}

# The page's kinds; what is missing here is the application's own work.
_KINDS: Final[Mapping[str, str]] = {
    "llm": "llm",
    "embedding": "llm",
    "retrieval": "retrieval",
    "rerank": "retrieval",
    "tool": "tool",
    "db": "db",
    "job": "job",
}


class Enricher:
    """Turns spans into facts. Never raises: a span that cannot be understood is kept as it is.

    ``redact`` is applied last, so that what was derived before (ids, titles) passes through it too.
    """

    def __init__(self, prices: PriceBook, redact: Callable[[Span], Span]) -> None:
        self._prices = prices
        self._redact = redact
        self._services: dict[int, tuple[str, str]] = {}

    def __call__(self, spans: Sequence[Span]) -> list[SpanFact]:
        self._services = {}  # the spans of a batch share a few resources: each is read once
        return [self._fact(span) for span in spans]

    def _fact(self, span: Span) -> SpanFact:
        try:
            return self._understood(self._redact(genai.normalise(span)))
        except Exception as error:  # noqa: BLE001  whatever a hostile value did, its siblings must not be lost
            # The type only: an exception's words may quote what is not redacted yet.
            _log.error("a span could not be understood (%s); kept without its details", type(error).__name__)
            return self._understood(span._replace(attributes={}, events=(), links=()))

    def _understood(self, span: Span) -> SpanFact:
        attributes = span.attributes
        operation = genai.operation(span)
        step = genai.step_kind(span)
        calls_model = operation in _CALLS
        model = genai.model(span) if operation else ""
        tokens, cost = self._usage(span, model) if calls_model else (_NO_TOKENS, None)
        error = span.status == StatusCode.ERROR
        kind = _KINDS.get(step, "app")
        service, environment = self._service(span.resource)
        name = clip(span.name, LABEL) or "(no name)"
        tool = label(attributes, GenAI.TOOL_NAME) or label(attributes, GenAI.DATA_SOURCE_ID)
        provider = clip(genai.provider(span), LABEL) if operation else ""
        route = label(attributes, Core.HTTP_ROUTE)
        entry = int(_is_entry(span))
        key = SeriesKey(
            *(service, environment, name, kind, step, clip(operation, 60)),
            *(provider, clip(model, LABEL), tool, route, entry),
        )
        start = min(span.start, _LAST_NANOSECOND)
        return SpanFact(
            span=span,
            key=key,
            start=start,
            duration=max(0, min(span.end, _LAST_NANOSECOND) - start),
            error=error,
            error_text=_error_text(span, tool or name) if error else None,
            inference=calls_model,
            tokens=tokens,
            cost=cost,
            first_token=_first_token(attributes) if calls_model else None,
            empty=kind == "retrieval" and attributes.get(Otelkit.RESULT_COUNT) == 0,
            who=who(attributes),
            input=_input(span, operation),
            output=_output(span, operation),
            duplicate=attributes.get(Otelkit.DUPLICATE) is True,
        )

    def _service(self, resource: Resource) -> tuple[str, str]:
        found = self._services.get(id(resource))
        if found is None:
            found = self._services[id(resource)] = service_of(resource)
        return found

    def _usage(self, span: Span, model: str) -> tuple[Tokens, float | None]:
        usage = genai.usage(span)
        tokens = Tokens(*(count if count is not None and count < _MOST_TOKENS else None for count in usage))
        stamped = span.attributes.get(Otelkit.COST_USD)
        if isinstance(stamped, int | float) and not isinstance(stamped, bool) and 0 <= stamped < 1e9:
            return tokens, float(stamped)
        if tokens.input is None and tokens.output is None:
            return tokens, None
        cost = self._prices.price(genai.provider(span), model, usage, span.end)
        return tokens, None if cost is None else cost.usd


def _is_entry(span: Span) -> bool:
    return (
        not span.parent_id
        or span.kind in (SpanKind.SERVER, SpanKind.CONSUMER)
        or span.flags & _REMOTE_PARENT == _REMOTE_PARENT
    )


def _error_text(span: Span, where: str) -> str:
    attributes = span.attributes
    what = string_of(attributes, Core.ERROR_TYPE, Core.EXCEPTION_TYPE)
    if not what or what == "_OTHER" or what.isdigit():
        raised = next((event.attributes for event in span.events if event.name == Core.EXCEPTION_EVENT), {})
        what = string_of(raised, Core.EXCEPTION_TYPE) or (f"HTTP {what}" if what.isdigit() else "")
    what = (what or one_line(span.status_message, 80) or "Error").rpartition(".")[2] or "Error"
    return clip(f"{what} in {where}", _SHOWN)


def _first_token(attributes: Attributes) -> int | None:
    seconds = attributes.get(GenAI.TIME_TO_FIRST_CHUNK)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 86_400:
        return None
    return int(seconds * 1e9)


def _input(span: Span, operation: str) -> Candidate | None:
    """Return what the user may have asked, by the call that saw it first."""
    attributes = span.attributes
    if GenAI.INPUT_MESSAGES in attributes and operation != Operation.EMBEDDINGS:
        text, rank = last_user_text(attributes[GenAI.INPUT_MESSAGES]), 0
    elif Otelkit.INPUT_VALUE in attributes:
        text, rank = last_user_text(attributes[Otelkit.INPUT_VALUE]), 1
    elif GenAI.RETRIEVAL_QUERY in attributes:
        text, rank = string_of(attributes, GenAI.RETRIEVAL_QUERY), 2
    else:
        return None
    return Candidate(rank, span.start, one_line(text, _SHOWN)) if text else None


def _output(span: Span, operation: str) -> Candidate | None:
    """Return what the user may have been told, by the call that ended last."""
    attributes = span.attributes
    if GenAI.OUTPUT_MESSAGES in attributes and operation != Operation.EMBEDDINGS:
        text, rank = last_text(attributes[GenAI.OUTPUT_MESSAGES]), 0
    elif Otelkit.OUTPUT_VALUE in attributes:
        text, rank = last_text(attributes[Otelkit.OUTPUT_VALUE]), 1
    else:
        return None
    return Candidate(rank, -span.end, one_line(text, _SHOWN)) if text else None
