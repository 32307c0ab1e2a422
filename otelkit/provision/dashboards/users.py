"""Users: from what the server counts in its store, never from counters of the services, which know nobody."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    LOGS_OF_SERVICES,
    SERVICES,
    WHOLE,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
)
from otelkit.provision.logql import EVENT_NAME, lines
from otelkit.provision.promql import RANGE, Expr, equals, matches
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.semconv.metrics import MetricDef, Metrics, RequestMetrics, ServerMetrics

__all__ = ["BOARD", "tenants", "users"]


def users(period: str, title: str) -> Panel:
    """Return the figure of how many users were active in a period."""
    return Panel(
        title=title,
        says="Different users of all services in that time; known are those who consented, or all by your setting.",
        asks=(Ask(_of(ServerMetrics.USERS, period)),),
        unit=Unit.COUNT,
        kind=Kind.FIGURE,
        width=4,
        height=4,
    )


def tenants(metric: MetricDef, title: str, unit: Unit, *, sure: bool = True) -> Panel:
    """Return the groups with the most of something in the last 24 hours, by pseudonym."""
    return Panel(
        title=title,
        says="Of the last 24 hours, of the ten groups with the most tokens. Groups are pseudonyms.",
        asks=(Ask(WHOLE.now(metric, by=(Otelkit.TENANT,), how="max"), sure=sure),),
        unit=unit,
        kind=Kind.BARS,
    )


def _of(metric: MetricDef, period: str) -> Expr:
    # Several servers on one store say the same, so their maximum is it.
    return WHOLE.now(metric, equals(Otelkit.PERIOD, period), how="max")


_ACTIVE: Final = Row(
    "Active",
    (
        users("1h", "Users, last hour"),
        users("24h", "Users, last 24 hours"),
        users("7d", "Users, last 7 days"),
        Panel(
            title="Conversations today",
            says="Different conversations since midnight UTC.",
            asks=(Ask(_of(ServerMetrics.CONVERSATIONS, "today")),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=4,
            height=4,
        ),
        Panel(
            title="Messages a conversation",
            says="The mean over the conversations of the last 24 hours.",
            asks=(Ask(WHOLE.now(ServerMetrics.MESSAGES, how="max")),),
            unit=Unit.NUMBER,
            kind=Kind.FIGURE,
            width=4,
            height=4,
        ),
        Panel(
            title="WebSockets open",
            says="Connections open now, as the services last told the server.",
            asks=(Ask(WHOLE.now(ServerMetrics.WEBSOCKETS, how="max"), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=4,
            height=4,
        ),
        Panel(
            title="Active users",
            says="Users of the last hour, 24 hours and 7 days, over time.",
            asks=(Ask(WHOLE.now(ServerMetrics.USERS, by=(Otelkit.PERIOD,), how="max")),),
            unit=Unit.COUNT,
            width=12,
        ),
        Panel(
            title="Concurrent sessions",
            says="Sessions of the last 5 minutes and the last hour, over time.",
            asks=(Ask(WHOLE.now(ServerMetrics.SESSIONS, by=(Otelkit.PERIOD,), how="max"), sure=False),),
            unit=Unit.COUNT,
            width=12,
        ),
    ),
)
_USE: Final = Row(
    "Use",
    (
        Panel(
            title="Conversations",
            says="Conversations since midnight UTC and of the last 24 hours, over time.",
            asks=(Ask(WHOLE.now(ServerMetrics.CONVERSATIONS, by=(Otelkit.PERIOD,), how="max")),),
            unit=Unit.COUNT,
        ),
        Panel(
            title="WebSocket connections",
            says="Connections open now by route, from the services themselves.",
            asks=(Ask(SERVICES.now(RequestMetrics.WEBSOCKETS, by=(Core.HTTP_ROUTE,)), sure=False),),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Product events",
            says="Events in the time shown by name, of users who consented.",
            asks=(Ask(lines(*LOGS_OF_SERVICES).where(matches(EVENT_NAME, ".+")).count(RANGE, (EVENT_NAME,))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        Panel(
            title="Events withheld",
            says="Events that were not created, by reason: no consent is no fault, wrong properties are one.",
            asks=(Ask(ALL.happened(Metrics.EVENTS_WITHHELD, by=(Otelkit.DROP_REASON,))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
    ),
)
_TENANTS: Final = Row(
    "Most active tenants",
    (
        tenants(ServerMetrics.TENANT_REQUESTS, "Requests", Unit.COUNT),
        tenants(ServerMetrics.TENANT_TOKENS, "Tokens", Unit.COUNT),
        tenants(ServerMetrics.TENANT_COST, "Cost", Unit.DOLLARS),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-users",
    title="Users",
    says="Who is here and how much the services are used: counted by the otelkit server, by pseudonym.",
    rows=(_ACTIVE, _USE, _TENANTS),
    range="24h",
)
