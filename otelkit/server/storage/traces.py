"""The one derived row per trace: what was asked and answered, by whom, with what, how long, for how much.

A trace arrives in pieces and in any order. Every field is therefore a sum, a set, or the candidate with the lowest key;
the keys are kept in ``merge``, so that the row is the same whatever order the spans came in. Where the time went is
worked out again from all spans of the trace whenever some arrive; beyond :data:`SPLIT_LIMIT` stored spans only the new
ones are looked at, as a trace of their own, which leaves the sum a little high.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from otelkit.model import SpanKind, StatusCode
from otelkit.server.kinds import KIND_BITS
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.facts import Candidate, SpanFact
from otelkit.server.storage.rollups import Rollups
from otelkit.server.storage.spent import Interval, charged_kinds, self_times

_dumps = msgspec.json.Encoder(order="sorted").encode
_loads = msgspec.json.decode

__all__ = ["SPLIT_LIMIT", "TraceState", "Traces", "trace_text"]

SPLIT_LIMIT: Final = 500
_MAX_LABELS: Final = 20
_COLUMNS: Final = tuple(column.name for column in schema.trace.columns)
_JSON: Final = ("models", "tools", "services", "unpriced", "split", "merge")
_TOKENS: Final = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_BY_RANK: Final = itemgetter(0, 1)
_WHO: Final = ("user", "grp", "session", "conversation")


class TraceState:
    """A trace's row while it is being changed; ``values`` has one entry per column."""

    def __init__(self, number: int, trace_id: bytes, values: dict[str, Any] | None = None) -> None:
        self.number = number
        self.stored = values is not None
        self.values = values if values is not None else _empty(number, trace_id)
        self.text_before = trace_text(self.values) if self.stored else None
        self.placed: tuple[int, str, str, dict[str, int]] | None = self._place() if self.stored else None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> TraceState:
        values = dict(row)
        for name in _JSON:
            values[name] = _loads(values[name])
        return cls(values["id"], values["trace_id"], values)

    def row(self) -> tuple[Any, ...]:
        """Return the row as it is stored."""
        values = self.values
        packed = values | {name: _dumps(values[name]).decode() for name in _JSON}
        return tuple([packed[name] for name in _COLUMNS])

    def text_change(self) -> tuple[int, str | None, str] | None:
        """Return what must change in the full-text index, or None."""
        now = trace_text(self.values)
        return None if now == self.text_before else (self.number, self.text_before, now)

    def merge(self, facts: Sequence[SpanFact]) -> None:
        """Take in spans that were not there before."""
        values = self.values
        self._merge_times(facts)
        values["spans"] += len(facts)
        for kind in {fact.key.kind for fact in facts}:
            values["kinds"] |= KIND_BITS[kind]
        for service in {fact.key.service for fact in facts}:
            _add_label(values["services"], service)
        self._merge_root(facts)
        self._merge_who(facts)
        self._offer("input", [fact.input for fact in facts if fact.input is not None])
        self._offer("output", [fact.output for fact in facts if fact.output is not None])
        for fact in facts:
            if fact.error:
                self._merge_error(fact)
            if fact.key.kind == "tool":
                values["tool_calls"] += not fact.duplicate
                _add_label(values["tools"], fact.key.tool or fact.key.name)
            if fact.inference and not fact.duplicate:
                self.add_call(fact)

    def add_call(self, fact: SpanFact, sign: int = 1) -> None:
        """Count a model call's tokens and cost, or take them back."""
        values = self.values
        values["llm_calls"] += sign * fact.llm_call
        values["unreported"] += sign * fact.unreported
        if sign > 0:
            _add_label(values["models"], fact.key.model)
            if fact.unpriced:
                _add_label(values["unpriced"], fact.key.model)
        for name, count in zip(_TOKENS, fact.tokens, strict=True):
            if count is not None:
                values[name] = (values[name] or 0) + sign * count
        if fact.cost is not None:
            values["cost"] = (values["cost"] or 0.0) + sign * fact.cost

    def set_split(self, split: dict[str, int], sums: Rollups) -> None:
        """Store where the time went, and correct the rollup by the difference."""
        self.values["split"] = split
        if self.placed is not None:
            sums.add_kinds(*self.placed, sign=-1)
        sums.add_kinds(*self._place())

    def _place(self) -> tuple[int, str, str, dict[str, int]]:
        values = self.values
        return values["start"], values["service"], values["environment"], dict(values["split"])

    def _merge_times(self, facts: Sequence[SpanFact]) -> None:
        values = self.values
        start = min([fact.start for fact in facts])
        end = max([fact.start + fact.duration for fact in facts])
        if values["spans"]:
            start, end = min(start, values["start"]), max(end, values["start"] + values["duration"])
        values["start"], values["duration"] = start, end - start

    def _merge_root(self, facts: Sequence[SpanFact]) -> None:
        rank, start, _, fact = min([(_root_rank(fact), fact.start, at, fact) for at, fact in enumerate(facts)])
        if self._wins("root", rank, start):
            values = self.values
            values["name"], values["service"] = fact.key.name, fact.key.service
            values["environment"], values["root_status"] = fact.key.environment, fact.status
            values["complete"] = int(rank == 0)

    def _merge_who(self, facts: Sequence[SpanFact]) -> None:
        ordered = sorted([(1 if fact.span.parent_id else 0, fact.start, fact.who) for fact in facts], key=_BY_RANK)
        for at, name in enumerate(_WHO):
            for rank, start, who in ordered:
                if who[at]:
                    if self._wins(name, rank, start):
                        self.values[name] = who[at]
                    break

    def _merge_error(self, fact: SpanFact) -> None:
        self.values["status"] = StatusCode.ERROR
        self.values["errors"] += 1
        if self._wins("error", 0, -fact.start):
            self.values["error"] = fact.error_text or "error"

    def _offer(self, name: str, candidates: list[Candidate]) -> None:
        """Take the best candidate that has a text, unless there was a better one already."""
        for rank, order, value, read in sorted(candidates, key=_BY_RANK):
            if self._beaten(name, rank, order):
                return
            if text := read(value):
                self.values["merge"][name] = [rank, order]
                self.values[name] = text
                return

    def _wins(self, name: str, rank: int, order: int) -> bool:
        if self._beaten(name, rank, order):
            return False
        self.values["merge"][name] = [rank, order]
        return True

    def _beaten(self, name: str, rank: int, order: int) -> bool:
        best = self.values["merge"].get(name)
        return best is not None and (best[0], best[1]) <= (rank, order)


