"""A trace as a conversation reads: who said what in what order, what each turn took and cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row

from otelkit.server.insights.rows import status_name
from otelkit.server.insights.trace import call_of, details_of, number_of, spans_of
from otelkit.server.messages import Message, messages_of
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["transcript"]

_MOST: Final = 500
_STEPS: Final = frozenset({"llm", "tool", "retrieval", "agent"})
_ROLES: Final[Mapping[str, str]] = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool"}


def transcript(connection: Connection, payloads: PayloadReader, trace_id: bytes) -> dict[str, Any] | None:
    """Return the turns of a trace in the order in which they began, or None where there is no such trace.

    Every call of a chat repeats all that was said before; here each message stands once, where it came up first.
    """
    number = number_of(connection, trace_id)
    if number is None:
        return None
    stored = spans_of(connection, number)
    origin = min((span.start for span in stored), default=0)
    spoken = [span for span in stored if span.step in _STEPS and not span.flags & schema.DUPLICATE]
    shown = spoken[:_MOST]
    blocks = payloads.read(connection, {span.payload for span in shown})
    seen: Counter[str] = Counter()
    turns = [_turn(span, details_of(blocks, span) or {}, origin, seen) for span in shown]
    return {"turns": turns, "total": len(spoken), "captured": any(turn["messages"] for turn in turns)}


def _turn(span: Row[Any], details: Mapping[str, Any], origin: int, seen: Counter[str]) -> dict[str, Any]:
    given, returned = messages_of(details.get("a", {}))
    return {
        "span_id": span.span_id.hex(),
        "name": details.get("n") or span.name,
        "kind": span.kind,
        "step": span.step,
        "model": span.model or None,
        "tool": span.tool or None,
        "offset_ms": round((span.start - origin) / 1e6, 3),
        "duration_ms": span.duration / 1e6,
        "status": status_name(span.status),
        "status_message": details.get("m") or None,
        **call_of(span),
        "messages": _said(span.step, given or (), returned or (), seen),
    }


def _said(step: str, given: Sequence[Message], returned: Sequence[Message], seen: Counter[str]) -> list[Message]:
    """Return what nobody has read yet; an agent's own words are those of its calls."""
    if step == "agent":
        return []
    if step != "llm":
        seen.update(_key(message) for message in returned)
        return [*given, *returned]
    found = _unread(given, seen)
    seen.update(_key(message) for message in returned)
    return [*found, *returned]


def _unread(messages: Iterable[Message], seen: Counter[str]) -> list[Message]:
    """Return messages beyond those seen, and count them as seen: "yes" said twice stands twice."""
    found = []
    here: Counter[str] = Counter()
    for message in messages:
        key = _key(message)
        here[key] += 1
        if here[key] > seen[key]:
            seen[key] = here[key]
            found.append(message)
    return found


def _key(message: Message) -> str:
    """Return what makes two messages the same, however they were written down."""
    role = _ROLES.get(message["role"], message["role"])
    role = "tool" if role == "output" else role
    calls = [(call["name"], _plain(call["arguments"])) for call in message["tool_calls"]]
    return json.dumps([role, _plain(message["text"]), calls], default=str)


def _plain(text: str) -> str:
    if text[:1] in ("[", "{", '"'):
        try:
            return json.dumps(json.loads(text), sort_keys=True)
        except (ValueError, RecursionError):
            pass
    return text.strip()
