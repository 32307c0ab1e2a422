"""Tools: how often they are called, how often they fail and with what, how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.semconv.attributes import Otelkit
from otelkit.server.insights.calls import Call, Looked, by_type, failing_calls, newest_calls, slowest_calls
from otelkit.server.insights.groups import Group, together, with_before
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["tools"]

_ONLY: Final = (schema.series.c.kind == "tool",)


def tools(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return figures in all and by tool; actions and error types of the newest calls; the slowest calls."""
    now, earlier = with_before(connection, period, scope, _ONLY)
    total = together(now.values(), period.steps)
    newest = newest_calls(connection, payloads, period, scope, "tool")
    failing = failing_calls(connection, payloads, period, scope, "tool")
    return {
        "range": period.json(),
        "times": period.times,
        "total": _figures(total),
        "previous": _figures(together(earlier.values(), 1)) if earlier else None,
        "series": _series(total),
        "tools": [
            {
                "tool": group.label,
                "services": sorted(group.services),
                "last": group.last * 1000,
                **_figures(group),
                "previous": _figures(earlier[group.label]) if earlier and group.label in earlier else None,
                "series": _series(group),
            }
            for group in sorted(now.values(), key=lambda group: (-group.errors, -group.calls))
        ],
        "actions": _actions(newest),
        "errors": by_type(failing, "tool"),
        "slowest": [call.json() for call in slowest_calls(connection, payloads, period, scope, "tool")],
    }


def _figures(group: Group) -> dict[str, Any]:
    return {name: value for name, value in group.figures().items() if not name.startswith("empty")}


def _series(group: Group) -> dict[str, list[Any]]:
    return {name: values for name, values in group.series().items() if name != "empty"}


def _actions(looked: Looked) -> dict[str, Any]:
    """Return the newest calls by integration and action, of the tools that name either."""
    found: dict[tuple[str, str], list[Call]] = {}
    for call in looked.calls:
        integration, action = (_text(call, name) for name in (Otelkit.TOOL_INTEGRATION, Otelkit.TOOL_ACTION))
        if integration or action:
            found.setdefault((integration, action), []).append(call)
    rows = [_action(key, calls) for key, calls in sorted(found.items(), key=lambda item: -len(item[1]))]
    return {"calls": len(looked.calls), "complete": looked.complete, "rows": rows}


def _action(key: tuple[str, str], calls: Sequence[Call]) -> dict[str, Any]:
    lengths = sorted(call.row.duration for call in calls)
    errors = sum(1 for call in calls if call.row.status == 2)
    return {
        "integration": key[0] or None,
        "action": key[1] or None,
        "tools": sorted({call.label for call in calls}),
        "calls": len(calls),
        "errors": errors,
        "error_ratio": errors / len(calls),
        "p50_ms": lengths[(len(lengths) - 1) // 2] / 1e6,
        "p95_ms": lengths[int((len(lengths) - 1) * 0.95)] / 1e6,
    }


def _text(call: Call, name: str) -> str:
    value = call.attributes.get(name)
    return value if isinstance(value, str) else ""
