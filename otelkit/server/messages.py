"""Captured content as messages that a person can read, whatever shape it was recorded in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from otelkit.model import Attributes
from otelkit.semconv.attributes import GenAI, Otelkit

__all__ = ["Message", "last_text", "last_user_text", "messages_of", "read_messages"]

Message = dict[str, Any]
_INPUT: Final = (
    (GenAI.SYSTEM_INSTRUCTIONS, "system"),
    (GenAI.INPUT_MESSAGES, "user"),
    (GenAI.RETRIEVAL_QUERY, "user"),
    (GenAI.TOOL_ARGUMENTS, "input"),
    (Otelkit.INPUT_VALUE, "input"),
)
_OUTPUT: Final = (
    (GenAI.OUTPUT_MESSAGES, "assistant"),
    (GenAI.RETRIEVAL_DOCUMENTS, "documents"),
    (GenAI.TOOL_RESULT, "tool"),
    (Otelkit.OUTPUT_VALUE, "output"),
)
# What a decorator captured of a step: the same content again, where the conventions' own attributes are there.
_RESTATING: Final = frozenset({Otelkit.INPUT_VALUE, Otelkit.OUTPUT_VALUE})
_TALK: Final = frozenset({"system", "user", "assistant"})
# What JSON and OTLP are decoded to. Abstract classes would take ten times as long to ask for.
_LISTS: Final = (list, tuple)
_TOOL_CALLS: Final = frozenset({"tool_call", "tool_use", "function_call"})
_TOOL_RESULTS: Final = frozenset({"tool_call_response", "tool_result", "function_call_output"})


def messages_of(attributes: Attributes) -> tuple[list[Message] | None, list[Message] | None]:
    """Return what went into a step and what came out; None where no content was captured."""
    return _side(attributes, _INPUT), _side(attributes, _OUTPUT)


def _side(attributes: Attributes, names: Sequence[tuple[str, str]]) -> list[Message] | None:
    found: list[Message] = []
    for name, role in names:
        value = attributes.get(name)
        spoken = any(message["role"] != "system" for message in found)
        if value is not None and value != "" and not (spoken and name in _RESTATING):
            found.extend(read_messages(value, role))
    return found or None


def read_messages(value: object, role: str) -> list[Message]:
    """Read messages from a JSON text, a structure or plain text; ``role`` is for those that name none."""
    return list(_read_backwards(value, role))[::-1]


def _read_backwards(value: object, role: str) -> Iterator[Message]:
    parsed = _parsed(value)
    if not parsed and role in _TALK:  # an empty list of messages; an empty result of a tool is one
        return
    items: Sequence[object] = [parsed]
    if isinstance(parsed, dict):
        inner = parsed.get("messages")
        if isinstance(inner, _LISTS):
            items = inner
    elif isinstance(parsed, _LISTS):
        items = parsed
    if role in ("documents", "system") or not any(map(_is_message, items)):
        text = "\n".join(filter(None, (_text(item) for item in items))) if role == "system" else _text(parsed)
        yield _message(role, text)
        return
    for item in reversed(items):
        yield _one(item, role)


def last_user_text(value: object) -> str:
    """Return what the user said last; an empty string when nobody of that role said anything."""
    return _last(value, "user", ("user", "human"))


def last_text(value: object) -> str:
    """Return the last text that was said; an empty string for none."""
    return _last(value, "assistant")


def _last(value: object, role: str, of: Sequence[str] = ()) -> str:
    """Read from the end, and no further than needed: every call of a chat repeats all that was said before."""
    for message in _read_backwards(value, role):
        if message["text"] and (not of or message["role"] in of):
            return str(message["text"])
    return ""


def _parsed(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except (ValueError, RecursionError):  # what msgspec raises are ValueErrors
            return value
    return value


def _is_message(item: object) -> bool:
    return isinstance(item, dict) and ("role" in item or "parts" in item)


def _one(item: object, role: str) -> Message:
    if not isinstance(item, dict):
        return _message(role, _text(item))
    message = _message(str(item.get("role") or role), "")
    texts: list[str] = []
    parts = item.get("parts", item.get("content"))
    for part in parts if isinstance(parts, _LISTS) else [parts]:
        _add_part(message, part, texts)
    for call in item.get("tool_calls") or ():
        if isinstance(call, dict):
            message["tool_calls"].append(_tool_call(call))
    if isinstance(item.get("tool_call_id"), str):
        message["tool_call_id"] = item["tool_call_id"]
    message["text"] = "\n".join(filter(None, texts))
    return message


def _add_part(message: Message, part: object, texts: list[str]) -> None:
    if not isinstance(part, dict):
        texts.append(_text(part))
        return
    kind = part.get("type")
    if kind in _TOOL_CALLS:
        message["tool_calls"].append(_tool_call(part))
    elif kind in _TOOL_RESULTS:
        message["tool_call_id"] = part.get("id") or part.get("tool_call_id")
        texts.append(_text(part.get("response", part.get("result", part.get("content")))))
    else:
        texts.append(_text(part.get("content", part.get("text", part))))


def _tool_call(part: Mapping[str, Any]) -> Message:
    function = part.get("function")
    source: Mapping[str, Any] = function if isinstance(function, dict) else part
    arguments = source.get("arguments", source.get("input"))
    return {
        "id": part.get("id") if isinstance(part.get("id"), str) else None,
        "name": _text(source.get("name")),
        "arguments": _text(arguments),
    }


def _message(role: str, text: str) -> Message:
    return {"role": role, "text": text, "tool_calls": [], "tool_call_id": None}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("content"), str) and set(value) <= {"type", "content"}:
        return str(value["content"])
    return json.dumps(value, ensure_ascii=False, default=str)
