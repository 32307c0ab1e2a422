"""Stores spans: new ones only, each counted once, with the rows of their traces brought up to date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, update

from otelkit.mapping.counting import CallLedger
from otelkit.model import Attributes, Scope, Span, SpanEvent, SpanLink
from otelkit.semconv.attributes import GenAI, Otelkit
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.facts import SeriesKey, SpanFact, Tokens
from otelkit.server.storage.interning import Interned
from otelkit.server.storage.payloads import BLOCK, PayloadReader, PayloadWriter
from otelkit.server.storage.rollups import Rollups
from otelkit.server.storage.traces import SPLIT_LIMIT, Traces, TraceState, interval_of, split_of
from otelkit.server.text import OTHER, Who, who

__all__ = ["SpanWriter"]

_DEEPEST: Final = 64
_LINKS: Final = 128  # of one span, that can be followed backwards; as many as SDKs record
_ANY_SCOPE: Final = Scope()
_NOBODY: Final = Who(None, None, None, None)


class SpanWriter:
    """Stores spans inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection, payloads: PayloadWriter, *, max_series: int) -> None:
        self._payloads = payloads
        self._reader = PayloadReader()
        self._max_series = max_series
        self._series: Interned[SeriesKey] = Interned(connection, schema.series)
        self._traces = Traces(connection)
        self._insert = dialect_of(connection).insert(schema.span)
        self._insert_links = dialect_of(connection).insert(schema.link, ignore=True)

    def write(self, connection: Connection, facts: Sequence[SpanFact], sums: Rollups) -> tuple[int, int]:
        """Store the spans that are not stored yet; return how many spans and how many traces were new."""
        if not facts:
            return 0, 0
        states = self._traces.load(connection, (fact.span.trace_id for fact in facts))
        before = _Stored(connection, [state for state in states.values() if state.stored])
        groups = _new_by_trace(connection, facts, states, before)
        new = [fact for group in groups.values() for fact in group]
        self._number_series(connection, new)
        for trace_id, group in groups.items():
            state = states[trace_id]
            self._take_in(connection, state, group, before, sums)
            for fact in group:
                sums.add_span(fact)
                if fact.failures:
                    sums.add_errors(fact)
        rows = list(self._rows(new))
        self._insert(connection, rows)
        self._insert_links(connection, [row for fact in new if fact.span.links for row in _links_of(fact)])
        changed = [states[trace_id] for trace_id in groups]
        self._traces.save(connection, changed)
        return len(rows), sum(not state.stored for state in changed)

    def _number_series(self, connection: Connection, facts: Iterable[SpanFact]) -> None:
        admitted = self._series.admitted(connection, [fact.key for fact in facts], self._max_series, _other)
        ids = self._series.ids(connection, admitted.values())
        for fact in facts:
            fact.key = admitted[fact.key]
            fact.series = ids[fact.key]

    def _take_in(
        self, connection: Connection, state: TraceState, group: list[SpanFact], before: _Stored, sums: Rollups
    ) -> None:
        known = before.of(state.number)
        if any(fact.inference for fact in group):
            self._mark_duplicates(connection, state, group, known, sums)
        for fact in group:
            fact.trace = state.number
        state.merge(group)
        intervals = [interval_of(fact) for fact in group]
        if state.values["spans"] <= SPLIT_LIMIT:
            intervals = [interval_of(fact) for fact in known] + intervals
            state.set_split(split_of(intervals), sums)
        else:
            split = dict(state.values["split"])
            for kind, spent in split_of(intervals).items():
                split[kind] = split.get(kind, 0) + spent
            state.set_split(split, sums)

    def _mark_duplicates(
        self, connection: Connection, state: TraceState, group: list[SpanFact], known: list[SpanFact], sums: Rollups
    ) -> None:
        everyone = [*known, *group]
        marked = _restating(everyone)
        for fact in group:
            fact.duplicate = fact.duplicate or fact.span.span_id in marked
        for fact in known:
            if fact.span.span_id in marked and not fact.duplicate:
                # What was counted for its user is in the details alone.
                block = self._reader.read(connection, {fact.payload})[fact.payload]
                fact.who = who(block[1 + fact.place]["a"])
                sums.add_span(fact, sign=-1)
                state.add_call(fact, sign=-1)
                fact.duplicate = True
                sums.add_span(fact)
                table = schema.span
                connection.execute(
                    update(table)
                    .where(table.c.trace == state.number, table.c.span_id == fact.span.span_id)
                    .values(flags=table.c.flags.bitwise_or(schema.DUPLICATE))
                )

    def _rows(self, facts: Sequence[SpanFact]) -> Iterable[tuple[Any, ...]]:
        for at in range(0, len(facts), BLOCK):
            some = facts[at : at + BLOCK]
            block = self._payloads.add(_block(some))
            for place, fact in enumerate(some):
                yield (
                    fact.trace,
                    fact.span.span_id,
                    fact.span.parent_id or None,
                    fact.series,
                    fact.start,
                    fact.duration,
                    fact.status,
                    _flags(fact),
                    fact.first_token,
                    *fact.tokens,
                    fact.cost,
                    block,
                    place,
                )


