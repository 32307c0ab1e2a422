"""The catalogue's instruments on a MeterProvider of otelkit's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otelkit.mapping.metrics import Measurement
from otelkit.model import Span
from otelkit.semconv.metrics import Instrument, MetricDef, Profile

__all__ = ["Instruments", "Tally", "exemplar_context"]

_SCOPE: Final = "otelkit"


class Instruments:
    """Records measurements on the catalogue's instruments; those outside the chosen profile are left out.

    Args:
        provider: where the instruments live.
        profile: ``classic``, ``latest`` or ``both`` (``OTELKIT_METRIC_PROFILE``).
    """

    def __init__(self, provider: MeterProvider, profile: str = "classic") -> None:
        self._meter = provider.get_meter(_SCOPE)
        self._wanted = {Profile.ALWAYS} | (set(Profile) if profile == "both" else {Profile(profile)})
        self._record: dict[str, Callable[..., None]] = {}

    def record(self, measurement: Measurement, span: Span | None = None) -> None:
        """Record one measurement; ``span`` is its exemplar."""
        metric = measurement.metric
        record = self._record.get(metric.name)
        if record is None:
            if metric.profile not in self._wanted:
                return
            record = self._record[metric.name] = _create(self._meter, metric)
        record(measurement.value, measurement.attributes, exemplar_context(span) if span is not None else None)


class Tally:
    """Adds up the counts of a batch, so that a counter's series is added to once a batch and not once a span.

    What is not a counter is recorded at once. For one thread at a time; :meth:`settle` ends a batch.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._sums: dict[tuple[object, ...], tuple[Measurement, Span | None]] = {}

    def record(self, measurement: Measurement, span: Span | None = None) -> None:
        """As :meth:`Instruments.record`; of spans that add to one series the last is the exemplar."""
        metric, value, attributes = measurement
        if metric.instrument is not Instrument.COUNTER:
            self._instruments.record(measurement, span)
            return
        key = (metric.name, *attributes.items())
        try:
            known = self._sums.get(key)
        except TypeError:  # a value that cannot be a key, such as a mapping
            self._instruments.record(measurement, span)
            return
        if known is not None:
            measurement = Measurement(metric, known[0].value + value, attributes)
        self._sums[key] = measurement, span

    def settle(self) -> None:
        """Add what has come together."""
        sums, self._sums = self._sums, {}
        for measurement, span in sums.values():
            self._instruments.record(measurement, span)


def _create(meter: Meter, entry: MetricDef) -> Callable[..., None]:
    if entry.instrument is Instrument.COUNTER:
        return meter.create_counter(entry.name, entry.unit, entry.description).add
    if entry.instrument is Instrument.UP_DOWN_COUNTER:
        return meter.create_up_down_counter(entry.name, entry.unit, entry.description).add
    if entry.instrument is Instrument.GAUGE:
        return meter.create_gauge(entry.name, entry.unit, entry.description).set
    return meter.create_histogram(
        entry.name, entry.unit, entry.description, explicit_bucket_boundaries_advisory=list(entry.boundaries)
    ).record


def exemplar_context(span: Span) -> Context:
    """A context in which ``span`` is current, so that what is recorded carries it as exemplar."""
    identity = SpanContext(
        int.from_bytes(span.trace_id, "big"),
        int.from_bytes(span.span_id, "big"),
        is_remote=False,
        trace_flags=TraceFlags(span.flags & 1),
    )
    return trace.set_span_in_context(NonRecordingSpan(identity), Context())
