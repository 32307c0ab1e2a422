"""What retrievals say they found, and buckets for it, kept beside those of durations.

Result counts are kept as they are, scores by thousandths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otelkit.semconv.attributes import Otelkit

__all__ = ["MOST_RESULTS", "OTHER_SCALE", "Found", "found_of", "results_bucket", "score_bucket", "score_of"]

MOST_RESULTS: Final = 1000
"""A call that found more counts as if it had found so many."""
_PARTS: Final = 1000
OTHER_SCALE: Final = _PARTS + 1
"""The bucket of scores that are not between 0 and 1, of which only the number is kept."""


class Found(NamedTuple):
    """How many results a retrieval had, and its best score; None where it does not say."""

    results: int | None
    score: float | None


def found_of(attributes: Mapping[str, Any]) -> Found:
    """Return what a retrieval's attributes say; what is no number or no possible one is unknown."""
    results, score = _number(attributes.get(Otelkit.RESULT_COUNT)), _number(attributes.get(Otelkit.SCORE_MAX))
    return Found(None if results is None or results < 0 else int(results), score)


def results_bucket(results: int) -> int:
    """Return the bucket of a result count."""
    return min(results, MOST_RESULTS)


def score_bucket(score: float) -> int:
    """Return the bucket of a score."""
    return round(score * _PARTS) if 0 <= score <= 1 else OTHER_SCALE


def score_of(bucket: int) -> float:
    """Return the score that a bucket other than :data:`OTHER_SCALE` stands for."""
    return bucket / _PARTS


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if known else None
