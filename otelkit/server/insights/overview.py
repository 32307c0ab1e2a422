"""The first page: is it OK, the figures, where the time goes, what changed, the traces that matter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.server.insights.changes import Change, changes, spoken_ms, spoken_ratio
from otelkit.server.insights.models import CALLS
from otelkit.server.insights.ranges import Range, before
from otelkit.server.insights.services import ENTRIES
from otelkit.server.insights.sums import (
    Scope,
    hists,
    holds_any,
    milliseconds,
    rolls,
    together,
    total_tokens,
    unpriced_models,
)
from otelkit.server.insights.traces import worst_traces
from otelkit.server.kinds import KIND_LABELS, KINDS
from otelkit.server.storage import schema

__all__ = ["overview"]

_NOUNS: Final = {"tool": "tool", "retrieval": "retrieval", "llm": "model", "job": "job"}


def overview(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return everything the first page shows."""
    earlier = before(connection, period)
    now = _Totals(connection, period, scope)
    then = _Totals(connection, earlier, scope) if earlier is not None else None
    figures = _figures(now, then if then is not None and then.holds_any else None)
    found = changes(connection, period, earlier, scope)
    calls = rolls(connection, period, scope, ("provider", "model"), only=CALLS)
    unpriced = unpriced_models(calls)
    return {
        "range": period.json(),
        "verdict": _verdict(now, found, unpriced),
        "times": period.times,
        "figures": figures,
        "unpriced": unpriced,
        "unreported_calls": sum(row.unreported for row in calls),
        "time_by_kind": _time_by_kind(connection, period, scope),
        "changes": [change.json() for change in found],
        "slowest_and_failing": worst_traces(connection, period, scope),
    }


class _Totals:
    """The six figures of one period: as a whole, and by step."""

    def __init__(self, connection: Connection, period: Range, scope: Scope) -> None:
        self.period = period
        entries = rolls(connection, period, scope, steps=True, only=ENTRIES)
        calls = rolls(connection, period, scope, steps=True, only=CALLS)
        latency = hists(connection, period, scope, schema.DURATION, steps=True, only=ENTRIES)
        first = hists(connection, period, scope, schema.FIRST_TOKEN, steps=True)
        self.holds_any = holds_any(connection, period, scope)
        self.requests = sum(row.calls for row in entries)
        self.failed = sum(row.errors for row in entries)
        self.latency = milliseconds(together(latency.values()), 0.95)
        self.first_token = milliseconds(together(first.values()), 0.5)
        self.tokens = _sum_known(total_tokens(row) for row in calls)
        self.cost = _sum_known(row.cost for row in calls)
        self._entries, self._calls, self._latency, self._first = entries, calls, latency, first

    @cached_property
    def series(self) -> dict[str, list[float | None]]:
        """The figures by step."""
        steps, length = self.period.steps, self.period.step
        return {
            "requests": _placed(steps, ((row.at, row.calls / length) for row in self._entries), 0.0),
            "errors": _placed(steps, ((row.at, row.errors / row.calls) for row in self._entries)),
            "latency_p95": _placed(
                steps, ((key[0], milliseconds(counts, 0.95)) for key, counts in self._latency.items())
            ),
            "first_token_p50": _placed(
                steps, ((key[0], milliseconds(counts, 0.5)) for key, counts in self._first.items())
            ),
            "tokens": _placed(steps, ((row.at, _per_minute(total_tokens(row), length)) for row in self._calls)),
            "cost": _placed(steps, ((row.at, row.cost) for row in self._calls)),
        }

    @property
    def values(self) -> dict[str, float | None]:
        seconds = self.period.seconds
        return {
            "requests": self.requests / seconds,
            "errors": self.failed / self.requests if self.requests else None,
            "latency_p95": self.latency,
            "first_token_p50": self.first_token,
            "tokens": self.tokens / seconds * 60 if self.tokens is not None else None,
            "cost": self.cost,
        }


_FIGURES: Final = (
    ("requests", "Requests", "1/s", "ratio", "none"),
    ("errors", "Errors", "ratio", "points", "lower"),
    ("latency_p95", "Latency p95", "ms", "ratio", "lower"),
    ("first_token_p50", "First token p50", "ms", "ratio", "lower"),
    ("tokens", "Tokens", "1/min", "ratio", "none"),
    ("cost", "Cost", "USD", "ratio", "lower"),
)


