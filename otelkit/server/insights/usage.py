"""Who uses the services and how much, as a handful of figures: what ``GET /metrics`` says of people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import MetricDef, ServerMetrics
from otelkit.server.insights.present import present
from otelkit.server.insights.ranges import Range, is_much, resolve
from otelkit.server.insights.sums import Scope
from otelkit.server.insights.top import entries
from otelkit.server.storage import schema

__all__ = ["MOST_TENANTS", "Sample", "usage"]

MOST_TENANTS: Final = 10
_DAY: Final = 86_400
_EVERYWHERE: Final = Scope()
_USERS: Final = ("1h", "24h", "7d")
_trace = schema.trace.c


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
    lately, turns = _talked(connection, now, now - _DAY)
    if not lately:
        return  # nobody says which conversation a request belongs to, or nobody talked for a day: not told apart
    today, _ = _talked(connection, now, now // _DAY * _DAY)
    yield Sample(ServerMetrics.CONVERSATIONS, today, {Otelkit.PERIOD: "today"})
    yield Sample(ServerMetrics.CONVERSATIONS, lately, {Otelkit.PERIOD: "24h"})
    yield Sample(ServerMetrics.MESSAGES, turns / lately, {})


def _talked(connection: Connection, now: float, since: float) -> tuple[int, int]:
    """Count conversations and their turns: the traces that name them, whose first span the Collector may keep back."""
    period = Range(int(since), int(now) + 1, _DAY, schema.HOUR, "24h", False, now)
    start = _trace.start + 0 if is_much(connection, period) else _trace.start  # see ``top``
    query = select(func.count(_trace.conversation.distinct()), func.count()).where(
        _trace.conversation.is_not(None), start >= period.start_ns
    )
    conversations, turns = connection.execute(query).one()
    return conversations, turns


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
