"""Retrieval: how long it takes, how much it finds, how well that fits."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.semconv.attributes import Otelkit
from otelkit.server.insights.calls import Call, Looked, newest_calls, slowest_calls
from otelkit.server.insights.groups import together, with_before
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["retrieval"]

_ONLY: Final = (schema.series.c.kind == "retrieval",)
# Highest result counts of the buckets; the last one is open.
_RESULTS: Final = (0, 1, 5, 10, 20, 50)
_SCORES: Final = (("best", Otelkit.SCORE_MAX), ("mean", Otelkit.SCORE_MEAN), ("lowest", Otelkit.SCORE_MIN))


def retrieval(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return figures in all and by data source, what the newest calls found, and the slowest calls."""
    now, earlier = with_before(connection, period, scope, _ONLY)
    total = together(now.values(), period.steps)
    looked = newest_calls(connection, payloads, period, scope, "retrieval")
    by_label: dict[str, list[Call]] = {}
    for call in looked.calls:
        by_label.setdefault(call.label, []).append(call)
    sources = [
        {
            "source": group.label,
            "services": sorted(group.services),
            **group.figures(),
            "previous": earlier[group.label].figures() if earlier and group.label in earlier else None,
            "scores": _scores(by_label.get(group.label, ())),
            "series": group.series(),
        }
        for group in sorted(now.values(), key=lambda group: -group.calls)
    ]
    return {
        "range": period.json(),
        "times": period.times,
        "total": total.figures(),
        "previous": together(earlier.values(), 1).figures() if earlier else None,
        "series": total.series(),
        "sources": sources,
        "newest": _newest(looked),
        "slowest": [_shown(call) for call in slowest_calls(connection, payloads, period, scope, "retrieval")],
    }


def _newest(looked: Looked) -> dict[str, Any]:
    counts = [count for call in looked.calls if (count := _result_count(call)) is not None]
    results, low = [], 0
    for high in (*_RESULTS, None):
        within = sum(1 for count in counts if count >= low and (high is None or count <= high))
        results.append({"from": low, "to": high, "calls": within})
        low = (high or 0) + 1
    return {
        "calls": len(looked.calls),
        "complete": looked.complete,
        "counted": len(counts),
        "results": results,
        "scores": _scores(looked.calls),
    }


def _scores(calls: Sequence[Call]) -> dict[str, Any] | None:
    """Return the middle and the worst tenth of the best, the mean and the lowest score; None where none is known."""
    scored = [call for call in calls if _number(call, Otelkit.SCORE_MAX) is not None]
    if not scored:
        return None
    found: dict[str, Any] = {"calls": len(scored)}
    for name, attribute in _SCORES:
        values = [value for call in scored if (value := _number(call, attribute)) is not None]
        found[name] = _spread(values)
    return found


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else [values[0]] * 9
    return {"p10": tenths[0], "p50": tenths[4], "p90": tenths[8]}


def _shown(call: Call) -> dict[str, Any]:
    return {**call.json(), "results": _result_count(call), "score": _number(call, Otelkit.SCORE_MAX)}


def _result_count(call: Call) -> int | None:
    value = _number(call, Otelkit.RESULT_COUNT)
    return None if value is None or value < 0 else int(value)


def _number(call: Call, name: str) -> float | None:
    value = call.attributes.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if known else None  # type: ignore[arg-type]
