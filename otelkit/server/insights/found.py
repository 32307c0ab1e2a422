"""What retrievals found, summed: how many results, how good the best of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection

from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, hists
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import Counts
from otelkit.server.storage.found import OTHER_SCALE, score_of

__all__ = ["Finds", "finds"]

# Highest result counts of the groups shown; the last one is open.
_RESULTS: Final = (0, 1, 5, 10, 20, 50)
_SHARES: Final = {"score_p10": 0.1, "score_p50": 0.5, "score_p90": 0.9}


@dataclass(slots=True)
class Finds:
    """Calls by result count and by best score, in all and by step of the range."""

    results: Counts = field(default_factory=Counts)
    scores: Counts = field(default_factory=Counts)
    results_at: defaultdict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))
    scores_at: defaultdict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))

    def add(self, what: int, at: int, counts: Counts) -> None:
        """Take in calls of one step."""
        total, by_step = (self.results, self.results_at) if what == schema.RESULTS else (self.scores, self.scores_at)
        total.add(counts)
        by_step[at].add(counts)

    @property
    def counted(self) -> int:
        """How many calls said how much they found."""
        return _counted(self.results)[0]

    @property
    def empty(self) -> int:
        """How many of them found nothing."""
        return dict(self.results.ordered()).get(0, 0)

    def figures(self) -> dict[str, Any]:
        """Return the figures that are compared with the period before; None where nobody said anything."""
        counted, results = _counted(self.results)
        scored = dict(self.scores.ordered())
        other = scored.pop(OTHER_SCALE, 0)
        return {
            "counted": counted,
            "results": results if counted else None,
            "results_mean": results / counted if counted else None,
            "scored": sum(scored.values()),
            "other_scale": other,
            **{name: _score(self.scores, share) for name, share in _SHARES.items()},
        }

    def series(self, steps: int) -> dict[str, list[float | None]]:
        """Return the mean result count and the middle of the best scores by step."""
        return {
            "results_mean": [_mean(self.results_at.get(at)) for at in range(steps)],
            "score_p50": [_score(self.scores_at.get(at), 0.5) for at in range(steps)],
        }

    def distribution(self) -> list[dict[str, int | None]]:
        """Return how many calls found how much; ``to`` is None for the open end."""
        groups: list[dict[str, int | None]] = []
        low = 0
        for high in (*_RESULTS, None):
            calls = sum(n for count, n in self.results.ordered() if count >= low and (high is None or count <= high))
            groups.append({"from": low, "to": high, "calls": calls})
            low = (high or 0) + 1
        return groups


def finds(
    connection: Connection, period: Range, scope: Scope, only: Sequence[ColumnElement[bool]]
) -> tuple[Finds, defaultdict[str, Finds]]:
    """Return what calls found in all, and by data source, or by name where none is named."""
    total, by_label = Finds(), defaultdict[str, Finds](Finds)
    for what in (schema.RESULTS, schema.SCORE):
        found = hists(connection, period, scope, what, ("tool", "name"), steps=True, only=only)
        for (tool, name, at), counts in found.items():
            total.add(what, at, counts)
            by_label[tool or name].add(what, at, counts)
    return total, by_label


def _counted(counts: Counts) -> tuple[int, int]:
    """Return how many calls there are, and how many results they had together."""
    pairs = counts.ordered()
    return sum(calls for _, calls in pairs), sum(count * calls for count, calls in pairs)


def _mean(counts: Counts | None) -> float | None:
    calls, results = _counted(counts) if counts is not None else (0, 0)
    return results / calls if calls else None


def _score(counts: Counts | None, share: float) -> float | None:
    """Return the lowest score that a share of the calls does not exceed."""
    known = [pair for pair in (counts.ordered() if counts is not None else ()) if pair[0] != OTHER_SCALE]
    bucket = _bucket_at(known, share)
    return None if bucket is None else score_of(bucket)


def _bucket_at(pairs: Iterable[tuple[int, int]], share: float) -> int | None:
    pairs = list(pairs)
    wanted, seen = share * sum(calls for _, calls in pairs), 0
    for bucket, calls in pairs:
        seen += calls
        if seen >= wanted:
            return bucket
    return None
