"""Who uses the services and how much, as a handful of figures: what ``GET /metrics`` says of people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, func, select

from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import MetricDef, ServerMetrics
from otelkit.server.insights.present import present
from otelkit.server.insights.ranges import resolve
from otelkit.server.insights.sums import Scope
from otelkit.server.insights.top import entries
from otelkit.server.storage import schema

__all__ = ["MOST_TENANTS", "Sample", "usage"]

MOST_TENANTS: Final = 10
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_EVERYWHERE: Final = Scope()
_USERS: Final = ("1h", "24h", "7d")
_actor, _sums = schema.actor.c, schema.actor_hour.c


class Sample(NamedTuple):
    """One value of one gauge or counter, with its attributes."""

    metric: MetricDef
    value: float
    attributes: dict[str, str]


def usage(connection: Connection, now: float, pseudonym: Callable[[str], str]) -> Iterator[Sample]:
    """Give what is known; what is not is left out, never 0.

    Args:
        connection: the store.
        now: seconds since the epoch.
        pseudonym: of a group's stored id, which a foreign sender may have sent as it is.
    """
    yield from _people(connection, now)
    yield from _conversations(connection, now)
    yield from _tenants(connection, now, pseudonym)


def _people(connection: Connection, now: float) -> Iterator[Sample]:
    here = present(connection, now, _EVERYWHERE)
    for period in _USERS if here["users"] else ():
        yield Sample(ServerMetrics.USERS, here["users"][period], {Otelkit.PERIOD: period})
    for period, count in (here["sessions"] or {}).items():
        yield Sample(ServerMetrics.SESSIONS, count, {Otelkit.PERIOD: period})
    if here["websockets"] is not None:
        yield Sample(ServerMetrics.WEBSOCKETS, here["websockets"], {})


def _conversations(connection: Connection, now: float) -> Iterator[Sample]:
    lately = _talked(connection, _since(now))
    if not lately.conversations:
        return  # nobody says which conversation a request belongs to, or nobody talked for a day: not told apart
    today = _talked(connection, int(now // _DAY * _DAY))
    yield Sample(ServerMetrics.CONVERSATIONS, today.conversations, {Otelkit.PERIOD: "today"})
    yield Sample(ServerMetrics.CONVERSATIONS, lately.conversations, {Otelkit.PERIOD: "24h"})
    if lately.requests:
        yield Sample(ServerMetrics.MESSAGES, float(lately.requests) / lately.conversations, {})


def _talked(connection: Connection, since: int) -> Row[Any]:
    """Count the conversations and their requests of whole hours."""
    query = (
        select(
            func.count(_actor.conversation.distinct()).label("conversations"),
            func.sum(_sums.requests).label("requests"),
        )
        .join(schema.actor_hour, _sums.actor == _actor.id)
        .where(_sums.hour >= since, _actor.conversation != "")
    )
    return connection.execute(query).one()


def _tenants(connection: Connection, now: float, pseudonym: Callable[[str], str]) -> Iterator[Sample]:
    """Give the groups with the most tokens; by trace, because not every sender names the group on each call."""
    groups = entries(connection, resolve(connection, now, "24h"), _EVERYWHERE, "group")
    groups.sort(key=lambda group: (-(group["tokens"] or 0), -group["count"], group["value"]))
    for group in groups[:MOST_TENANTS]:
        whose = {Otelkit.TENANT: pseudonym(group["value"])}
        figures = ((ServerMetrics.TENANT_REQUESTS, "count"), (ServerMetrics.TENANT_TOKENS, "tokens"))
        for metric, name in (*figures, (ServerMetrics.TENANT_COST, "cost_usd")):
            if group[name] is not None:
                yield Sample(metric, group[name], whose)


def _since(now: float) -> int:
    """Return the start of the last 24 hours, by whole hours."""
    return int((now - _DAY) // _HOUR * _HOUR) + _HOUR