def _figures(now: _Totals, then: _Totals | None) -> list[dict[str, Any]]:
    totals = {"requests": now.requests, "tokens": now.tokens}
    rows = []
    for name, label, unit, change_unit, better in _FIGURES:
        value = now.values[name]
        previous = then.values[name] if then is not None else None
        rows.append(
            {
                "id": name,
                "label": label,
                "unit": unit,
                "value": value,
                "total": totals.get(name),
                "previous": previous,
                "change": _difference(value, previous, change_unit),
                "change_unit": change_unit,
                "better": better,
                "series": now.series[name],
            }
        )
    return rows


def _difference(value: float | None, previous: float | None, unit: str) -> float | None:
    if value is None or previous is None:
        return None
    if unit == "points":
        return value - previous
    return value / previous - 1 if previous else None


def _verdict(now: _Totals, found: Sequence[Change], unpriced: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if not now.holds_any:
        told = [("point an OpenTelemetry SDK at this address and its traces appear here", "plain")]
        return _sentence("empty", "Nothing has arrived yet", told)
    figures = _in_short(now)
    failing = [change for change in found if change.metric == "error_ratio" and change.tone == "bad"]
    if failing:
        worst = failing[0]
        told = [(worst.subject, "bad"), (f" fails in {spoken_ratio(worst.after)} of calls", "plain")]
        told.append((f" ({worst.detail})" if worst.detail else "", "plain"))
        return _sentence("bad", _headline(failing), [*told, *figures], worst.since)
    slower = [change for change in found if change.tone == "warn"]
    if slower:
        told = [(slower[0].subject, "strong"), (f": {slower[0].text}", "plain")]
        return _sentence("warn", "Something changed for the worse", [*told, *figures], slower[0].since)
    if unpriced:
        count = len(unpriced)
        headline = (
            "All is well, but one model has no price"
            if count == 1
            else f"All is well, but {count} models have no price"
        )
        return _sentence("warn", headline, figures[1:])
    return _sentence("ok", "All is well", figures[1:])


def _headline(failing: Sequence[Change]) -> str:
    kinds = {change.kind for change in failing}
    noun = _NOUNS.get(failing[0].kind, "route") if len(kinds) == 1 else "step"
    return f"One {noun} is failing" if len(failing) == 1 else f"{len(failing)} {noun}s are failing"


def _in_short(now: _Totals) -> list[tuple[str, str]]:
    """Return the rest of the sentence; its first part only separates."""
    told: list[tuple[str, str]] = [(" · ", "plain")]
    ratio = now.failed / now.requests if now.requests else None
    if ratio is not None:
        told.append((f"{now.requests:,} requests, ", "plain"))
        told.append((f"{spoken_ratio(ratio)} failed", "plain"))
    if now.latency is not None:
        told.extend(((" · p95 ", "plain"), (spoken_ms(now.latency), "strong")))
    if now.cost is not None:
        told.extend(((" · cost ", "plain"), (f"${now.cost:,.2f}" if now.cost >= 1 else f"${now.cost:.4f}", "strong")))
    return told


def _sentence(level: str, headline: str, told: Sequence[tuple[str, str]], since: int | None = None) -> dict[str, Any]:
    parts = [{"text": text, "tone": tone} for text, tone in told if text]
    return {"level": level, "headline": headline, "parts": parts, "since": since}


def _time_by_kind(connection: Connection, period: Range, scope: Scope) -> list[dict[str, Any]]:
    table = schema.KIND[period.unit].c
    at = ((table.time - period.start) // period.step).label("at")
    query = (
        select(table.kind, at, func.sum(table.spent))
        .where(table.time >= period.start, table.time < period.end, *scope.conditions(table))
        .group_by(table.kind, at)
    )
    spent: dict[str, list[float]] = {}
    for kind, place, nanoseconds in connection.execute(query):
        spent.setdefault(kind, [0.0] * period.steps)[place] = nanoseconds / 1e6
    return [
        {"kind": kind, "label": KIND_LABELS[kind], "values_ms": spent[kind], "total_ms": sum(spent[kind])}
        for kind in KINDS
        if kind in spent
    ]


def _placed(steps: int, pairs: Any, nothing: float | None = None) -> list[float | None]:
    values: list[float | None] = [nothing] * steps
    for at, value in pairs:
        values[at] = value
    return values


def _per_minute(count: int | None, seconds: int) -> float | None:
    return None if count is None else count / seconds * 60


def _sum_known(values: Any) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
