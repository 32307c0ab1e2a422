"""WebSocket connections, and budgets of requests."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Core, Otelkit, WebSocket
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["RequestMetrics"]

_OPEN_SECONDS: Final = (0.1, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0)


class RequestMetrics:
    """What the framework's own instruments do not say."""

    WEBSOCKETS: Final = MetricDef(
        "otelkit.websocket.connections",
        Instrument.UP_DOWN_COUNTER,
        "{connection}",
        "WebSocket connections open now.",
        (Core.HTTP_ROUTE,),
    )
    WEBSOCKET_DISCONNECTS: Final = MetricDef(
        "otelkit.websocket.disconnects",
        Instrument.COUNTER,
        "{connection}",
        "WebSocket connections closed, by code (RFC 6455); 0 stands for codes beyond the first fifty that were seen.",
        (Core.HTTP_ROUTE, WebSocket.CLOSE_CODE),
    )
    WEBSOCKET_MESSAGES: Final = MetricDef(
        "otelkit.websocket.messages",
        Instrument.COUNTER,
        "{message}",
        "WebSocket messages, received from the client and sent to it.",
        (Core.HTTP_ROUTE, WebSocket.DIRECTION),
    )
    WEBSOCKET_DURATION: Final = MetricDef(
        "otelkit.websocket.duration",
        Instrument.HISTOGRAM,
        "s",
        "How long a WebSocket connection was open.",
        (Core.HTTP_ROUTE,),
        _OPEN_SECONDS,
    )
    BUDGET_LIMIT: Final = MetricDef(
        "otelkit.budget.limit",
        Instrument.GAUGE,
        "{value}",
        "What a budget allows, in its measure's unit (seconds, tokens, bytes).",
        (Otelkit.BUDGET_TARGET, Otelkit.BUDGET_MEASURE),
    )
    BUDGET_VALUE: Final = MetricDef(
        "otelkit.budget.value",
        Instrument.GAUGE,
        "{value}",
        "What is measured against a budget, in the same unit; absent where nothing was measured lately.",
        (Otelkit.BUDGET_TARGET, Otelkit.BUDGET_MEASURE),
    )
    BUDGET_EXCEEDED: Final = MetricDef(
        "otelkit.budget.exceeded",
        Instrument.GAUGE,
        "{budget}",
        "1 while a budget is exceeded, else 0; absent where nothing was measured lately.",
        (Otelkit.BUDGET_TARGET, Otelkit.BUDGET_MEASURE),
    )
