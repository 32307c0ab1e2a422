"""The figures that pages ask for, summed while records are stored.

Every sum is kept by hour for ever, by minute for the newest six hours, and by two seconds for the newest fifteen
minutes, because a first look is often at a quarter of a minute of traffic. One :class:`Rollups` gathers one
transaction; only rows that were really inserted may be added, and what turns out wrong later is taken back with
``sign=-1``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, func, select

from otelkit.server.storage import schema
from otelkit.server.storage.buckets import bucket_of, pack_counts
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.errors import Occurrence
from otelkit.server.storage.facts import SpanFact
from otelkit.server.storage.found import Found, results_bucket, score_bucket
from otelkit.server.text import version_of

__all__ = ["KEPT", "STEP_NS", "Rollups", "Tiers", "newest_step"]

# Seconds for which a unit is kept, counted back from the newest record; hours stay.
KEPT: Final = {schema.FINE: 16 * 60, schema.MINUTE: 6 * 3600}
STEP_NS: Final = schema.FINE * 1_000_000_000
_AHEAD: Final = 60  # how far a sender's clock may be fast
_TABLES: Final = (schema.ROLL, schema.HIST, schema.KIND, schema.LOGS)
_SUMS: Final = len(schema.ROLL_SUMS)
_KNOWN: Final = len(schema.ROLL_KNOWN)
V = TypeVar("V")


class Rollups:
    """Sums of one transaction, by the finest step; :class:`Tiers` puts them together."""

    def __init__(self) -> None:
        self.spans: dict[tuple[int, int, int], list[Any]] = {}
        self.hist: defaultdict[tuple[int, int, int], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.kinds: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
        self.logs: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self.actors: dict[tuple[int, str, str, str], list[Any]] = {}
        self.errors: list[Occurrence] = []

    def add_span(self, fact: SpanFact, sign: int = 1) -> None:
        """Count one span; a duplicate counts as such, without tokens, cost or percentiles."""
        time = fact.start // STEP_NS * schema.FINE
        key = (time, fact.series, fact.status + (schema.ROLL_DUPLICATE if fact.duplicate else 0))
        sums = self.spans.get(key)
        if sums is None:
            sums = self.spans[key] = [0] * _SUMS + [None] * _KNOWN
        sums[0] += sign
        sums[1] += sign * fact.duration
        found = fact.found
        if found is not None and found.results == 0:
            sums[7] += sign
        if not fact.duplicate:
            self._add_percentiles(fact, time, sign)
            if found is not None:
                self._add_found(fact.series, found, time, sign)
            if fact.inference:
                _add_call(sums, fact, sign)
        who = fact.who
        if who.user or who.conversation or who.group:
            self._add_actor(fact, time - time % schema.HOUR, sign)

    def add_errors(self, fact: SpanFact) -> None:
        """Note the exceptions of one span."""
        service, environment, version = fact.key.service, fact.key.environment, version_of(fact.span.resource)
        for failure in fact.failures:
            self.errors.append(
                Occurrence(
                    *(service, environment, version, failure, fact.span.trace_id, True, fact.span.span_id),
                    *(failure.time or fact.end, fact.who.user),
                )
            )

    def add_kinds(self, start: int, service: str, environment: str, split: Mapping[str, int], sign: int = 1) -> None:
        """Count where a trace's time went, in the step in which it started."""
        time = start // STEP_NS * schema.FINE
        for kind, spent in split.items():
            self.kinds[time, service, environment, kind] += sign * spent

    def _add_percentiles(self, fact: SpanFact, time: int, sign: int) -> None:
        self.hist[time, fact.series, schema.DURATION][bucket_of(fact.duration)] += sign
        if fact.first_token is not None:
            self.hist[time, fact.series, schema.FIRST_TOKEN][bucket_of(fact.first_token)] += sign

    def _add_found(self, series: int, found: Found, time: int, sign: int) -> None:
        if found.results is not None:
            self.hist[time, series, schema.RESULTS][results_bucket(found.results)] += sign
        if found.score is not None:
            self.hist[time, series, schema.SCORE][score_bucket(found.score)] += sign

    def _add_actor(self, fact: SpanFact, hour: int, sign: int) -> None:
        who = fact.who
        key = (hour, who.user or "", who.group or "", who.conversation or "")
        sums = self.actors.get(key)
        if sums is None:
            sums = self.actors[key] = [0, 0, 0, 0, 0, None]
        sums[0] += sign
        sums[1] += sign * fact.key.entry
        sums[2] += sign * fact.error
        if fact.inference and not fact.duplicate:
            sums[3] += sign * fact.llm_call
            sums[4] += sign * ((fact.tokens.input or 0) + (fact.tokens.output or 0))
            if fact.cost is not None:
                sums[5] = (sums[5] or 0.0) + sign * fact.cost