def _root_rank(fact: SpanFact) -> int:
    span = fact.span
    return 0 if not span.parent_id else 1 if span.kind in (SpanKind.SERVER, SpanKind.CONSUMER) else 2


class Traces:
    """Finds and writes trace rows inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection) -> None:
        self._next = (connection.execute(select(func.max(schema.trace.c.id))).scalar() or 0) + 1
        self._upsert = dialect_of(connection).upsert(schema.trace)

    def load(self, connection: Connection, trace_ids: Iterable[bytes]) -> dict[bytes, TraceState]:
        """Return the state of each trace, new ones included; states are in the order of the ids."""
        wanted = list(dict.fromkeys(trace_ids))
        stored: dict[bytes, TraceState] = {}
        for at in range(0, len(wanted), 2000):
            query = select(schema.trace).where(schema.trace.c.trace_id.in_(wanted[at : at + 2000]))
            for row in connection.execute(query).mappings():
                stored[row["trace_id"]] = TraceState.from_row(row)  # type: ignore[arg-type]
        states = {}
        for trace_id in wanted:
            state = stored.get(trace_id)
            if state is None:
                state = TraceState(self._next, trace_id)
                self._next += 1
            states[trace_id] = state
        return states

    def save(self, connection: Connection, states: Sequence[TraceState]) -> None:
        """Write rows and their searchable text."""
        self._upsert(connection, [state.row() for state in states])
        changes = [change for state in states if (change := state.text_change()) is not None]
        dialect_of(connection).set_text(connection, "trace_text", changes)


def split_of(spans: Sequence[Interval]) -> dict[str, int]:
    """Return nanoseconds by kind."""
    split: dict[str, int] = {}
    for kind, spent in zip(charged_kinds(spans), self_times(spans), strict=True):
        if spent:
            split[kind] = split.get(kind, 0) + spent
    return split


def interval_of(fact: SpanFact) -> Interval:
    """Return what :func:`split_of` needs of a span."""
    return Interval(fact.span.span_id, fact.span.parent_id, fact.start, fact.end, fact.key.kind)


def _empty(number: int, trace_id: bytes) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(_COLUMNS)
    values.update(
        dict.fromkeys(
            ("start", "duration", "status", "errors", "spans", "complete", "kinds", "root_status"),
            0,
        )
    )
    values.update(id=number, trace_id=trace_id, llm_calls=0, tool_calls=0, unreported=0)
    values.update(
        service="", environment="", name="", models=[], tools=[], services=[], unpriced=[], split={}, merge={}
    )
    return values


def _add_label(labels: list[str], label: str) -> None:
    if label and label not in labels and len(labels) < _MAX_LABELS:
        labels.append(label)
        labels.sort()


def trace_text(values: Mapping[str, Any]) -> str:
    """Return what of a trace's row can be searched for."""
    return " ".join(filter(None, (values["name"], values["input"], values["output"], values["error"])))