def _other(key: SeriesKey) -> SeriesKey:
    """Return what is counted together where too many steps are told apart: no part of it is the sender's."""
    model, provider = key.model and OTHER, key.provider and OTHER
    return SeriesKey(OTHER, "", OTHER, key.kind, key.step, key.operation, provider, model, "", "", key.entry)


class _Stored:
    """The spans already stored of the traces at hand, loaded at once; long traces are asked span by span."""

    def __init__(self, connection: Connection, states: Sequence[TraceState]) -> None:
        self._facts: defaultdict[int, list[SpanFact]] = defaultdict(list)
        by_number = {state.number: state for state in states if state.values["spans"] <= SPLIT_LIMIT}
        numbers = list(by_number)
        for at in range(0, len(numbers), 2000):
            query = (
                select(schema.span, *(schema.series.c[name] for name in schema.SERIES_KEY))
                .join(schema.series, schema.series.c.id == schema.span.c.series)
                .where(schema.span.c.trace.in_(numbers[at : at + 2000]))
            )
            for row in connection.execute(query):
                self._facts[row.trace].append(_fact_of(row, by_number[row.trace]))

    def of(self, number: int) -> list[SpanFact]:
        """Return the stored spans of a trace; none for a long one."""
        return self._facts.get(number, [])


def _new_by_trace(
    connection: Connection, facts: Sequence[SpanFact], states: dict[bytes, TraceState], before: _Stored
) -> dict[bytes, list[SpanFact]]:
    seen = {(state.number, fact.span.span_id) for state in states.values() for fact in before.of(state.number)}
    unsure = [
        (state.number, fact.span.span_id)
        for fact in facts
        if (state := states[fact.span.trace_id]).stored and not before.of(state.number)
    ]
    seen |= dialect_of(connection).existing_spans(connection, unsure)
    groups: dict[bytes, list[SpanFact]] = {}
    for fact in facts:
        key = (states[fact.span.trace_id].number, fact.span.span_id)
        if key not in seen:
            seen.add(key)
            groups.setdefault(fact.span.trace_id, []).append(fact)
    return groups


def _restating(facts: Sequence[SpanFact]) -> set[bytes]:
    """Return the spans whose call another one counts, the whole trace seen in the order in which its spans ended.

    A ledger of its own for each look, so that neither the order of arrival nor a repeated batch makes a difference.
    What the ledger can only tell by scope is left to the sender's own marks: stored rows do not know their scope.
    """
    if not _nested(facts):
        return set()
    ledger = CallLedger(traces=1, spans=len(facts))
    return {
        fact.span.span_id
        for fact in sorted(facts, key=lambda fact: (fact.end, -fact.start))
        if ledger.observe(fact.span._replace(scope=_ANY_SCOPE))
    }


