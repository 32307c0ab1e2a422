"""When something was last seen, how often it usually is, and whether it is late."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.rollups import KEPT

__all__ = ["Activity", "Newest", "activity", "newest"]

_MONTH: Final = 30 * 86_400
_MOST_SERIES: Final = 2000
_FEWEST: Final = 4  # times from which one may say what is usual
_LATE: Final = 3  # usual intervals
_series, _point, _of_span = schema.metric_series.c, schema.metric_point.c, schema.series.c


class Newest(NamedTuple):
    """The newest point of one series of a gauge; ``time`` in seconds."""

    labels: Mapping[str, Any]
    value: float
    time: float
    service: str


def newest(connection: Connection, scope: Scope, name: str, since: float = 0.0) -> list[Newest]:
    """Return the newest point of each series of a metric, those older than ``since`` (seconds) left out."""
    last = select(func.max(_point.time)).where(_point.series == _series.id).scalar_subquery()
    chosen = (
        select(_series.id, _series.attributes, _series.service, last.label("time"))
        .where(_series.name == name, *scope.conditions(_series))
        .order_by(_series.id.desc())
        .limit(_MOST_SERIES)
        .subquery()
    )
    query = (
        select(chosen.c.attributes, chosen.c.service, _point.value, _point.time)
        .join(chosen, (chosen.c.id == _point.series) & (chosen.c.time == _point.time))
        .where(_point.time >= int(since * 1e9), _point.value.is_not(None))
    )
    return [
        Newest(json.loads(row.attributes), row.value, row.time / 1e9, row.service) for row in connection.execute(query)
    ]


@dataclass(slots=True)
class Activity:
    """When a span's name was seen in the last month, in seconds: by minute lately, by hour before."""

    minutes: list[int] = field(default_factory=list)
    hours: list[int] = field(default_factory=list)
    last_good: int = 0

    def usual_gap(self) -> int | None:
        """Return how long it usually takes from one to the next, None where there are too few to say.

        Nine gaps in ten are no longer than that: what comes in bursts is not late in the quiet between them.
        """
        times = self.minutes if len(self.minutes) >= _FEWEST else self.hours
        if len(times) < _FEWEST:
            return None
        gaps = sorted(later - earlier for earlier, later in pairwise(times))
        return gaps[int((len(gaps) - 1) * 0.9)]

    def overdue(self, last: float | None, now: float) -> bool:
        """Say whether it should have been seen again by now."""
        usual = self.usual_gap()
        return usual is not None and last is not None and now - last > _LATE * usual


def activity(
    connection: Connection, now: float, scope: Scope, only: Collection[ColumnElement[bool]]
) -> dict[str, Activity]:
    """Return by span name when the spans of chosen series were seen."""
    found: dict[str, Activity] = {}
    reaches: Sequence[tuple[int, int]] = ((schema.HOUR, _MONTH), (schema.MINUTE, KEPT[schema.MINUTE]))
    for unit, reach in reaches:
        table = schema.ROLL[unit].c
        good = func.max(table.time).filter(table.status < 2)
        query = (
            select(_of_span.name, table.time, good)
            .join(schema.series, _of_span.id == table.series)
            .where(table.time >= int(now) - reach, table["count"] > 0, table.status < schema.ROLL_DUPLICATE)
            .where(*scope.conditions(), *only)
            .group_by(_of_span.name, table.time)
            .order_by(table.time)
        )
        for name, time, well in connection.execute(query):
            seen = found.setdefault(name, Activity())
            (seen.minutes if unit == schema.MINUTE else seen.hours).append(time)
            seen.last_good = max(seen.last_good, well or 0)
    return found
