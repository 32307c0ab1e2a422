"""Reading the rollups: sums, tokens and percentiles by whatever columns of the series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select

from otelkit.server.insights.ranges import Range
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import Counts

__all__ = [
    "Scope",
    "hists",
    "holds_any",
    "milliseconds",
    "rolls",
    "together",
    "tokens",
    "total_tokens",
    "unpriced_models",
]

_COARSER: Final = {schema.FINE: schema.MINUTE, schema.MINUTE: schema.HOUR}
_series: Final = schema.series.c


@dataclass(frozen=True, slots=True)
class Scope:
    """Which services a question is about; None means all."""

    service: str | None = None
    environment: str | None = None

    def conditions(self, table: Any = _series) -> list[ColumnElement[bool]]:
        """Return the conditions on a table with these two columns."""
        wanted = (("service", self.service), ("environment", self.environment))
        return [table[name] == value for name, value in wanted if value is not None]


def rolls(
    connection: Connection,
    period: Range,
    scope: Scope,
    by: Sequence[str] = (),
    *,
    steps: bool = False,
    only: Iterable[ColumnElement[bool]] = (),
) -> Sequence[Row[Any]]:
    """Return one row per combination of the columns ``by`` (and ``at``, the step, if ``steps``).

    Each has ``calls``, ``errors`` and every sum of the rollups; spans that another one counts are left out.
    """
    table = schema.ROLL[period.unit].c
    columns: list[Any] = [_series[name] for name in by]
    if steps:
        columns.append(((table.time - period.start) // period.step).label("at"))
    sums = [func.sum(table[name]).label(name) for name in (*schema.ROLL_SUMS[1:], *schema.ROLL_KNOWN)]
    query = (
        select(
            *columns,
            func.sum(table["count"]).label("calls"),
            func.coalesce(func.sum(table["count"]).filter(table.status == 2), 0).label("errors"),
            func.max(table.time).label("last"),
            *sums,
        )
        .join(schema.series, _series.id == table.series)
        .where(table.time >= period.start, table.time < period.end, table.status < schema.ROLL_DUPLICATE)
        .where(*scope.conditions(), *only)
        .group_by(*columns)
        .having(func.sum(table["count"]) > 0)
    )
    rows: Sequence[Any] = connection.execute(query).all()  # at once: row by row takes twice as long
    return rows


def holds_any(connection: Connection, period: Range, scope: Scope) -> bool:
    """Say whether there is any span in the range."""
    table = schema.ROLL[period.unit].c
    query = select(table.time).where(table.time >= period.start, table.time < period.end, table["count"] > 0)
    conditions = scope.conditions()
    if conditions:
        query = query.where(table.series.in_(select(_series.id).where(*conditions)))
    return connection.execute(query.limit(1)).first() is not None


def hists(
    connection: Connection,
    period: Range,
    scope: Scope,
    what: int,
    by: Sequence[str] = (),
    *,
    steps: bool = False,
    only: Iterable[ColumnElement[bool]] = (),
) -> dict[tuple[Any, ...], Counts]:
    """Return calls by duration, by the columns ``by`` (and the step, last); for :func:`milliseconds`."""
    conditions = [*scope.conditions(), *only]
    # Named by the series' number here: joining the texts takes ten times as long.
    named = select(_series.id, *(_series[name] for name in by)).where(*conditions)
    keys: dict[int, tuple[Any, ...]] = {row[0]: tuple(row[1:]) for row in connection.execute(named)} if by else {}
    found: defaultdict[tuple[Any, ...], Counts] = defaultdict(Counts)
    for unit, start, end in [(period.unit, period.start, period.end)] if steps else _pieces(period):
        table = schema.HIST[unit].c
        query = select(table.series, (table.time - period.start) // period.step, table.counts).where(
            table.time >= start, table.time < end, table.what == what
        )
        if conditions:
            query = query.where(table.series.in_(select(_series.id).where(*conditions)))
        for series, at, counts in connection.execute(query).all():
            key = keys[series] if by else ()
            found[(*key, at) if steps else key].add_packed(counts)
    return dict(found)


def _pieces(period: Range) -> list[tuple[int, int, int]]:
    """Return (unit, start, end) that make up the range: in its middle the next coarser sums say the same in less."""
    coarser = _COARSER.get(period.unit)
    if coarser is None:
        return [(period.unit, period.start, period.end)]
    low, high = -(-period.start // coarser) * coarser, period.end // coarser * coarser
    if high <= low:
        return [(period.unit, period.start, period.end)]
    pieces = [(period.unit, period.start, low), (coarser, low, high), (period.unit, high, period.end)]
    return [piece for piece in pieces if piece[1] < piece[2]]


def milliseconds(counts: Counts | None, share: float) -> float | None:
    """Return a percentile in milliseconds, None for no calls."""
    value = None if counts is None else counts.percentile(share)
    return None if value is None else round(value / 1e6, 4)


def together(several: Iterable[Counts]) -> Counts:
    """Return all of them added up."""
    total = Counts()
    for counts in several:
        total.add(counts)
    return total


def tokens(row: Any) -> dict[str, int | None]:
    """Return token counts by type, from a row that has the ``*_tokens`` columns."""
    counts = {
        name: getattr(row, f"{name}_tokens") for name in ("input", "output", "cached", "cache_write", "reasoning")
    }
    return {**counts, "total": total_tokens(row)}


def total_tokens(row: Any) -> int | None:
    """Return input and output tokens together, None where neither was reported."""
    known = [count for count in (row.input_tokens, row.output_tokens) if count is not None]
    return sum(known) if known else None


def unpriced_models(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the models of rows by (provider, model) that had tokens and no price, most calls first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row.unpriced:
            entry = found.setdefault(
                (row.provider, row.model), {"provider": row.provider, "model": row.model, "calls": 0, "tokens": 0}
            )
            entry["calls"] += row.unpriced
            entry["tokens"] += total_tokens(row) or 0
    return sorted(found.values(), key=lambda entry: -entry["calls"])
