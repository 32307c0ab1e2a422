"""The catalogue's instruments on a MeterProvider of otelkit's own, and a team's own metrics in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from opentelemetry import metrics as metrics_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider, NoOpMeter, UpDownCounter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otelkit.mapping.metrics import Measurement
from otelkit.model import Span
from otelkit.sdk.guard import guard, logger
from otelkit.semconv.metrics import Instrument, MetricDef, Profile

__all__ = ["Instruments", "counter", "gauge", "histogram", "up_down_counter"]

_SCOPE: Final = "otelkit"
_APP_SCOPE: Final = "otelkit.app"


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


def counter(name: str, unit: str = "1", description: str = "") -> Counter:
    """A counter of your own: ``otelkit.counter("timers.started").add(1, {"kind": "pomodoro"})``.

    It appears in ``/metrics``, over OTLP and on the page. Calling again with the same name gives the same instrument. A
    name OpenTelemetry does not allow is logged, and the counter then counts nothing.
    """
    return _own("counter", name, unit, description)  # type: ignore[no-any-return]


def up_down_counter(name: str, unit: str = "1", description: str = "") -> UpDownCounter:
    """A value that rises and falls by steps: ``otelkit.up_down_counter("queue.length").add(-1)``."""
    return _own("up_down_counter", name, unit, description)  # type: ignore[no-any-return]


def gauge(name: str, unit: str = "1", description: str = "") -> metrics_api._Gauge:
    """A value of now: ``otelkit.gauge("workers.busy").set(3)``."""
    return _own("gauge", name, unit, description)  # type: ignore[no-any-return]


def histogram(
    name: str, unit: str = "1", description: str = "", *, boundaries: Sequence[float] | None = None
) -> Histogram:
    """A distribution: ``otelkit.histogram("report.pages", boundaries=[1, 5, 10]).record(7)``.

    ``boundaries`` are in ``unit``; without them OpenTelemetry's default (made for milliseconds) is used.
    """
    return _own("histogram", name, unit, description, tuple(boundaries or ()))  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def _own(kind: str, name: str, unit: str, description: str, boundaries: tuple[float, ...] = ()) -> Any:
    extra: dict[str, Any] = {"explicit_bucket_boundaries_advisory": list(boundaries)} if boundaries else {}
    meter: Meter = metrics_api.get_meter(_APP_SCOPE)
    with guard:
        try:
            return getattr(meter, f"create_{kind}")(name, unit=unit, description=description, **extra)
        except (ValueError, TypeError, Exception) as error:  # noqa: BLE001 - the SDK raises bare Exception here
            logger.warning("metric %.64r cannot be created (%s); it will count nothing", name, type(error).__name__)
    return getattr(NoOpMeter(_APP_SCOPE), f"create_{kind}")("otelkit.none", unit=unit)
