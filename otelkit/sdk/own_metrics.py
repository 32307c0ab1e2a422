"""A team's own metrics in one line, on OpenTelemetry's global MeterProvider."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from opentelemetry import metrics as metrics_api
from opentelemetry.metrics import Counter, Histogram, Meter, NoOpMeter, UpDownCounter

from otelkit.sdk.guard import guard, logger

__all__ = ["counter", "gauge", "histogram", "up_down_counter"]

_APP_SCOPE: Final = "otelkit.app"


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
