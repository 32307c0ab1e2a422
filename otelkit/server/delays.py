"""How long records were under way: from their own time until they were committed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from otelkit.semconv.metrics import ServerMetrics

__all__ = ["Delays", "Distribution", "oldest"]

_BOUNDS: Final = ServerMetrics.DELAY.boundaries

_TIMES: Final[Mapping[str, Callable[[Any], int]]] = {
    "spans": lambda span: span.end,
    "logs": lambda record: record.time or record.observed,
    "points": lambda point: point.time,
}


class Distribution(NamedTuple):
    """How many were within each bound of the catalogue's entry and beyond, added up; and their sum in seconds."""

    within: Sequence[int]
    seconds: float


class Delays:
    """A histogram a signal; noted by one thread, read by any."""

    def __init__(self) -> None:
        self._counts = {signal: [0] * (len(_BOUNDS) + 1) for signal in _TIMES}
        self._sums = dict.fromkeys(_TIMES, 0.0)

    def note(self, signal: str, seconds: float) -> None:
        """Count one request; what comes from the future, by a clock that is ahead, took no time."""
        took = max(0.0, seconds)
        self._counts[signal][bisect_left(_BOUNDS, took)] += 1
        self._sums[signal] += took

    def read(self) -> dict[str, Distribution]:
        """Return each signal's distribution."""
        return {
            signal: Distribution(list(accumulate(counts)), self._sums[signal])
            for signal, counts in self._counts.items()
        }


def oldest(signal: str, records: Sequence[Any]) -> float | None:
    """Return the time of the oldest record in seconds, None where none says when it was."""
    time_of = _TIMES[signal]
    return min((time for record in records if (time := time_of(record))), default=0) / 1e9 or None
