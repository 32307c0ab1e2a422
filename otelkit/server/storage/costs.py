"""Corrects what stored calls cost, and every sum that holds them, inside the writer's transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, select, update

from otelkit.model import Span
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.storage.rollups import STEP_NS
from otelkit.server.text import who

__all__ = ["correct_costs"]

_SAME: Final = 1e-15
_NOTHING: Final = 1e-12  # what is left of a sum of dollars after all was taken back
_MOST_LABELS: Final = 20
_span: Final = schema.span.c


class _Change(NamedTuple):
    """A call whose cost is another now."""

    row: Row[Any]
    attributes: dict[str, Any]
    cost: float | None
    unpriced: bool

    @property
    def difference(self) -> float:
        return (self.cost or 0.0) - (self.row.cost or 0.0)

    @property
    def time(self) -> int:
        return int(self.row.start // STEP_NS * schema.FINE)


def correct_costs(
    connection: Connection,
    payloads: PayloadReader,
    cost_of: Callable[[Span], float | None],
    series: Iterable[int],
    first: int,
    last: int,
) -> int:
    """Work out again what the calls of some series cost, in the traces numbered ``first`` to ``last``.

    Returns how many calls cost something else now.
    """
    query = select(schema.span).where(
        _span.trace.between(first, last),
        _span.series.in_(series),
        _span.flags.bitwise_and(schema.INFERENCE) != 0,
    )
    rows = connection.execute(query).all()
    blocks = payloads.read(connection, {row.payload for row in rows})
    changes = list(_changes(rows, blocks, cost_of))
    if not changes:
        return 0
    same_span = (_span.trace == bindparam("of_trace"), _span.span_id == bindparam("of_span"))
    connection.execute(
        update(schema.span).where(*same_span).values(cost=bindparam("new_cost"), flags=bindparam("new_flags")),
        [
            {
                "of_trace": change.row.trace,
                "of_span": change.row.span_id,
                "new_cost": change.cost,
                "new_flags": _flags(change),
            }
            for change in changes
        ],
    )
    counted = [change for change in changes if not change.row.flags & schema.DUPLICATE]
    _correct_rollups(connection, counted)
    _correct_actors(connection, counted)
    _correct_traces(connection, sorted({change.row.trace for change in counted}))
    return len(changes)


def _changes(
    rows: Iterable[Row[Any]], blocks: Mapping[int, list[Any]], cost_of: Callable[[Span], float | None]
) -> Iterable[_Change]:
    for row in rows:
        block = blocks.get(row.payload)
        if block is None:
            continue
        attributes = block[1 + row.place]["a"]
        end = row.start + row.duration
        cost = cost_of(Span(b"", row.span_id, b"", "", 0, row.start, end, row.status, "", attributes))
        if (cost is None) != (row.cost is None) or abs((cost or 0.0) - (row.cost or 0.0)) > _SAME:
            reported = row.input_tokens is not None or row.output_tokens is not None
            yield _Change(row, attributes, cost, reported and cost is None)


def _flags(change: _Change) -> int:
    flags = int(change.row.flags) & ~schema.UNPRICED
    return flags | schema.UNPRICED if change.unpriced else flags


def _correct_rollups(connection: Connection, changes: Sequence[_Change]) -> None:
    for unit, table in schema.ROLL.items():
        sums: defaultdict[tuple[int, int, int], list[float]] = defaultdict(lambda: [0.0, 0])
        gone = set()
        for change in changes:
            key = (change.time - change.time % unit, change.row.series, change.row.status)
            sums[key][0] += change.difference
            sums[key][1] += change.unpriced - bool(change.row.flags & schema.UNPRICED)
            if change.cost is None:
                gone.add(key)
        column = table.c
        same = (column.time == bindparam("at"), column.series == bindparam("of"), column.status == bindparam("ended"))
        connection.execute(
            update(table)
            .where(*same)
            .values(
                cost=func.coalesce(column.cost, 0.0) + bindparam("more"),
                unpriced=column.unpriced + bindparam("without"),
            ),
            [
                {"at": at, "of": of, "ended": ended, "more": more, "without": int(without)}
                for (at, of, ended), (more, without) in sums.items()
            ],
        )
        if gone:
            connection.execute(
                update(table).where(*same, func.abs(column.cost) < _NOTHING).values(cost=None),
                [{"at": at, "of": of, "ended": ended} for at, of, ended in gone],
            )


def _correct_actors(connection: Connection, changes: Sequence[_Change]) -> None:
    sums: defaultdict[tuple[tuple[str, str, str], int], float] = defaultdict(float)
    gone = set()
    for change in changes:
        whom = who(change.attributes)
        if whom.user or whom.group or whom.conversation:
            key = (whom.user or "", whom.group or "", whom.conversation or ""), change.time - change.time % schema.HOUR
            sums[key] += change.difference
            if change.cost is None:
                gone.add(key)
    keys = list({whom for whom, _ in sums})
    numbers = dialect_of(connection).find_ids(connection, schema.actor, ("user", "grp", "conversation"), keys)
    column = schema.actor_hour.c
    same = (column.hour == bindparam("at"), column.actor == bindparam("of"))
    rows = [{"at": hour, "of": numbers[whom], "more": more} for (whom, hour), more in sums.items() if whom in numbers]
    if rows:
        more = func.coalesce(column.cost, 0.0) + bindparam("more")
        connection.execute(update(schema.actor_hour).where(*same).values(cost=more), rows)
    unknown = [{"at": hour, "of": numbers[whom]} for whom, hour in gone if whom in numbers]
    if unknown:
        nothing = func.abs(column.cost) < _NOTHING
        connection.execute(update(schema.actor_hour).where(*same, nothing).values(cost=None), unknown)


def _correct_traces(connection: Connection, traces: Sequence[int]) -> None:
    """Sum up the calls of each trace again."""
    costs: dict[int, float | None] = dict.fromkeys(traces)
    unpriced: defaultdict[int, set[str]] = defaultdict(set)
    counted = _span.flags.bitwise_and(schema.INFERENCE | schema.DUPLICATE) == schema.INFERENCE
    query = (
        select(_span.trace, _span.cost, _span.flags, schema.series.c.model)
        .join(schema.series, schema.series.c.id == _span.series)
        .where(_span.trace.in_(traces), counted)
    )
    for row in connection.execute(query):
        if row.cost is not None:
            costs[row.trace] = (costs[row.trace] or 0.0) + row.cost
        if row.flags & schema.UNPRICED and row.model:
            unpriced[row.trace].add(row.model)
    if traces:
        connection.execute(
            update(schema.trace)
            .where(schema.trace.c.id == bindparam("of"))
            .values(cost=bindparam("new_cost"), unpriced=bindparam("labels")),
            [
                {
                    "of": trace,
                    "new_cost": costs[trace],
                    "labels": json.dumps(sorted(unpriced[trace])[:_MOST_LABELS], separators=(",", ":")),
                }
                for trace in traces
            ],
        )
