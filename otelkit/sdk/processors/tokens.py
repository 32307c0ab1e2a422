"""LLM tokens, cost and speed, by model and by endpoint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from otelkit.mapping.genai import operation
from otelkit.mapping.metrics import Measurement, llm
from otelkit.mapping.repeats import is_local_root
from otelkit.model import AttributeValue, Span
from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.semconv.attributes import Core, GenAI, Operation
from otelkit.semconv.metrics import MetricDef, Metrics

__all__ = ["TokenProcessor"]

_MOST_TRACES: Final = 2048  # open traces remembered; the oldest is counted without its endpoint
_CALLS: Final = frozenset({*Operation.INFERENCE, Operation.EMBEDDINGS})
_BY_ROUTE: Final[dict[str, MetricDef]] = {
    Metrics.LLM_TOKENS.name: Metrics.ROUTE_TOKENS,
    Metrics.LLM_COST.name: Metrics.ROUTE_COST,
}
_KINDS: Final = frozenset({"input", "output"})  # which include the others

_Spent = dict[tuple[str, AttributeValue], float]  # by the metric of the calls and the type of token


class TokenProcessor(MeasuringProcessor):
    """Tokens by type, cost, time to first token, time per output token, duration and finish reasons of LLM calls.

    Counted on leaf inference and embedding spans only, once a call, whichever instrumentations see it. Which endpoint
    caused them is known where the process's part of the trace ends: tokens and cost by endpoint are counted there.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: OrderedDict[bytes, _Spent] = OrderedDict()  # by trace: what its calls have spent so far

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.llm`."""
        called = self._called(span) if operation(span) in _CALLS else ()
        return chain(called, self._ended(span)) if is_local_root(span) else called

    def _called(self, span: Span) -> Iterator[Measurement]:
        spent = self._open.setdefault(span.trace_id, {})
        for measured in llm(span):
            yield measured
            name, kind = measured.metric.name, measured.attributes.get(GenAI.TOKEN_TYPE)
            if name in _BY_ROUTE and (kind is None or kind in _KINDS):
                spent[name, kind] = spent.get((name, kind), 0) + measured.value
        if len(self._open) > _MOST_TRACES:
            yield from _told(self._open.popitem(last=False)[1], {})

    def _ended(self, span: Span) -> Iterator[Measurement]:
        spent = self._open.pop(span.trace_id, None)
        if spent:
            route = span.attributes.get(Core.HTTP_ROUTE)
            yield from _told(spent, {Core.HTTP_ROUTE: route} if route else {})


def _told(spent: _Spent, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    for (name, kind), value in spent.items():
        yield Measurement(_BY_ROUTE[name], value, labels if kind is None else {**labels, GenAI.TOKEN_TYPE: kind})
