"""Calls of one kind summed by whatever they share: the tool, the data source; and the same before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection

from otelkit.server.insights.ranges import Range, before
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import Counts

__all__ = ["Group", "grouped", "together", "with_before"]

_BY: Final = ("tool", "name", "service")


@dataclass(slots=True)
class Group:
    """What was summed; series have one value a step of the range."""

    label: str
    steps: int
    services: set[str] = field(default_factory=set)
    calls: int = 0
    errors: int = 0
    empty: int = 0
    last: int = 0
    durations: Counts = field(default_factory=Counts)
    durations_at: dict[int, Counts] = field(default_factory=dict)
    calls_at: dict[int, int] = field(default_factory=dict)
    errors_at: dict[int, int] = field(default_factory=dict)
    empty_at: dict[int, int] = field(default_factory=dict)

    def add(self, other: Group) -> None:
        """Take in another one's figures."""
        self.services |= other.services
        self.calls += other.calls
        self.errors += other.errors
        self.empty += other.empty
        self.last = max(self.last, other.last)
        self.durations.add(other.durations)
        for at, counts in other.durations_at.items():
            self.durations_at.setdefault(at, Counts()).add(counts)
        _add_at(self.calls_at, other.calls_at)
        _add_at(self.errors_at, other.errors_at)
        _add_at(self.empty_at, other.empty_at)

    def figures(self) -> dict[str, Any]:
        """Return the figures that are compared with the period before."""
        return {
            "calls": self.calls,
            "errors": self.errors,
            "error_ratio": self.errors / self.calls if self.calls else None,
            "empty": self.empty,
            "empty_ratio": self.empty / self.calls if self.calls else None,
            "p50_ms": milliseconds(self.durations, 0.5),
            "p95_ms": milliseconds(self.durations, 0.95),
        }

    def series(self) -> dict[str, list[Any]]:
        """Return the figures by step; a percentile of no calls is None."""
        steps = range(self.steps)
        return {
            "calls": [self.calls_at.get(at, 0) for at in steps],
            "errors": [self.errors_at.get(at, 0) for at in steps],
            "empty": [self.empty_at.get(at, 0) for at in steps],
            "p50_ms": [milliseconds(self.durations_at.get(at), 0.5) for at in steps],
            "p95_ms": [milliseconds(self.durations_at.get(at), 0.95) for at in steps],
        }


def grouped(connection: Connection, period: Range, scope: Scope, *only: ColumnElement[bool]) -> dict[str, Group]:
    """Return calls by tool or data source, or by name where none is named."""
    found: dict[str, Group] = {}

    def of(tool: str, name: str) -> Group:
        label = tool or name
        return found.setdefault(label, Group(label, period.steps))

    for row in rolls(connection, period, scope, _BY, steps=True, only=only):
        group = of(row.tool, row.name)
        group.services.add(row.service)
        group.last = max(group.last, row.last)
        group.calls += row.calls
        group.errors += row.errors
        group.empty += row.empty
        _add_at(group.calls_at, {row.at: row.calls})
        _add_at(group.errors_at, {row.at: row.errors})
        _add_at(group.empty_at, {row.at: row.empty})
    for (tool, name, _, at), counts in hists(
        connection, period, scope, schema.DURATION, _BY, steps=True, only=only
    ).items():
        group = of(tool, name)
        group.durations.add(counts)
        group.durations_at.setdefault(at, Counts()).add(counts)
    return found


def together(groups: Iterable[Group], steps: int) -> Group:
    """Return the sum of groups."""
    total = Group("", steps)
    for group in groups:
        total.add(group)
    return total


def with_before(
    connection: Connection, period: Range, scope: Scope, only: Sequence[ColumnElement[bool]]
) -> tuple[dict[str, Group], dict[str, Group] | None]:
    """Return the groups of a range and of the range before it, None where the store does not reach back so far."""
    earlier = before(connection, period)
    now = grouped(connection, period, scope, *only)
    return now, None if earlier is None else grouped(connection, earlier, scope, *only)


def _add_at(mine: dict[int, int], theirs: dict[int, int]) -> None:
    for at, value in theirs.items():
        mine[at] = mine.get(at, 0) + value