def _nested(facts: Sequence[SpanFact]) -> bool:
    """Say whether any model call lies below another one: only then can one restate the other."""
    calls = {fact.span.span_id for fact in facts if fact.inference}
    if len(calls) < 2:
        return False
    parents = {fact.span.span_id: fact.span.parent_id for fact in facts}
    for call in calls:
        above = parents.get(call)
        for _ in range(_DEEPEST):
            if not above:
                break
            if above in calls:
                return True
            above = parents.get(above)
    return False


def _flags(fact: SpanFact) -> int:
    return (
        (schema.ENTRY if fact.key.entry else 0)
        | (schema.DUPLICATE if fact.duplicate else 0)
        | (schema.UNPRICED if fact.unpriced else 0)
        | (schema.UNREPORTED if fact.unreported else 0)
        | (schema.INFERENCE if fact.inference else 0)
    )


def _fact_of(row: Any, state: TraceState) -> SpanFact:
    """Rebuild what is needed to count a stored span again: its numbers, not its content."""
    return SpanFact(
        span=_span_of(row, state),
        key=SeriesKey(*(getattr(row, name) for name in schema.SERIES_KEY)),
        start=row.start,
        duration=row.duration,
        error=row.status == 2,
        error_text=None,
        inference=bool(row.flags & schema.INFERENCE),
        tokens=Tokens(*row[9:14]),
        cost=row.cost,
        first_token=row.first_token,
        found=None,
        who=_NOBODY,
        input=None,
        output=None,
        duplicate=bool(row.flags & schema.DUPLICATE),
        trace=row.trace,
        series=row.series,
        payload=row.payload,
        place=row.place,
    )


def _span_of(row: Any, state: TraceState) -> Span:
    """Rebuild a stored span as far as the ledger compares it."""
    known = (
        (GenAI.OPERATION, row.operation or None),
        (GenAI.RESPONSE_MODEL, row.model or None),
        (GenAI.INPUT_TOKENS, row.input_tokens),
        (GenAI.OUTPUT_TOKENS, row.output_tokens),
        (Otelkit.DUPLICATE, True if row.flags & schema.DUPLICATE else None),
    )
    attributes: Attributes = {name: value for name, value in known if value is not None}
    return Span(
        *(state.values["trace_id"], row.span_id, row.parent_id or b"", row.name, 0),
        *(row.start, row.start + row.duration, row.status, "", attributes),
    )


def _links_of(fact: SpanFact) -> Iterable[tuple[bytes, int, bytes, bytes]]:
    """Return what leads from the traces that a span links to back to it."""
    span = fact.span
    for link in span.links[:_LINKS]:
        if link.trace_id and link.trace_id != span.trace_id:
            yield link.trace_id, fact.trace, span.span_id, link.span_id


def _block(facts: Sequence[SpanFact]) -> list[Any]:
    """Return what is only read when the trace is opened: the resources, then one list of details a span."""
    resources: dict[int, int] = {}
    shared: list[Attributes] = []
    details = []
    for fact in facts:
        resource = fact.span.resource
        place = resources.get(id(resource))
        if place is None:
            place = resources[id(resource)] = len(shared)
            shared.append(resource.attributes)
        details.append(_details(fact, place))
    return [shared, *details]


def _details(fact: SpanFact, resource: int) -> dict[str, Any]:
    """Return the details of one span; empty parts are left out."""
    span = fact.span
    details: dict[str, Any] = {"k": int(span.kind), "a": span.attributes, "r": resource}
    if span.name != fact.key.name:
        details["n"] = span.name
    if span.scope.name:
        details["s"] = [span.scope.name, span.scope.version]
    if span.status_message:
        details["m"] = span.status_message
    if span.events:
        details["e"] = [_event(event) for event in span.events]
    if span.links:
        details["l"] = [_link(link) for link in span.links]
    if span.trace_state:
        details["t"] = span.trace_state
    if span.dropped_attributes:
        details["d"] = span.dropped_attributes
    return details


def _event(event: SpanEvent) -> list[Any]:
    return [event.name, event.time, event.attributes]


def _link(link: SpanLink) -> list[Any]:
    return [link.trace_id.hex(), link.span_id.hex(), link.attributes]
