"""API health: what users wait for, and what fails."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    LOGS_OF_SERVICES,
    SERVICES,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
    at_least,
    seconds,
)
from otelkit.provision.logql import SEVERITY, lines
from otelkit.provision.prometheus.recording import FAILED, RECORDED
from otelkit.provision.promql import share
from otelkit.semconv.attributes import Core, Otelkit, WebSocket
from otelkit.semconv.metrics import Metrics, RequestMetrics

__all__ = ["BOARD", "ERROR_SHARE"]

ERROR_SHARE: Final = at_least(0.005, 0.01)
"""Red above 1 %."""

_ROUTE: Final = (Core.HTTP_ROUTE,)
_BUDGET: Final = (Otelkit.BUDGET_TARGET, Otelkit.BUDGET_MEASURE)
_ERRORS: Final = share(RECORDED.REQUESTS_FAILED.now(SERVICES), RECORDED.REQUESTS.now(SERVICES))

_NOW: Final = Row(
    "Now",
    (
        Panel(
            title="Requests a second",
            says="Requests that were answered in the last five minutes, whatever the answer.",
            asks=(Ask(RECORDED.REQUESTS.now(SERVICES)),),
            unit=Unit.REQUESTS_A_SECOND,
            kind=Kind.FIGURE,
            width=6,
            height=4,
        ),
        Panel(
            title="Error rate",
            says="Share of the requests of the last five minutes that were answered 5xx.",
            asks=(Ask(_ERRORS),),
            unit=Unit.SHARE,
            kind=Kind.FIGURE,
            width=6,
            height=4,
            steps=ERROR_SHARE,
            alerts=("HighErrorRate", "VeryHighErrorRate"),
        ),
        Panel(
            title="95th percentile",
            says="19 of 20 requests of the last five minutes took no longer than this.",
            asks=(Ask(RECORDED.REQUEST_SECONDS.quantile(SERVICES, 0.95)),),
            unit=Unit.SECONDS,
            kind=Kind.FIGURE,
            width=6,
            height=4,
            steps=at_least(1, 2.5),
            alerts=("SlowRequests",),
        ),
        Panel(
            title="In progress",
            says="Requests that are being answered now, streams included.",
            asks=(Ask(SERVICES.now(Metrics.HTTP_ACTIVE)),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=6,
            height=4,
        ),
    ),
)
_REQUESTS: Final = Row(
    "Requests",
    (
        Panel(
            title="Requests by endpoint",
            says="Requests a second by route template.",
            asks=(Ask(SERVICES.rate(Metrics.HTTP_DURATION, by=_ROUTE)),),
            unit=Unit.REQUESTS_A_SECOND,
        ),
        Panel(
            title="Error rate by endpoint",
            says="Share of requests that were answered 5xx; the line is the 1 % of the alert.",
            asks=(
                Ask(
                    share(
                        SERVICES.rate(Metrics.HTTP_DURATION, FAILED, by=_ROUTE),
                        SERVICES.rate(Metrics.HTTP_DURATION, by=_ROUTE),
                    )
                ),
            ),
            unit=Unit.SHARE,
            steps=ERROR_SHARE,
            alerts=("HighErrorRate",),
        ),
        Panel(
            title="Answers by status",
            says="Requests a second by HTTP status, one on top of the other.",
            asks=(Ask(SERVICES.rate(Metrics.HTTP_DURATION, by=(Core.HTTP_STATUS,))),),
            unit=Unit.REQUESTS_A_SECOND,
            kind=Kind.STACKED,
        ),
        Panel(
            title="Latency",
            says="Percentiles of how long requests took; the points are single requests and lead to their traces.",
            asks=seconds(SERVICES, Metrics.HTTP_DURATION),
            unit=Unit.SECONDS,
            alerts=("SlowRequests",),
        ),
        Panel(
            title="Latency by endpoint",
            says="The 95th percentile by route template.",
            asks=seconds(SERVICES, Metrics.HTTP_DURATION, by=_ROUTE),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Distribution of latency",
            says="How many requests took how long: two bands are two kinds of requests.",
            asks=(Ask(SERVICES.buckets(Metrics.HTTP_DURATION)),),
            unit=Unit.SECONDS,
            kind=Kind.HEAT,
        ),
        Panel(
            title="Slow requests",
            says="Requests that took longer than OTELKIT_SLOW_REQUEST_SECONDS, by endpoint, in the time shown.",
            asks=(Ask(ALL.happened(Metrics.SLOW_REQUESTS, by=_ROUTE)),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        Panel(
            title="Budgets",
            says="What is measured of what a budget allows; red where it is exceeded. Absent without budgets.",
            asks=(
                Ask(
                    SERVICES.now(RequestMetrics.BUDGET_VALUE, by=_BUDGET, how="max")
                    / SERVICES.now(RequestMetrics.BUDGET_LIMIT, by=_BUDGET, how="max"),
                ),
            ),
            unit=Unit.SHARE,
            kind=Kind.BARS,
            steps=at_least(0.8, 1),
            alerts=("RouteNearBudget", "RouteOverBudget"),
        ),
        Panel(
            title="Budgets exceeded",
            says="How many budgets are exceeded now.",
            asks=(Ask(SERVICES.now(RequestMetrics.BUDGET_EXCEEDED)),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            steps=at_least(1, 1),
        ),
    ),
)
_WEBSOCKETS: Final = Row(
    "WebSockets",
    (
        Panel(
            title="Connections",
            says="WebSocket connections open now, by route.",
            asks=(Ask(SERVICES.now(RequestMetrics.WEBSOCKETS, by=_ROUTE), sure=False),),
            unit=Unit.COUNT,
            width=6,
        ),
        Panel(
            title="Disconnects by code",
            says="Connections closed a second by code (RFC 6455): 1000 and 1001 are ordinary.",
            asks=(Ask(SERVICES.rate(RequestMetrics.WEBSOCKET_DISCONNECTS, by=(WebSocket.CLOSE_CODE,)), sure=False),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
            width=6,
            alerts=("WebSocketDisconnects",),
        ),
        Panel(
            title="Messages",
            says="Messages a second, received and sent.",
            asks=(Ask(SERVICES.rate(RequestMetrics.WEBSOCKET_MESSAGES, by=(WebSocket.DIRECTION,)), sure=False),),
            unit=Unit.EACH_SECOND,
            width=6,
        ),
        Panel(
            title="How long connections last",
            says="Percentiles of the time between opening and closing.",
            asks=seconds(SERVICES, RequestMetrics.WEBSOCKET_DURATION, sure=False),
            unit=Unit.SECONDS,
            width=6,
        ),
    ),
)
_LOGS: Final = Row(
    "Logs",
    (
        Panel(
            title="Warnings and errors",
            says="What the services logged from WARN up; each line leads to its trace.",
            asks=(Ask(lines(*LOGS_OF_SERVICES).at_least(SEVERITY, 13)),),
            unit=Unit.NUMBER,
            kind=Kind.LOGS,
            width=24,
            height=10,
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-api",
    title="API health",
    says="Requests, errors and latency of the services by endpoint.",
    rows=(_NOW, _REQUESTS, _WEBSOCKETS, _LOGS),
)
