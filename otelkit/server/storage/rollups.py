"""The figures that pages ask for, summed while records are stored.

Every sum is kept by hour for ever and by minute for the newest six hours. One :class:`Rollups` gathers one transaction;
only rows that were really inserted may be added, and what turns out wrong later is taken back with ``sign=-1``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.server.storage import schema, sqlite
from otelkit.server.storage.buckets import bucket_of
from otelkit.server.storage.facts import SpanFact

__all__ = ["MINUTES_KEPT", "Rollups", "Tiers"]

MINUTES_KEPT: Final = 360
_MINUTE_NS: Final = 60_000_000_000
_SUMS: Final = len(schema.ROLL_SUMS)
_KNOWN: Final = len(schema.ROLL_KNOWN)


class Rollups:
    """Sums of one transaction, by minute."""

    def __init__(self) -> None:
        self.spans: dict[tuple[int, int, int], list[Any]] = {}
        self.hist: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        self.kinds: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
        self.logs: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self.actors: dict[tuple[int, str, str, str], list[Any]] = {}

    def add_span(self, fact: SpanFact, sign: int = 1) -> None:
        """Count one span; a duplicate counts as such, without tokens, cost or percentiles."""
        minute = fact.start // _MINUTE_NS * 60
        key = (minute, fact.series, fact.status + (schema.ROLL_DUPLICATE if fact.duplicate else 0))
        sums = self.spans.get(key)
        if sums is None:
            sums = self.spans[key] = [0] * _SUMS + [None] * _KNOWN
        sums[0] += sign
        sums[1] += sign * fact.duration
        if fact.empty:
            sums[7] += sign
        if not fact.duplicate:
            self._add_percentiles(fact, minute, sign)
            if fact.inference:
                _add_call(sums, fact, sign)
        who = fact.who
        if who.user or who.conversation or who.group:
            self._add_actor(fact, minute - minute % 3600, sign)

    def add_kinds(self, start: int, service: str, environment: str, split: Mapping[str, int], sign: int = 1) -> None:
        """Count where a trace's time went, in the minute in which it started."""
        minute = start // _MINUTE_NS * 60
        for kind, spent in split.items():
            self.kinds[minute, service, environment, kind] += sign * spent

    def _add_percentiles(self, fact: SpanFact, minute: int, sign: int) -> None:
        self.hist[minute, fact.series, schema.DURATION, bucket_of(fact.duration)] += sign
        if fact.first_token is not None:
            self.hist[minute, fact.series, schema.FIRST_TOKEN, bucket_of(fact.first_token)] += sign

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
    sums[2 if fact.reported else 3] += sign
    if fact.unpriced:
        sums[4] += sign
    if tokens.output and fact.first_token is not None and fact.duration > fact.first_token:
        sums[5] += sign * tokens.output
        sums[6] += sign * (fact.duration - fact.first_token)
    for place, value in enumerate((*tokens, fact.cost), _SUMS):
        if value is not None:
            sums[place] = (sums[place] or 0) + sign * value


class Tiers:
    """Writes gathered sums into the minute and hour tables, and forgets old minutes; for the one writer thread."""

    def __init__(self, connection: Connection) -> None:
        self._add = {
            table: sqlite.add_sql(table)
            for table in (
                schema.roll_minute,
                schema.roll_hour,
                schema.hist_minute,
                schema.hist_hour,
                schema.kind_minute,
                schema.kind_hour,
                schema.log_minute,
                schema.log_hour,
                schema.actor_hour,
            )
        }
        newest = [
            connection.execute(select(func.max(table.c.time))).scalar() or 0
            for table in (schema.roll_minute, schema.log_minute)
        ]
        self._newest = max(newest)

    def write(self, connection: Connection, sums: Rollups, actors: Mapping[tuple[str, str, str], int]) -> None:
        """Add everything in ``sums``; ``actors`` are the row ids of its actors."""
        floor = self._advance(connection, sums)
        spans = {key: tuple(values) for key, values in sums.spans.items() if any(values)}
        self._both(connection, schema.roll_minute, schema.roll_hour, spans, floor)
        for minute, hour, counts in (
            (schema.hist_minute, schema.hist_hour, sums.hist),
            (schema.kind_minute, schema.kind_hour, sums.kinds),
            (schema.log_minute, schema.log_hour, sums.logs),
        ):
            self._both(connection, minute, hour, {key: (count,) for key, count in counts.items() if count}, floor)
        rows = [(key[0], actors[key[1:]], *values) for key, values in sums.actors.items()]
        sqlite.bulk(connection, self._add[schema.actor_hour], rows)

    def _both(
        self, connection: Connection, minute: Any, hour: Any, sums: dict[Any, tuple[Any, ...]], floor: int
    ) -> None:
        recent = [(*key, *values) for key, values in sums.items() if key[0] >= floor]
        sqlite.bulk(connection, self._add[minute], recent)
        hours: dict[Any, tuple[Any, ...]] = {}
        for key, values in sums.items():
            at = (key[0] - key[0] % 3600, *key[1:])
            before = hours.get(at)
            hours[at] = values if before is None else tuple(map(_plus, before, values))
        sqlite.bulk(connection, self._add[hour], [(*key, *values) for key, values in hours.items()])

    def _advance(self, connection: Connection, sums: Rollups) -> int:
        """Return the oldest minute that is still kept by minute, after deleting what is older."""
        # A sender's clock in the far future must not push everybody else's minutes out.
        now = int(time.time()) // 60 * 60
        newest = max((key[0] for keys in (sums.spans, sums.logs) for key in keys if key[0] <= now + 60), default=0)
        if newest > self._newest:
            self._newest = newest
            for table in (schema.roll_minute, schema.hist_minute, schema.kind_minute, schema.log_minute):
                connection.execute(table.delete().where(table.c.time < newest - MINUTES_KEPT * 60))
        return self._newest - MINUTES_KEPT * 60


def _plus(left: Any, right: Any) -> Any:
    if left is None:
        return right
    return left if right is None else left + right
