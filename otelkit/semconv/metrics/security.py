"""Security events."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Event, Security
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["SecurityMetrics"]


class SecurityMetrics:
    """What somebody tried."""

    EVENTS: Final = MetricDef(
        "otelkit.security.events",
        Instrument.COUNTER,
        "{event}",
        "Security events by kind and outcome.",
        (Security.KIND, Event.OUTCOME),
    )