def _add_call(sums: list[Any], fact: SpanFact, sign: int) -> None:
    tokens = fact.tokens
    sums[2] += sign * fact.reported
    sums[3] += sign * fact.unreported
    if fact.unpriced:
        sums[4] += sign
    if tokens.output and fact.first_token is not None and fact.duration > fact.first_token:
        sums[5] += sign * tokens.output
        sums[6] += sign * (fact.duration - fact.first_token)
    for place, value in enumerate((*tokens, fact.cost), _SUMS):
        if value is not None:
            sums[place] = (sums[place] or 0) + sign * value


class Tiers:
    """Writes gathered sums into the tables of each unit, and forgets old fine steps; for the one writer thread."""

    def __init__(self, connection: Connection) -> None:
        dialect = dialect_of(connection)
        self._actors = dialect.add(schema.actor_hour)
        self._add = {table: dialect.add(table) for tables in _TABLES for table in tables.values()}
        self._newest = max(
            newest_step(connection, schema.ROLL[schema.FINE]) or 0,
            newest_step(connection, schema.LOGS[schema.FINE]) or 0,
        )

    def write(self, connection: Connection, sums: Rollups, actors: Mapping[tuple[str, str, str], int]) -> None:
        """Add everything in ``sums``; ``actors`` are the row ids of its actors."""
        self._advance(connection, sums)
        spans: dict[Any, tuple[Any, ...]] = {key: tuple(values) for key, values in sums.spans.items() if any(values)}
        kinds, logs = ({key: (count,) for key, count in some.items() if count} for some in (sums.kinds, sums.logs))
        for tables, gathered in ((schema.ROLL, spans), (schema.KIND, kinds), (schema.LOGS, logs)):
            self._add_all(connection, tables, gathered, _added, tuple)
        self._add_all(connection, schema.HIST, sums.hist, _merged, lambda counts: (pack_counts(counts),))
        rows = [(key[0], actors[key[1:]], *values) for key, values in sums.actors.items()]
        self._actors(connection, rows)

    def _add_all(
        self,
        connection: Connection,
        tables: Mapping[int, Table],
        sums: Mapping[Any, V],
        add: Callable[[V, V], V],
        row: Callable[[V], Iterable[Any]],
    ) -> None:
        for unit, table in tables.items():
            sums = sums if unit == schema.FINE else _put_together(sums, unit, add)
            floor = self._newest - KEPT[unit] if unit in KEPT else 0
            rows = [(*key, *row(values)) for key, values in sums.items() if key[0] >= floor]
            self._add[table](connection, rows)

    def _advance(self, connection: Connection, sums: Rollups) -> None:
        """Move on to the newest step, and delete what is now too old to be kept so finely."""
        # A sender's clock in the far future must not push everybody else's steps out.
        latest = time.time() + _AHEAD
        newest = max((key[0] for keys in (sums.spans, sums.logs) for key in keys if key[0] <= latest), default=0)
        if newest > self._newest:
            self._newest = newest
            for tables in _TABLES:
                for unit, kept in KEPT.items():
                    connection.execute(tables[unit].delete().where(tables[unit].c.time < newest - kept))


def newest_step(connection: Connection, table: Table) -> int | None:
    """Return the newest step of a rollup, as far as clocks can be believed."""
    query = select(func.max(table.c.time)).where(table.c.time <= time.time() + _AHEAD)
    return connection.execute(query).scalar()


def _put_together(sums: Mapping[Any, V], unit: int, add: Callable[[V, V], V]) -> dict[Any, V]:
    found: dict[Any, V] = {}
    for key, values in sums.items():
        at = (key[0] - key[0] % unit, *key[1:])
        before = found.get(at)
        found[at] = values if before is None else add(before, values)
    return found


def _added(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_plus, left, right))


def _merged(left: defaultdict[int, int], right: Mapping[int, int]) -> defaultdict[int, int]:
    for bucket, count in right.items():  # into the one whose finer step has been written by now
        left[bucket] += count
    return left


def _plus(left: Any, right: Any) -> Any:
    if left is None:
        return right
    return left if right is None else left + right
