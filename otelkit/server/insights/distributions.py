"""Histograms of metrics as plain buckets, whatever shape they came in: (low, high) → how many. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["Buckets", "explicit", "exponential", "grown", "quantile"]

Buckets = dict[tuple[float, float], float]
_LARGEST: Final = 1e308
_MOST: Final = 400  # OTLP's exponential histograms have 160 a side


def explicit(bounds: Sequence[float], counts: Sequence[int]) -> Buckets:
    """Return the buckets of an explicit histogram; the outermost are open."""
    edges = [-math.inf, *bounds, math.inf]
    return {(edges[at], edges[at + 1]): count for at, count in enumerate(counts[: len(bounds) + 1]) if count}


def exponential(detail: Mapping[str, Any]) -> Buckets:
    """Return the buckets of an exponential histogram, from what the store keeps of a point."""
    found: Buckets = {}
    zero = detail.get("zero_count") or 0
    if zero:
        width = float(detail.get("zero_threshold") or 0.0)
        found[-width, width] = zero
    scale = int(detail.get("scale") or 0)
    for side, sign in (("positive", 1), ("negative", -1)):
        offset = int(detail.get(f"{side}_offset") or 0)
        for at, count in enumerate((detail.get(f"{side}_buckets") or ())[:_MOST], offset):
            if count:
                low, high = (_edge(scale, at), _edge(scale, at + 1))
                found[(low, high) if sign > 0 else (-high, -low)] = count
    return found


def _edge(scale: int, index: int) -> float:
    try:
        return min(math.pow(2.0, index * 2.0**-scale), _LARGEST)
    except OverflowError:
        return _LARGEST


def grown(before: Buckets | None, now: Buckets) -> Buckets:
    """Return what came in between two states of a counting histogram; all of it where it began anew."""
    if before is None:
        return now
    fitted: Buckets = {}
    for edges, count in before.items():
        home = edges if edges in now else next((wide for wide in now if _holds(wide, edges)), edges)
        fitted[home] = fitted.get(home, 0) + count
    if any(count > now.get(edges, 0) for edges, count in fitted.items()):
        return now
    return {edges: more for edges, count in now.items() if (more := count - fitted.get(edges, 0)) > 0}


def _holds(wide: tuple[float, float], narrow: tuple[float, float]) -> bool:
    """Say whether a bucket lies in another: an exponential histogram makes its buckets wider when it must."""
    return wide[0] <= narrow[0] and narrow[1] <= wide[1]


def quantile(buckets: Buckets, share: float) -> float | None:
    """Return the value below which ``share`` (0…1) of what was measured lies, interpolated inside its bucket.

    What lies in an open bucket is only known to be beyond its edge, and that edge is returned. None for no buckets.
    """
    ordered = sorted((edges, count) for edges, count in buckets.items() if count > 0)
    total = sum(count for _, count in ordered)
    if not total:
        return None
    rank, seen = share * total, 0.0
    for (low, high), count in ordered:
        if seen + count >= rank:
            if math.isinf(high) or math.isinf(low):
                finite = low if math.isinf(high) else high if high <= 0 else None
                if finite is not None:
                    return None if math.isinf(finite) else finite
                low = 0.0  # everything below the first edge: measured things seldom lie below zero
            return low + (high - low) * (rank - seen) / count
        seen += count
    return ordered[-1][0][1]
