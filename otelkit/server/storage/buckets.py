"""Logarithmic buckets for durations: 2.5 % wide, so that a percentile read from them is off by at most that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

__all__ = ["bucket_of", "percentile"]

GROWTH: Final = 1.025
_SCALE: Final = 1 / math.log(GROWTH)
_log: Final = math.log


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket of a duration; everything up to one nanosecond is bucket 0."""
    return int(_log(nanoseconds) * _SCALE) if nanoseconds > 1 else 0


def percentile(counts: Iterable[tuple[int, int]], share: float) -> float | None:
    """Return the duration in nanoseconds below which ``share`` (0…1) of the calls lie, or None for no calls.

    ``counts`` are (bucket, calls) in any order, buckets perhaps several times; the answer is interpolated inside its
    bucket.
    """
    sums: dict[int, int] = {}
    for bucket, count in counts:
        sums[bucket] = sums.get(bucket, 0) + count
    ordered = sorted((bucket, count) for bucket, count in sums.items() if count > 0)
    total = sum(count for _, count in ordered)
    if not total:
        return None
    rank, seen = share * total, 0
    for bucket, count in ordered:
        if seen + count >= rank:
            return float(GROWTH ** (bucket + (rank - seen) / count))
        seen += count
    return float(GROWTH ** (ordered[-1][0] + 1))
