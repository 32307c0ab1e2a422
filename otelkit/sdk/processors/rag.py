"""Retrieval, embedding and rerank latency, and the whole pipeline's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from otelkit.mapping.genai import is_inference, operation
from otelkit.mapping.metrics import Measurement, retrieval
from otelkit.mapping.repeats import is_local_root
from otelkit.model import Span
from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.semconv.attributes import Core, Operation
from otelkit.semconv.metrics import Metrics

__all__ = ["RagProcessor"]

_MOST_TRACES: Final = 2048  # open traces remembered; the oldest goes first
_BEGINNINGS: Final = frozenset({Operation.EMBEDDINGS, Operation.RETRIEVAL, Operation.RERANK})


class RagProcessor(MeasuringProcessor):
    """Durations, result counts, scores and empty results of retrievals; and how long the pipeline took in each trace.

    The pipeline's latency is measured where the process's part of the trace ends (its local root): from the start of
    the first embedding, retrieval or rerank to the end of the last LLM call after it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: OrderedDict[bytes, tuple[int, int]] = OrderedDict()  # trace → first start, last LLM call's end

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.retrieval`."""
        self._follow(span)
        return chain(retrieval(span), self._finished(span))

    def _follow(self, span: Span) -> None:
        begins = operation(span) in _BEGINNINGS
        if not begins and not (is_inference(span) and span.trace_id in self._open):
            return
        start, end = self._open.pop(span.trace_id, (span.start, 0))
        self._open[span.trace_id] = (min(start, span.start), end) if begins else (start, max(end, span.end))
        if len(self._open) > _MOST_TRACES:
            self._open.popitem(last=False)

    def _finished(self, span: Span) -> Iterator[Measurement]:
        if not is_local_root(span):
            return
        start, end = self._open.pop(span.trace_id, (0, 0))
        if end > start:
            route = span.attributes.get(Core.HTTP_ROUTE)
            labels = {Core.HTTP_ROUTE: route} if route else {}
            yield Measurement(Metrics.RAG_PIPELINE_DURATION, (end - start) / 1e9, labels)
