"""Who is here: people and sessions by pseudonym, counted from what is stored and never a metric's label."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Select, case, func, select, union

from otelkit.semconv.metrics import RequestMetrics
from otelkit.server.insights.heartbeats import newest
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema

__all__ = ["present"]

_HOUR: Final = 3600
# Short times are read from the traces, long ones from the sums by hour.
_SHORT: Final = {"5m": 300, "1h": _HOUR}
_LONG: Final = {"24h": 24 * _HOUR, "7d": 7 * 24 * _HOUR}
_LONGEST_TRACE: Final = 900  # one that began still earlier and goes on is not looked for
_FRESH: Final = 150.0  # seconds for which a process's count of connections stands
_trace, _actor, _hour = schema.trace.c, schema.actor.c, schema.actor_hour.c


def present(connection: Connection, now: float, scope: Scope) -> dict[str, Any]:
    """Return how many users and sessions were active lately; None where spans name none at all."""
    users, sessions = _short(connection, now, scope)
    users |= {name: _long(connection, now, scope, seconds) for name, seconds in _LONG.items()}
    open_now = newest(connection, scope, RequestMetrics.WEBSOCKETS.name, now - _FRESH)
    return {
        "now": now * 1000,
        "users": users if any(users.values()) else None,
        "sessions": sessions if any(sessions.values()) or _ever(connection, scope, now) else None,
        "websockets": round(sum(point.value for point in open_now)) if open_now else None,
    }


def _short(connection: Connection, now: float, scope: Scope) -> tuple[dict[str, int], dict[str, int]]:
    """Count users and sessions whose requests were under way lately, in one walk over the newest traces."""
    end = _trace.start + _trace.duration
    columns = [
        func.count(case((end >= int((now - seconds) * 1e9), whom)).distinct())
        for whom in (_trace.user, _trace.session)
        for seconds in _SHORT.values()
    ]
    since = int((now - max(_SHORT.values()) - _LONGEST_TRACE) * 1e9)
    counts = [int(count) for count in connection.execute(
        select(*columns).where(_trace.start >= since, *scope.conditions(_trace))
    ).one()]  # fmt: skip
    return dict(zip(_SHORT, counts[: len(_SHORT)], strict=True)), dict(zip(_SHORT, counts[len(_SHORT) :], strict=True))


def _long(connection: Connection, now: float, scope: Scope, seconds: int) -> int:
    """Count users of many hours: whole hours from their sums, what is before the first whole one from the traces."""
    since = now - seconds
    if scope.service is not None or scope.environment is not None:  # the sums do not know where a user was
        return _between(connection, scope, since, now)
    whole = int(-(-since // _HOUR) * _HOUR)
    by_hour = select(_actor.user).join(schema.actor_hour, _hour.actor == _actor.id)
    everybody = union(_of_traces(scope, since, whole), by_hour.where(_hour.hour >= whole, _actor.user != "")).subquery()
    return int(connection.execute(select(func.count()).select_from(everybody)).scalar() or 0)


def _between(connection: Connection, scope: Scope, since: float, until: float) -> int:
    found = _of_traces(scope, since, until).distinct().subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar() or 0)


def _of_traces(scope: Scope, since: float, until: float) -> Select[Any]:
    inside = (_trace.start >= int(since * 1e9), _trace.start < int(until * 1e9))
    return select(_trace.user).where(*inside, _trace.user.is_not(None), *scope.conditions(_trace))


def _ever(connection: Connection, scope: Scope, now: float) -> bool:
    """Say whether any trace of the last day names a session: then none now is none, and not unknown."""
    query = select(_trace.id).where(
        _trace.start >= int((now - 24 * _HOUR) * 1e9), _trace.session.is_not(None), *scope.conditions(_trace)
    )
    return connection.execute(query.limit(1)).first() is not None
