"""Logarithmic buckets for durations: 2.5 % wide, so that a percentile read from them is off by at most that.

The calls of one series and step are kept as one packed value: nearly every call falls into a bucket of its own, and a
row for each took most of the time that writing and reading percentiles took. Few calls are packed as (bucket, calls)
pairs. Many are packed as one number with a lane of 40 bits a bucket, because thousands of these are put together for a
page, and adding two numbers adds all their lanes at once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["Counts", "bucket_of", "merge_counts", "pack_counts", "unpack_counts"]

GROWTH: Final = 1.025
_SCALE: Final = 1 / math.log(GROWTH)
_log: Final = math.log
_PAIR: Final = struct.Struct("<Hq")
_LANE: Final = 5  # bytes: room for a thousand billion calls, of which one packed number may hold
_MOST: Final = 2**32  # so many, so that a great many can be added up
_BITS: Final = 8 * _LANE
_HALVES: Final = struct.Struct("<IB")  # a lane, as what struct knows
_MARK: Final = 3  # what a packed number's length leaves, divided by the length of a pair; pairs leave nothing
_WORTH: Final = 4  # how much longer a number may be than the pairs it saves unpacking


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket of a duration; everything up to one nanosecond is bucket 0."""
    return int(_log(nanoseconds) * _SCALE) if nanoseconds > 1 else 0


def pack_counts(counts: Mapping[int, int]) -> bytes:
    """Return calls by bucket as it is stored, without those that are nothing."""
    known = sorted([(bucket, count) for bucket, count in counts.items() if count])
    if not known:
        return b""
    lanes = known[-1][0] - known[0][0] + 1
    calls = [count for _, count in known]
    if lanes * _LANE > _WORTH * len(known) * _PAIR.size or min(calls) < 0 or max(calls) > _MOST:
        return b"".join([_PAIR.pack(bucket, count) for bucket, count in known])
    first = known[0][0]
    number = sum([count << (bucket - first) * _BITS for bucket, count in known])
    packed = first.to_bytes(2, "little") + number.to_bytes(lanes * _LANE, "little")
    return packed + bytes((_MARK - len(packed)) % _PAIR.size)


def unpack_counts(packed: bytes) -> Iterable[tuple[int, int]]:
    """Return the (bucket, calls) that :func:`pack_counts` was given, in order."""
    if len(packed) % _PAIR.size == 0:
        return _PAIR.iter_unpack(packed)
    return _lanes(int.from_bytes(packed[2:], "little"), int.from_bytes(packed[:2], "little"))


def merge_counts(left: bytes, right: bytes) -> bytes:
    """Return both added up."""
    sums = dict(unpack_counts(left))
    for bucket, count in unpack_counts(right):
        sums[bucket] = sums.get(bucket, 0) + count
    return pack_counts(sums)


class Counts:
    """Calls by bucket, put together from what is stored."""

    __slots__ = ("_number", "_ordered", "_pairs")

    def __init__(self) -> None:
        self._number = 0
        self._pairs: dict[int, int] = {}
        self._ordered: list[tuple[int, int]] | None = None

    def add_packed(self, packed: bytes) -> None:
        """Add what :func:`pack_counts` made."""
        self._ordered = None
        if len(packed) % _PAIR.size:
            self._number += int.from_bytes(packed[2:], "little") << int.from_bytes(packed[:2], "little") * _BITS
            return
        pairs = self._pairs
        for bucket, count in _PAIR.iter_unpack(packed):
            pairs[bucket] = pairs.get(bucket, 0) + count

    def add(self, other: Counts) -> None:
        """Add others."""
        self._ordered = None
        self._number += other._number
        for bucket, count in other._pairs.items():
            self._pairs[bucket] = self._pairs.get(bucket, 0) + count

    def percentile(self, share: float) -> float | None:
        """Return the duration in nanoseconds below which ``share`` (0…1) of the calls lie, or None for no calls.

        The answer is interpolated inside its bucket.
        """
        ordered = self.ordered()
        total = sum([count for _, count in ordered])
        if not total:
            return None
        rank, seen = share * total, 0
        for bucket, count in ordered:
            if seen + count >= rank:
                return float(GROWTH ** (bucket + (rank - seen) / count))
            seen += count
        return float(GROWTH ** (ordered[-1][0] + 1))

    def ordered(self) -> list[tuple[int, int]]:
        """Return (bucket, calls), the lowest bucket first."""
        if self._ordered is None:
            self._ordered = _lanes(self._number, 0)
            if self._pairs:
                sums = dict(self._ordered)
                for bucket, count in self._pairs.items():
                    sums[bucket] = sums.get(bucket, 0) + count
                self._ordered = sorted([(bucket, count) for bucket, count in sums.items() if count > 0])
        return self._ordered


def _lanes(number: int, first: int) -> list[tuple[int, int]]:
    """Return (bucket, calls) of a packed number whose lowest lane is the bucket ``first``, in order."""
    if not number:
        return []
    skipped = ((number & -number).bit_length() - 1) // _BITS
    number >>= skipped * _BITS
    data = number.to_bytes((number.bit_length() + _BITS - 1) // _BITS * _LANE, "little")
    lanes = enumerate(_HALVES.iter_unpack(data), first + skipped)
    return [(bucket, low + (high << 32)) for bucket, (low, high) in lanes if low or high]
