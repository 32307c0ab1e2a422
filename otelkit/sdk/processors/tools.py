"""Tool calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from otelkit.mapping.metrics import Measurement, tool_labels, tools
from otelkit.model import Span
from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import Metrics

__all__ = ["ToolProcessor"]

_MOST_TOOLS: Final = 1000  # beyond that a tool's first error may show without an increase; nothing else changes


class ToolProcessor(MeasuringProcessor):
    """Count, duration and outcome of tool calls, by integration and action."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: set[tuple[object, ...]] = set()

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.tools`."""
        for measurement in tools(span):
            if measurement.metric is Metrics.TOOL_CALLS:
                yield from self._zero_errors(span)
            yield measurement

    def _zero_errors(self, span: Span) -> Iterator[Measurement]:
        """A counter first seen at 1 has no increase: with a tool's first call its error series starts at zero."""
        labels = tool_labels(span)
        key = tuple(labels.values())
        if key not in self._seen and len(self._seen) < _MOST_TOOLS:
            self._seen.add(key)
            yield Measurement(Metrics.TOOL_CALLS, 0, {**labels, Otelkit.OUTCOME: "error"})
