"""Stretches of time: what was asked for, fitted to the data and to the rollups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.server.storage import schema
from otelkit.server.storage.rollups import KEPT, newest_step

__all__ = ["LENGTHS", "Range", "before", "is_much", "resolve"]

LENGTHS: Final = {
    "15m": 900,
    "1h": 3600,
    "3h": 3 * 3600,
    "6h": 6 * 3600,
    "24h": 24 * 3600,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
}
_STEPS: Final = (
    *(2, 4, 6, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600),
    *(7200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400, 30 * 86_400),
)
_MOST_STEPS: Final = {schema.FINE: 40, schema.MINUTE: 90, schema.HOUR: 90}  # few enough to tell bars apart
_SHORTEST: Final = 6 * schema.FINE
_TIERS: Final = {schema.FINE: "2s", schema.MINUTE: "minute", schema.HOUR: "hour"}
_NS: Final = 1_000_000_000
_MUCH: Final = 8  # reading a row takes so many times longer than reading an index


@dataclass(frozen=True, slots=True)
class Range:
    """From ``start`` up to and without ``end``, in seconds since the epoch, in steps of ``step`` seconds.

    ``unit`` (see ``schema.UNITS``) says which rollups answer.
    """

    start: int
    end: int
    step: int
    unit: int
    label: str
    auto: bool
    now: float

    @property
    def start_ns(self) -> int:
        return self.start * _NS

    @property
    def end_ns(self) -> int:
        return self.end * _NS

    @property
    def seconds(self) -> float:
        """The length that has passed already, never 0."""
        return max(1.0, min(self.end, self.now) - self.start)

    @property
    def steps(self) -> int:
        return max(1, -(-(self.end - self.start) // self.step))

    @property
    def times(self) -> list[int]:
        """Starts of the steps in milliseconds."""
        return [(self.start + place * self.step) * 1000 for place in range(self.steps)]

    def json(self) -> dict[str, Any]:
        return {
            "from": self.start * 1000,
            "to": self.end * 1000,
            "step_ms": self.step * 1000,
            "auto": self.auto,
            "label": self.label,
            "tier": _TIERS[self.unit],
            "partial_last": self.end > self.now,
        }


def resolve(
    connection: Connection, now: float, label: str = "auto", start_ms: float | None = None, end_ms: float | None = None
) -> Range:
    """Return the range to use: ``label`` is ``auto``, ``all`` or one of :data:`LENGTHS`; explicit ends win over it."""
    if start_ms is not None or end_ms is not None:
        end = end_ms / 1000 if end_ms is not None else now
        start = start_ms / 1000 if start_ms is not None else end - 3600
        return _fitted(connection, now, start, max(end, start + _SHORTEST), "custom")
    if label == "all":
        oldest = _first(connection)
        return _fitted(connection, now, now - 3600 if oldest is None else oldest, now + 1, "all")
    if label != "auto":
        return _fitted(connection, now, now - LENGTHS[label], now, label)
    return _auto(connection, now)


def before(connection: Connection, period: Range) -> Range | None:
    """Return the period of the same length right before, or None where the store does not reach back to it."""
    length = period.end - period.start
    start = period.start - length
    oldest = _first(connection)
    if oldest is None or oldest > start + length * 0.1:
        return None
    unit = next(unit for unit in schema.UNITS if unit >= period.unit and start >= _floor(connection, unit))
    start -= start % unit
    end = max(start + unit, period.start - period.start % unit)
    return Range(start, end, period.step, unit, "before", False, period.now)


def _auto(connection: Connection, now: float) -> Range:
    """Return the newest hour of data, as much of it as holds any.

    It ends now while the silence since then is shorter than the data: that something has stopped must be seen.
    """
    newest = _newest(connection)
    if newest is None:
        return _fitted(connection, now, now - 3600, now, "auto", auto=True)
    oldest = _oldest(connection, newest - 3600) or newest
    end = newest if now - newest > max(newest - oldest, _SHORTEST) else now
    hour = (end - 3600) // schema.MINUTE * schema.MINUTE  # what is too old leaves once a minute, not at any moment
    oldest = _oldest(connection, hour) or oldest
    label = "1h" if end == now and now - oldest > 3600 - schema.MINUTE else "auto"
    return _fitted(connection, now, min(oldest, end - _SHORTEST), end, label, auto=True)


def _newest(connection: Connection) -> float | None:
    """Return the end of the newest step that holds anything."""
    for unit in schema.UNITS:
        found = [newest_step(connection, tables[unit]) for tables in (schema.ROLL, schema.LOGS)]
        known = [step + unit for step in found if step is not None]
        if known:
            return max(known)
    return None


def _oldest(connection: Connection, since: float = 0.0) -> float | None:
    """Return the start of the oldest trace or log record since then."""
    least = int(since * _NS)
    found = [
        connection.execute(select(func.min(column)).where(column >= least)).scalar()
        for column in (schema.trace.c.start, schema.log.c.time)
    ]
    return min((time / _NS for time in found if time), default=None)


def _first(connection: Connection) -> float | None:
    """Return the start of the oldest record, or of the oldest sums where their records have been deleted."""
    oldest = _oldest(connection)
    tables = (schema.ROLL[schema.HOUR], schema.LOGS[schema.HOUR])
    sums = [connection.execute(select(func.min(table.c.time))).scalar() for table in tables]
    first = min((hour for hour in sums if hour is not None), default=None)
    return oldest if first is None or (oldest is not None and first + schema.HOUR > oldest) else first


def _floor(connection: Connection, unit: int) -> float:
    """Return since when a unit is kept."""
    if unit not in KEPT:
        return -math.inf
    found = [newest_step(connection, tables[unit]) for tables in (schema.ROLL, schema.LOGS)]
    return max((step for step in found if step is not None), default=math.inf) - KEPT[unit]


def _fitted(connection: Connection, now: float, start: float, end: float, label: str, *, auto: bool = False) -> Range:
    """Widen to whole steps, of the finest rollup that reaches back so far."""
    start = max(start, 0.0)
    unit = next(
        unit
        for unit in schema.UNITS
        if unit not in KEPT or (end - start <= KEPT[unit] and start >= _floor(connection, unit))
    )
    step = next((size for size in _STEPS if size >= unit and (end - start) / size <= _MOST_STEPS[unit]), _STEPS[-1])
    whole = step if step < schema.HOUR else unit
    low = int(start // whole) * whole
    high = math.ceil(end / whole) * whole
    return Range(low, max(high, low + whole), step, unit, label, auto, now)


def is_much(connection: Connection, period: Range) -> bool:
    """Say whether the range holds so much of the store that an index in another order leads to its traces sooner."""
    start = schema.trace.c.start
    # One by one: either is at an end of the index, both together would be looked for.
    oldest, newest = (connection.execute(select(end(start))).scalar() for end in (func.min, func.max))
    return oldest is not None and (period.end_ns - period.start_ns) * _MUCH > newest - oldest
