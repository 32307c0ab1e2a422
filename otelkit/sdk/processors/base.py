"""What the measuring processors share: from an SDK span to measurements, alone or behind the worker."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from opentelemetry import metrics as metrics_api
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otelkit.mapping.cost import PriceBook
from otelkit.mapping.metrics import Measurement
from otelkit.mapping.stamp import Stamper
from otelkit.model import Span
from otelkit.sdk.convert import Converter
from otelkit.sdk.guard import guard
from otelkit.sdk.instruments import Instruments, Tally

__all__ = ["MeasuringProcessor"]


class MeasuringProcessor(SpanProcessor):
    """Derives metrics from finished spans; subclasses say which in :meth:`measurements`.

    Args:
        instruments: where to record; made on ``meter_provider`` when not given.
        meter_provider: for use alone; default the global one.
        prices: for cost, when used alone; default the built-in prices.
        profile: metric names, ``classic``, ``latest`` or ``both``.
    """

    def __init__(
        self,
        instruments: Instruments | Tally | None = None,
        *,
        meter_provider: MeterProvider | None = None,
        prices: PriceBook | None = None,
        profile: str = "classic",
    ) -> None:
        self._instruments = instruments or Instruments(meter_provider or metrics_api.get_meter_provider(), profile)
        self._one_at_a_time = threading.Lock()  # used alone, spans end on many threads
        self._convert = Converter()
        self._stamp = Stamper(prices or PriceBook())

    def on_end(self, span: ReadableSpan) -> None:
        """Measure a finished span on the calling thread (used alone; behind the worker :meth:`observe` is called)."""
        with guard, self._one_at_a_time:
            self.observe(self._stamp(self._convert.span(span)))

    def observe(self, span: Span) -> None:
        """Record what a normalised, stamped span measures, with the span as exemplar."""
        for measurement in self.measurements(span):
            self._instruments.record(measurement, span)

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """What ``span`` measures."""
        raise NotImplementedError
