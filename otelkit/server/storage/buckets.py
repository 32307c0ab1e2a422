"""Logarithmic buckets for durations: 2.5 % wide, so that a percentile read from them is off by at most that.

The counts of one series and step are kept as one packed value: nearly every call falls into a bucket of its own, and a
row for each took most of the time that writing and reading percentiles took.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["bucket_of", "merge_counts", "pack_counts", "percentile", "unpack_counts"]

GROWTH: Final = 1.025
_SCALE: Final = 1 / math.log(GROWTH)
_log: Final = math.log
_PAIR: Final = struct.Struct("<Hq")


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket of a duration; everything up to one nanosecond is bucket 0."""
    return int(_log(nanoseconds) * _SCALE) if nanoseconds > 1 else 0


def pack_counts(counts: Mapping[int, int]) -> bytes:
    """Return calls by bucket as it is stored: pairs in order, without those that are nothing."""
    return b"".join([_PAIR.pack(bucket, count) for bucket, count in sorted(counts.items()) if count])


def unpack_counts(packed: bytes) -> Iterable[tuple[int, int]]:
    """Return the (bucket, calls) that :func:`pack_counts` was given."""
    return _PAIR.iter_unpack(packed)


def merge_counts(left: bytes, right: bytes) -> bytes:
    """Return both added up."""
    sums = dict(unpack_counts(left))
    for bucket, count in unpack_counts(right):
        sums[bucket] = sums.get(bucket, 0) + count
    return pack_counts(sums)


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
