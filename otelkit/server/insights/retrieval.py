"""Retrieval: how long it takes, how much it finds, how well that fits."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.server.insights.calls import Call, slowest_calls
from otelkit.server.insights.found import Finds, finds
from otelkit.server.insights.groups import Group, together, with_before
from otelkit.server.insights.ranges import Range, before
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.found import found_of
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["retrieval"]

_ONLY: Final = (schema.series.c.kind == "retrieval",)


def retrieval(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return figures in all and by data source, how many calls found how much, and the slowest calls."""
    now, earlier = with_before(connection, period, scope, _ONLY)
    total = together(now.values(), period.steps)
    found, found_by = finds(connection, period, scope, _ONLY)
    past = before(connection, period)
    found_before, found_before_by = finds(connection, past, scope, _ONLY) if past else (Finds(), defaultdict(Finds))
    sources = [
        {
            "source": label,
            "services": sorted(group.services),
            **_figures(group, found_by[label]),
            "previous": _figures(earlier[label], found_before_by[label]) if earlier and label in earlier else None,
            "series": {**group.series(), **found_by[label].series(period.steps)},
        }
        for label, group in sorted(now.items(), key=lambda item: -item[1].calls)
    ]
    return {
        "range": period.json(),
        "times": period.times,
        "total": _figures(total, found),
        "previous": _figures(together(earlier.values(), 1), found_before) if earlier else None,
        "series": {**total.series(), **found.series(period.steps)},
        "sources": sources,
        "found": found.distribution(),
        "slowest": [_shown(call) for call in slowest_calls(connection, payloads, period, scope, "retrieval")],
    }


def _figures(group: Group, found: Finds) -> dict[str, Any]:
    figures = {**group.figures(), **found.figures()}
    if found.counted:
        figures["empty_ratio"] = found.empty / found.counted
    elif group.calls and not group.empty:  # nobody said; a store of the first version knows the empty ones only
        figures["empty"] = figures["empty_ratio"] = None
    return figures


def _shown(call: Call) -> dict[str, Any]:
    return {**call.json(), **found_of(call.attributes)._asdict()}
