"""Conversations: the list, and one of them turn by turn. A turn is a trace that names the conversation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select, tuple_

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.filters import Field, Filter, Language
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.rows import status_name, trace_row
from otelkit.server.insights.sums import Scope, total_tokens
from otelkit.server.insights.trace import details_of
from otelkit.server.insights.traces import trace_conditions, trace_language
from otelkit.server.messages import messages_of
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.text import one_line

__all__ = ["SORTS", "conversation_language", "list_conversations", "one_conversation"]

SORTS: Final = ("newest", "slowest", "dearest", "errors", "longest")
_LABELLED: Final = 2_000  # different sets of models that are looked at
_table: Final = schema.trace.c
_FIGURES: Final[dict[str, ColumnElement[Any]]] = {
    "first": func.min(_table.start),
    "last": func.max(_table.start),
    "ended": func.max(_table.start + _table.duration),
    "turns": func.count(),
    "failed": func.sum(case((_table.status == 2, 1), else_=0)),
    "slowest": func.max(_table.duration),
    "calls": func.sum(_table.llm_calls),
    "unreported": func.sum(_table.unreported),
    "input_tokens": func.sum(_table.input_tokens),
    "output_tokens": func.sum(_table.output_tokens),
    "cost": func.sum(_table.cost),
}
_TOKENS: Final = func.coalesce(
    _FIGURES["input_tokens"] + _FIGURES["output_tokens"], _FIGURES["input_tokens"], _FIGURES["output_tokens"]
)
_KEYS: Final[dict[str, tuple[tuple[str, type], ...]]] = {
    "newest": (("last", int),),
    "slowest": (("slowest", int),),
    "dearest": (("cost", float),),
    "errors": (("failed", int), ("last", int)),
    "longest": (("turns", int), ("last", int)),
}
_OF_ALL: Final = (
    Field("duration", "duration", "its slowest turn", column=_FIGURES["slowest"]),
    Field("cost", "money", "cost in US dollars, all turns", column=_FIGURES["cost"]),
    Field("tokens", "number", "input and output tokens, all turns", column=_TOKENS),
    Field("errors", "number", "turns that failed", column=_FIGURES["failed"]),
    Field("turns", "number", "turns", column=_FIGURES["turns"]),
)


def conversation_language(connection: Connection) -> Language:
    """Return what conversations can be filtered by: what one of their turns was like, and sizes of the whole."""
    sizes = {known.key for known in _OF_ALL} | {"spans", "calls"}
    of_turns = [known for known in trace_language(connection).fields if known.key not in sizes]
    return Language("conversations", (*of_turns, *_OF_ALL))


def list_conversations(
    connection: Connection,
    period: Range,
    scope: Scope,
    wanted: Filter,
    *,
    sort: str = "newest",
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return one page of the conversations that had a turn in the range; their figures are of all their turns.

    Raises ValueError for a cursor that is not one of this list. ``total`` is told with the first page only.
    """
    keys = _KEYS[sort]
    order = [*(_FIGURES[name] for name, _ in keys), _table.conversation]
    query = (
        select(_table.conversation, *(_FIGURES[name].label(name) for name, _ in keys))
        .add_columns(func.count().over().label("total"))
        .where(*_turns(connection, period, scope, wanted))
        .group_by(_table.conversation)
        .having(_FIGURES["last"] >= period.start_ns, _FIGURES["first"] < period.end_ns, *_whole(wanted))
        .order_by(*(key.desc() for key in order))
        .limit(limit + 1)
    )
    if sort == "dearest":
        query = query.having(_FIGURES["cost"].is_not(None))
    if cursor is not None:
        types = (*(kind for _, kind in keys), str)
        query = query.having(tuple_(*order) < tuple_(*decode_cursor(cursor, *types)))
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    total = None if cursor is not None else rows[0].total if rows else 0
    return {
        "range": period.json(),
        "total": total,
        "next_cursor": encode_cursor(*(getattr(last, name) for name, _ in keys), last.conversation) if last else None,
        "conversations": _shown(connection, [row.conversation for row in rows[:limit]]),
    }


def one_conversation(
    connection: Connection, payloads: PayloadReader, name: str, *, limit: int = 100, cursor: str | None = None
) -> dict[str, Any] | None:
    """Return a conversation with its turns in order, or None where no trace names it."""
    whole = _shown(connection, [name])
    if not whole:
        return None
    query = select(schema.trace).where(_table.conversation == name).order_by(_table.start, _table.id).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(_table.start, _table.id) > tuple_(*decode_cursor(cursor, int, int)))
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    full = _full_texts(connection, payloads, rows[:limit])
    return {
        "conversation": whole[0],
        "next_cursor": encode_cursor(last.start, last.id) if last else None,
        "turns": [{**trace_row(row), **full.get(row.id, {})} for row in rows[:limit]],
    }


