"""Stretches of time: what was asked for, fitted to the data and to the rollups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select

from otelkit.server.storage import schema
from otelkit.server.storage.rollups import MINUTES_KEPT

__all__ = ["LENGTHS", "Range", "before", "resolve"]

LENGTHS: Final = {
    "15m": 900,
    "1h": 3600,
    "3h": 3 * 3600,
    "6h": 6 * 3600,
    "24h": 24 * 3600,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
}
_STEPS: Final = (60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400, 30 * 86_400)
_MOST_STEPS: Final = 90
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """From ``start`` up to and without ``end``, in seconds since the epoch, in steps of ``step`` seconds.

    ``minutes`` says which rollups answer: by minute, or by hour.
    """

    start: int
    end: int
    step: int
    minutes: bool
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

    def tier(self, minute: Table, hour: Table) -> Table:
        """Return the rollup to ask."""
        return minute if self.minutes else hour

    def json(self) -> dict[str, Any]:
        return {
            "from": self.start * 1000,
            "to": self.end * 1000,
            "step_ms": self.step * 1000,
            "auto": self.auto,
            "label": self.label,
            "tier": "minute" if self.minutes else "hour",
            "partial_last": self.end > self.now,
        }


def resolve(
    connection: Connection, now: float, label: str = "auto", start_ms: float | None = None, end_ms: float | None = None
) -> Range:
    """Return the range to use: ``label`` is ``auto``, ``all`` or one of :data:`LENGTHS`; explicit ends win over it."""
    if start_ms is not None or end_ms is not None:
        end = end_ms / 1000 if end_ms is not None else now
        start = start_ms / 1000 if start_ms is not None else end - 3600
        return _fitted(connection, now, start, max(end, start + 60), "custom", auto=False)
    if label == "all":
        oldest = connection.execute(select(func.min(schema.trace.c.start))).scalar()
        logged = connection.execute(select(func.min(schema.log.c.time))).scalar()
        known = [time / _NS for time in (oldest, logged) if time]
        return _fitted(connection, now, min(known, default=now - 3600), now + 1, "all", auto=False)
    if label != "auto":
        return _fitted(connection, now, now - LENGTHS[label], now, label, auto=False)
    newest = _newest(connection, now)
    end = now if newest is None or newest > now - 3600 else newest + 1
    return _fitted(connection, now, end - 3600, end, "1h", auto=True)


def before(connection: Connection, period: Range) -> Range | None:
    """Return the period of the same length right before, or None where the store does not reach back to it."""
    length = period.end - period.start
    start, end = period.start - length, period.start
    oldest = connection.execute(select(func.min(schema.roll_hour.c.time))).scalar()
    if oldest is None or oldest > start + length * 0.1:
        return None
    minutes = period.minutes and start >= _minute_floor(connection)
    unit = 60 if minutes else 3600
    start -= start % unit
    end = max(start + unit, end - end % unit)
    return Range(start, end, period.step, minutes, "before", False, period.now)


def _newest(connection: Connection, now: float) -> float | None:
    latest = int((now + 60) * _NS)
    found = [
        connection.execute(select(func.max(column)).where(column <= latest)).scalar()
        for column in (schema.trace.c.start, schema.log.c.time)
    ]
    return max((time / _NS for time in found if time is not None), default=None)


def _minute_floor(connection: Connection) -> int:
    newest = connection.execute(select(func.max(schema.roll_minute.c.time))).scalar() or 0
    logged = connection.execute(select(func.max(schema.log_minute.c.time))).scalar() or 0
    return max(newest, logged) - MINUTES_KEPT * 60 + 60


def _fitted(connection: Connection, now: float, start: float, end: float, label: str, *, auto: bool) -> Range:
    minutes = end - start <= MINUTES_KEPT * 60 and start >= _minute_floor(connection) - 120
    unit = 60 if minutes else 3600
    low = int(start) - int(start) % unit
    high = -(-int(end + 0.999) // unit) * unit
    step = next((size for size in _STEPS if size >= unit and (high - low) / size <= _MOST_STEPS), _STEPS[-1])
    return Range(low, high, step, minutes, label, auto, now)
