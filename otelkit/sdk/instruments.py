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

__all__ = ["Instruments", "exemplar_context"]

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

    def record(self, measurement: Measurement, context: Context | None = None) -> None:
        """Record one measurement; ``context`` (see :func:`exemplar_context`) links it to its span."""
        metric = measurement.metric
        record = self._record.get(metric.name)
        if record is None:
            if metric.profile not in self._wanted:
                return
            record = self._record[metric.name] = _create(self._meter, metric)
        record(measurement.value, measurement.attributes, context)


def _create(meter: Meter, entry: MetricDef) -> Callable[..., None]:
    if entry.instrument is Instrument.COUNTER:
        return meter.create_counter(entry.name, entry.unit, entry.description).add
    if entry.instrument is Instrument.UP_DOWN_COUNTER:
        return meter.create_up_down_counter(entry.name, entry.unit, entry.description).add
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
