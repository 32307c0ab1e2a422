"""LLM tokens, cost and speed, by model and by endpoint."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import Span as StartedSpan

from otelkit.mapping.genai import operation
from otelkit.mapping.metrics import Measurement, llm
from otelkit.model import AttributeValue, Span
from otelkit.sdk.guard import guard
from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.sdk.processors.roots import Key, Roots, key_of
from otelkit.semconv.attributes import Core, GenAI, Operation
from otelkit.semconv.metrics import MetricDef, Metrics

__all__ = ["TokenProcessor"]

_MOST_OPEN: Final = 2048  # open requests that calls were made for; the oldest is counted as far as it is known
_CALLS: Final = frozenset({*Operation.INFERENCE, Operation.EMBEDDINGS})
_BY_ROUTE: Final[dict[str, MetricDef]] = {
    Metrics.LLM_TOKENS.name: Metrics.ROUTE_TOKENS,
    Metrics.LLM_COST.name: Metrics.ROUTE_COST,
}
_KINDS: Final = frozenset({"input", "output"})  # which include the others

_Spent = dict[tuple[str, AttributeValue], float]  # by the metric of the calls and the type of token


class _Open(NamedTuple):
    """A request under way, and what its calls have spent and is not counted yet."""

    root: ReadableSpan
    spent: _Spent


class TokenProcessor(MeasuringProcessor):
    """Tokens by type, cost, time to first token, time per output token, duration and finish reasons of LLM calls.

    Counted on leaf inference and embedding spans only, once a call, whichever instrumentations see it. Which endpoint
    caused them is known for certain where the request ends: tokens and cost by endpoint are counted there, those of
    later calls at once, and those of requests that go on with :meth:`untold`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._roots = Roots()
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._lock = threading.Lock()  # what waits is taken by whoever collects metrics, too

    def on_start(self, span: StartedSpan, parent_context: Context | None = None) -> None:
        """Note to which request the span belongs."""
        with guard:
            self._roots.note(span, parent_context)

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.llm`."""
        root = self._roots.of(span)
        called = self._called(span, root) if operation(span) in _CALLS else ()
        return chain(called, self._ended(span)) if self._open else called

    def untold(self, everything: bool = False) -> list[Measurement]:
        """Take what requests that go on have spent at endpoints that are known by now; ``everything`` at the end."""
        with self._lock:
            told = [
                key for key, (root, _) in self._open.items() if everything or root.end_time is not None or _route(root)
            ]
            taken = [self._open.pop(key) for key in told]
        return [measured for root, spent in taken for measured in _told(spent, root)]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Count what is known so far (used alone)."""
        self._tell(everything=False)
        return True

    def shutdown(self) -> None:
        """Count the rest (used alone)."""
        self._tell(everything=True)

    def _tell(self, everything: bool) -> None:
        with guard, self._one_at_a_time:
            for measured in self.untold(everything):
                self._instruments.record(measured)

    def _called(self, span: Span, root: ReadableSpan | None) -> Iterator[Measurement]:
        spent: _Spent = {}
        for measured in llm(span):
            yield measured
            name, kind = measured.metric.name, measured.attributes.get(GenAI.TOKEN_TYPE)
            if name in _BY_ROUTE and (kind is None or kind in _KINDS):
                spent[name, kind] = spent.get((name, kind), 0) + measured.value
        if root is None or root.end_time is not None:
            yield from _told(spent, root)
        elif spent:
            yield from self._kept(root, spent)

    def _kept(self, root: ReadableSpan, spent: _Spent) -> Iterable[Measurement]:
        """Let it wait for the end of its request; returns what has to make room."""
        with self._lock:
            before = self._open.setdefault(key_of(root), _Open(root, {})).spent
            for what, value in spent.items():
                before[what] = before.get(what, 0) + value
            oldest = self._open.popitem(last=False)[1] if len(self._open) > _MOST_OPEN else None
        return _told(oldest.spent, oldest.root) if oldest is not None else ()

    def _ended(self, span: Span) -> Iterator[Measurement]:
        with self._lock:
            ended = self._open.pop((span.trace_id, span.span_id), None)
        if ended is not None:
            yield from _told(ended.spent, span)


def _route(root: ReadableSpan | Span) -> AttributeValue | None:
    return (root.attributes or {}).get(Core.HTTP_ROUTE) or None


def _told(spent: _Spent, root: ReadableSpan | Span | None) -> Iterator[Measurement]:
    route = _route(root) if root is not None else None
    labels: Mapping[str, AttributeValue] = {Core.HTTP_ROUTE: route} if route else {}
    for (name, kind), value in spent.items():
        yield Measurement(_BY_ROUTE[name], value, {**labels, **({} if kind is None else {GenAI.TOKEN_TYPE: kind})})
