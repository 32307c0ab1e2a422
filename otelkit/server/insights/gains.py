"""What counters gained between two readings, whatever way they count. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from otelkit.server.insights.distributions import Buckets, grown

__all__ = ["Gain", "Reading", "gains"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter at one time (nanoseconds): a sum's value, or a histogram's count, sum and buckets."""

    start: int
    time: int
    amount: float
    total: float | None = None
    buckets: Buckets = field(default_factory=dict)


class Gain(NamedTuple):
    """What was added after ``since`` until ``time`` (nanoseconds); ``total`` is None where the sum is not reported."""

    since: int
    time: int
    amount: float
    total: float | None
    buckets: Buckets


def gains(readings: Iterable[Reading], *, cumulative: bool, born: int) -> list[Gain]:
    """Return the gains of one series from its readings in order of time.

    A counter that falls, or that started after the reading before, began again at zero. The first reading is a gain
    only where the counter started at or after ``born``: of an older one nobody knows when it got there.
    """
    if not cumulative:
        return [Gain(r.start or r.time, r.time, r.amount, r.total, r.buckets) for r in readings]
    found: list[Gain] = []
    before: Reading | None = None
    for reading in readings:
        if before is None:
            if reading.start >= born:
                found.append(_from_zero(reading, reading.start))
        elif reading.amount < before.amount or reading.start >= before.time:
            found.append(_from_zero(reading, before.time))
        else:
            total = _minus(reading.total, before.total)
            buckets = grown(before.buckets, reading.buckets)
            found.append(Gain(before.time, reading.time, reading.amount - before.amount, total, buckets))
        before = reading
    return found


def _from_zero(reading: Reading, since: int) -> Gain:
    return Gain(since, reading.time, reading.amount, reading.total, reading.buckets)


def _minus(now: Any, before: Any) -> float | None:
    return None if now is None or before is None else float(now - before)