def _turns(connection: Connection, period: Range, scope: Scope, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions on traces: any of a conversation's turns in the range must match."""
    language = trace_language(connection)
    sizes = {known.key for known in _OF_ALL}
    of_turn = language.read("", [term for term in wanted.terms if term.key not in sizes])
    conditions = [*scope.conditions(_table), *trace_conditions(dialect_of(connection), of_turn)]
    named = _table.conversation.is_not(None)
    if not conditions:
        return [named]
    inside = (_table.start >= period.start_ns, _table.start < period.end_ns)
    matching = select(_table.conversation).where(named, *inside, *conditions)
    return [named, _table.conversation.in_(matching)]


def _whole(wanted: Filter) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on a conversation as a whole."""
    sizes = {known.key for known in _OF_ALL}
    return Language("", _OF_ALL).read("", [term for term in wanted.terms if term.key in sizes]).conditions


def _shown(connection: Connection, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return conversations with all their figures, in the order of the names."""
    figures = select(_table.conversation, *(figure.label(name) for name, figure in _FIGURES.items()))
    query = figures.where(_table.conversation.in_(names)).group_by(_table.conversation)
    rows = {row.conversation: row for row in connection.execute(query)} if names else {}
    ends = _ends(connection, list(rows.values()))
    labels = _labels(connection, names)
    shown = []
    for row in (rows[name] for name in names if name in rows):
        first, last = ends[row.conversation, row.first], ends[row.conversation, row.last]
        models, unpriced = labels[row.conversation]
        shown.append(
            {
                "conversation": row.conversation,
                "user": first.user or last.user,
                "group": first.grp or last.grp,
                "service": first.service,
                "first_question": first.input,
                "last_answer": last.output,
                "name": first.name,
                "status": status_name(2 if row.failed else 0),
                "last_status": status_name(last.status),
                "start": row.first / 1e6,
                "last": row.last / 1e6,
                "length_ms": (row.ended - row.first) / 1e6,
                "slowest_ms": row.slowest / 1e6,
                "turns": row.turns,
                "failed_turns": int(row.failed),
                "llm_calls": int(row.calls),
                "tokens": {
                    "input": _whole_number(row.input_tokens),
                    "output": _whole_number(row.output_tokens),
                    "total": _whole_number(total_tokens(row)),
                },
                "unreported_calls": int(row.unreported),
                "cost_usd": row.cost,
                "models": models,
                "unpriced": unpriced,
            }
        )
    return shown


def _whole_number(value: Any) -> int | None:
    return None if value is None else int(value)  # sums are decimals in PostgreSQL


def _ends(connection: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[str, int], Row[Any]]:
    """Return the first and the last turn of each conversation, by its name and their start."""
    names = ("conversation", "start", "status", "user", "grp", "service", "name", "input", "output")
    query = select(*(_table[name] for name in names)).where(
        _table.conversation.in_([row.conversation for row in rows]),
        # Some of other conversations' ends may be among them; asking for the pairs would read the whole table.
        _table.start.in_({start for row in rows for start in (row.first, row.last)}),
    )
    return {(row.conversation, row.start): row for row in connection.execute(query)}


def _labels(connection: Connection, names: Sequence[str]) -> defaultdict[str, tuple[list[str], list[str]]]:
    """Return the models of each conversation, and those without a price."""
    query = (
        select(_table.conversation, _table.models, _table.unpriced)
        .where(_table.conversation.in_(names))
        .distinct()
        .limit(_LABELLED)
    )
    found: defaultdict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for row in connection.execute(query):
        for labels, packed in zip(found[row.conversation], (row.models, row.unpriced), strict=True):
            labels.extend(label for label in json.loads(packed) if label not in labels)
    for both in found.values():
        for labels in both:
            labels.sort()
    return found


def _full_texts(
    connection: Connection, payloads: PayloadReader, turns: Iterable[Row[Any]]
) -> dict[int, dict[str, str]]:
    """Return question and answer in full where the trace's row holds only their beginning."""
    cut: dict[int, Row[Any]] = {row.id: row for row in turns if _is_cut(row.input) or _is_cut(row.output)}
    span = schema.span.c
    query: Select[Any] = select(span.trace, span.payload, span.place).where(span.trace.in_(cut))
    query = query.where(span.flags.bitwise_and(schema.INFERENCE) != 0)
    spans: Sequence[Row[Any]] = connection.execute(query).all() if cut else []
    blocks = payloads.read(connection, {row.payload for row in spans})
    found: dict[int, dict[str, str]] = {}
    for row in spans:
        details = details_of(blocks, row)
        given, returned = messages_of(details["a"]) if details is not None else (None, None)
        for name, messages in (("input", given), ("output", returned)):
            shortened = getattr(cut[row.trace], name)
            for message in messages or ():
                if _is_cut(shortened) and one_line(message["text"] or "", len(shortened)) == shortened:
                    found.setdefault(row.trace, {})[name] = message["text"]
    return found


def _is_cut(text: str | None) -> bool:
    return text is not None and text.endswith("…")
