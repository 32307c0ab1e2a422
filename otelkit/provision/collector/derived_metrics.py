"""LLM metrics of services that do not use otelkit: from their spans, by the names the SDK's processors give.

The SDK measures in the process, before any sampling, and says so on its resource (``otelkit.metrics``): nothing is
derived from those. For the others :mod:`otelkit.mapping.metrics` is repeated here as far as the Collector's language
can say it. What it cannot: cost (there is no price list here), pipelines and endpoints (they need several spans of a
trace), calls recorded twice by two libraries, single scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from otelkit.mapping import openinference, traceloop
from otelkit.mapping.genai import FIRST_CHUNK_EVENTS
from otelkit.mapping.providers import ALIASES
from otelkit.provision.collector.components import Component, Kind
from otelkit.semconv.attributes import Core, GenAI, OpenInference, Operation, Otelkit, Traceloop
from otelkit.semconv.metrics import Instrument, MetricDef, Metrics, Profile

__all__ = ["CONNECTOR_NAME", "ONLY_PLAIN", "OWN_NAMES_ONLY", "PREPARED", "connector"]

CONNECTOR_NAME: Final = "signal_to_metrics"
_BY_COLLECTOR: Final = "collector"  # the value of otelkit.metrics on what is derived here
_IS_PLAIN: Final = f'resource.attributes["{Otelkit.METRICS}"] == nil'
_SECONDS: Final = "Seconds(span.end_time - span.start_time)"
_CALLS: Final = (*sorted(Operation.INFERENCE), Operation.EMBEDDINGS)


def _at(key: str) -> str:
    return f'span.attributes["{key}"]'


def _any(*conditions: str) -> str:
    return f"({' or '.join(conditions)})" if len(conditions) > 1 else conditions[0]


def _does(*operations: str) -> str:
    return _any(*(f'{_at(GenAI.OPERATION)} == "{name}"' for name in operations))


_CALL: Final = _does(*_CALLS)
_INFERENCE: Final = _does(*sorted(Operation.INFERENCE))
_TOKEN_KEYS: Final[Mapping[str, str]] = {
    "input": GenAI.INPUT_TOKENS,
    "output": GenAI.OUTPUT_TOKENS,
    "cache_read": GenAI.CACHE_READ_TOKENS,
    "cache_write": GenAI.CACHE_WRITE_TOKENS,
    "reasoning": GenAI.REASONING_TOKENS,
}

ONLY_PLAIN: Final = Component(
    Kind.PROCESSOR,
    "filter/plain",
    {"error_mode": "ignore", "traces": {"span": [f'resource.attributes["{Otelkit.METRICS}"] != nil']}},
)
"""Only spans of services that measure nothing themselves."""


# --- spans in one vocabulary ---------------------------------------------------------------------------------------

_NEEDED: Final = {
    *_TOKEN_KEYS.values(), GenAI.PROVIDER, GenAI.REQUEST_MODEL, GenAI.RESPONSE_MODEL, GenAI.WORKFLOW_NAME,
    GenAI.AGENT_NAME, GenAI.TOOL_NAME, Otelkit.RERANK_MODEL,
}  # fmt: skip
"""What metrics are kept apart by, or count."""

_OPENINFERENCE: Final[Mapping[str, str]] = {
    **openinference.RENAMED,
    OpenInference.MODEL: GenAI.REQUEST_MODEL,
    OpenInference.EMBEDDING_MODEL: GenAI.REQUEST_MODEL,
    OpenInference.PROVIDER: GenAI.PROVIDER,
    OpenInference.SYSTEM: GenAI.PROVIDER,
}


def _renamed(table: Mapping[str, str]) -> Iterator[str]:
    """Older names, as far as metrics need them; a span's own words in the conventions' names win."""
    for old, new in table.items():
        if new in _NEEDED:
            yield f"set({_at(new)}, {_at(old)}) where {_at(new)} == nil and {_at(old)} != nil"


def _operations(key: str, by_word: Mapping[str, str]) -> Iterator[str]:
    """What a span does, by an older word for it."""
    own = _at(GenAI.OPERATION)
    for word, operation in by_word.items():
        yield f'set({own}, "{operation}") where {own} == nil and {_at(key)} == "{word}"'


def _providers() -> Iterator[str]:
    key = _at(GenAI.PROVIDER)
    yield f'set({key}, ConvertCase({key}, "lower"))'
    for name, aliases in groupby(sorted(ALIASES.items(), key=itemgetter(1, 0)), key=itemgetter(1)):
        said = _any(*(f'{key} == "{alias}"' for alias, _ in aliases))
        yield f'set({key}, "{name}") where {said}'


def _finish_reasons() -> Iterator[str]:
    """The reason that every answer of a call gives; where they differ there is none."""
    reasons = _at(GenAI.FINISH_REASONS)
    for count in range(1, 5):
        same = (f"{reasons}[0] == {reasons}[{at}]" for at in range(1, count))
        agree = " and ".join((f"Len({reasons}) == {count}", *same))
        yield f"set({reasons}, {reasons}[0]) where IsList({reasons}) and {agree}"
    yield f'delete_key(span.attributes, "{GenAI.FINISH_REASONS}") where IsList({reasons})'


def _ends() -> Iterator[str]:
    failed, outcome = _at(Core.ERROR_TYPE), _at(Otelkit.OUTCOME)
    yield f'set({failed}, "_OTHER") where {failed} == nil and span.status.code == STATUS_CODE_ERROR'
    yield f'set({outcome}, "error") where {outcome} == nil and {failed} != nil'
    yield f'set({outcome}, "success") where {outcome} == nil'


def _group(statements: Iterable[str], *conditions: str) -> Mapping[str, Any]:
    made: dict[str, Any] = {"context": "span", "statements": list(statements)}
    return made | ({"conditions": list(conditions)} if conditions else {})


def _prepared() -> Mapping[str, Any]:
    first = _at(GenAI.TIME_TO_FIRST_CHUNK)
    arrived = _any(*(f'spanevent.name == "{name}"' for name in FIRST_CHUNK_EVENTS))
    kinds = {kind: entry[0] for kind, entry in traceloop.KINDS.items()}
    read, written = _at(GenAI.INPUT_TOKENS), _at(GenAI.OUTPUT_TOKENS)
    # No input at all is what libraries write that were told nothing.
    unreported = f"{_CALL} and {read} == 0 and ({written} == nil or {written} == 0)"
    mark = f'set(resource.attributes["{Otelkit.METRICS}"], "{_BY_COLLECTOR}")'
    arrival = f"set({first}, Seconds(spanevent.time - span.start_time)) where {first} == nil and {arrived}"
    older = [f"{_at(key)} != nil" for key, name in traceloop.RENAMED.items() if name in _NEEDED]
    return {
        "error_mode": "ignore",
        "trace_statements": [
            {"context": "resource", "statements": [mark]},
            {"context": "spanevent", "statements": [arrival]},
            _group(_renamed(traceloop.RENAMED), *older),
            _group(_operations(Traceloop.KIND, kinds), f"{_at(Traceloop.KIND)} != nil"),
            _group(_operations(Traceloop.REQUEST_TYPE, traceloop.REQUESTS), f"{_at(Traceloop.REQUEST_TYPE)} != nil"),
            _group(
                [*_renamed(_OPENINFERENCE), *_operations(OpenInference.KIND, openinference.OPERATIONS)],
                f"{_at(OpenInference.KIND)} != nil or {_at(OpenInference.MODEL)} != nil",
            ),
            _group(_providers(), f"{_at(GenAI.PROVIDER)} != nil"),
            _group([r'delete_matching_keys(span.attributes, "^gen_ai\\.usage\\.")'], unreported),
            _group([*_finish_reasons(), *_ends()]),
        ],
    }


PREPARED: Final = Component(Kind.PROCESSOR, "transform/plain", _prepared())
"""A copy of a plain service's spans in the conventions' names; only the connector sees it."""


# --- measurements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Derived:
    """One catalogue entry: for which spans, with which value; ``fixed`` are attributes that no span has."""

    metric: MetricDef
    when: str
    value: str
    fixed: Mapping[str, str]

    def settings(self) -> Mapping[str, Any]:
        attributes = [
            {"key": key, "default_value": self.fixed[key]} if key in self.fixed else {"key": key, "optional": True}
            for key in self.metric.attributes
        ]
        counted: Mapping[str, Any] = {"sum": {"value": self.value, "monotonic": True}}
        if self.metric.instrument is Instrument.HISTOGRAM:
            counted = {"histogram": {"buckets": list(self.metric.boundaries), "count": "1", "value": self.value}}
        return {
            "name": self.metric.name,
            "description": self.metric.description,
            "unit": self.metric.unit,
            "conditions": [self.when],
            "attributes": attributes,
            **counted,
        }


def _entry(metric: MetricDef, when: str, value: str, **fixed: str) -> _Derived:
    return _Derived(metric, when, value, {GenAI.TOKEN_TYPE: fixed["kind"]} if fixed else {})


def _all() -> Iterator[_Derived]:
    yield from _calls()
    yield from _tokens()
    yield from _streams()
    yield from _steps()


def _calls() -> Iterator[_Derived]:
    yield _entry(Metrics.OPERATION_DURATION, _CALL, _SECONDS)
    yield _entry(Metrics.INFERENCE_DURATION, _INFERENCE, _SECONDS)
    yield _entry(Metrics.EMBEDDING_DURATION, _does(Operation.EMBEDDINGS), _SECONDS)
    yield _entry(Metrics.LLM_CALLS, _CALL, "1")


def _tokens() -> Iterator[_Derived]:
    for kind, key in _TOKEN_KEYS.items():
        yield _entry(Metrics.LLM_TOKENS, f"{_CALL} and {_at(key)} >= 0", f"Int({_at(key)})", kind=kind)
    for kind in ("input", "output"):
        key = _at(_TOKEN_KEYS[kind])
        yield _entry(Metrics.TOKEN_USAGE, f"{_CALL} and {key} >= 0", f"Double({key})", kind=kind)
    for metric, key in (
        (Metrics.INFERENCE_INPUT_TOKENS, GenAI.INPUT_TOKENS),
        (Metrics.INFERENCE_OUTPUT_TOKENS, GenAI.OUTPUT_TOKENS),
    ):
        yield _entry(metric, f"{_INFERENCE} and {_at(key)} >= 0", f"Double({_at(key)})")


def _streams() -> Iterator[_Derived]:
    first, written = _at(GenAI.TIME_TO_FIRST_CHUNK), _at(GenAI.OUTPUT_TOKENS)
    for metric in (Metrics.TIME_TO_FIRST_CHUNK, Metrics.INFERENCE_TIME_TO_FIRST_CHUNK):
        yield _entry(metric, f"{_CALL} and {first} >= 0", f"Double({first})")
    enough = f"{_CALL} and {first} >= 0 and {written} > 1 and {_SECONDS} > {first}"
    yield _entry(Metrics.TIME_PER_OUTPUT_TOKEN, enough, f"({_SECONDS} - Double({first})) / (Double({written}) - 1.0)")


def _steps() -> Iterator[_Derived]:
    found = _at(Otelkit.RESULT_COUNT)
    retrieves = _does(Operation.RETRIEVAL)
    yield _entry(Metrics.RETRIEVAL_DURATION, retrieves, _SECONDS)
    yield _entry(Metrics.RETRIEVAL_RESULTS, f"{retrieves} and {found} >= 0", f"Double({found})")
    yield _entry(Metrics.RETRIEVAL_EMPTY, f"{retrieves} and {found} == 0", "1")
    yield _entry(Metrics.RERANK_DURATION, _does(Operation.RERANK), _SECONDS)
    yield _entry(Metrics.TOOL_DURATION, _does(Operation.EXECUTE_TOOL), _SECONDS)
    yield _entry(Metrics.TOOL_CALLS, _does(Operation.EXECUTE_TOOL), "1")
    yield _entry(Metrics.AGENT_DURATION, _does(Operation.INVOKE_AGENT), _SECONDS)
    yield _entry(Metrics.WORKFLOW_DURATION, _does(Operation.INVOKE_WORKFLOW), _SECONDS)


_DERIVED: Final = tuple(_all())
_NAMED: Final[Mapping[str, frozenset[Profile]]] = {
    "classic": frozenset({Profile.ALWAYS, Profile.CLASSIC}),
    "latest": frozenset({Profile.ALWAYS, Profile.LATEST}),
    "both": frozenset(Profile),
}


def connector(names: str) -> Component:
    """Spans in, metrics out; ``names`` as the option of that name. One bad span is left out, not its whole batch."""
    spans = [entry.settings() for entry in _DERIVED if entry.metric.profile in _NAMED[names]]
    return Component(Kind.CONNECTOR, CONNECTOR_NAME, {"error_mode": "ignore", "spans": spans})


_NAMES: Final = tuple(dict.fromkeys(f'metric.name == "{entry.metric.name}"' for entry in _DERIVED))

OWN_NAMES_ONLY: Final = Component(
    Kind.PROCESSOR,
    "filter/derived",
    {"error_mode": "ignore", "metrics": {"metric": [f"{_IS_PLAIN} and {_any(*_NAMES)}"]}},
)
"""What is derived here and also measured by a plain service's own library counts once: the derived one."""
