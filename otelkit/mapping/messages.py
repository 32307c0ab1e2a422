"""Chat messages that instrumentations flatten into attributes, in the GenAI conventions' JSON.

OpenInference writes ``llm.input_messages.0.message.tool_calls.0.tool_call.function.name``, Traceloop
``gen_ai.prompt.0.tool_calls.0.name``; both become ``{"role", "parts": [text | tool_call | tool_call_response | uri]}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from otelkit.model import Attributes

__all__ = ["flattened", "messages_json", "openinference_message", "parsed", "traceloop_message"]

_ROLES: Final = {"agent": "assistant", "function": "tool", "human": "user", "ai": "assistant"}
_FINISH: Final = {"tool_calls": "tool_call", "function_call": "tool_call"}
_MAX_LEVELS: Final = 16

Tree = dict[str, Any]


def flattened(attributes: Attributes, prefix: str) -> list[Tree]:
    """Return the items under ``<prefix>.<number>.``, in order, as nested dictionaries of their dotted keys."""
    items: dict[int, Tree] = {}
    start = prefix + "."
    for key, value in attributes.items():
        if not key.startswith(start):
            continue
        index, *path = key[len(start) :].split(".", _MAX_LEVELS)
        if path and index.isascii() and index.isdigit() and len(index) < 7:
            _put(items.setdefault(int(index), {}), path, value)
    return [items[index] for index in sorted(items)]


def _put(tree: Tree, path: list[str], value: object) -> None:
    for step in path[:-1]:
        below = tree.get(step)
        if not isinstance(below, dict):
            below = tree[step] = {}
        tree = below
    if not isinstance(tree.get(path[-1]), dict):
        tree[path[-1]] = value


def messages_json(
    attributes: Attributes, prefix: str, read: Callable[[Tree], Tree], finish_reason: str | None = None
) -> str | None:
    """Return the messages under a prefix as JSON, None where there are none.

    ``finish_reason`` is for output messages that do not have one of their own.
    """
    messages = [message for item in flattened(attributes, prefix) if (message := read(item))["parts"]]
    if not messages:
        return None
    for message in messages:
        reason = message.pop("finish_reason", finish_reason) or finish_reason
        if reason:
            message["finish_reason"] = _FINISH.get(reason, reason)
    return json.dumps(messages, ensure_ascii=False, default=str)


def openinference_message(item: Tree) -> Tree:
    """One ``message.*`` group of OpenInference's as a GenAI message."""
    message = _tree(item, "message")
    parts = [_openinference_part(_tree(one, "message_content")) for one in _items(message, "contents")]
    calls = [_tree(one, "tool_call") for one in _items(message, "tool_calls")]
    call_parts = [_call(call.get("id"), _tree(call, "function")) for call in calls]
    return _message(message, [part for part in parts if part], call_parts)


def traceloop_message(item: Tree) -> Tree:
    """One ``gen_ai.prompt.<n>`` or ``gen_ai.completion.<n>`` group as a GenAI message."""
    calls = [_call(call.get("id"), call) for call in _items(item, "tool_calls")]
    content = parsed(item.get("content"))
    if isinstance(content, list) and all(isinstance(one, dict) and "type" in one for one in content):
        return _message(item | {"content": None}, [_block(one) for one in content], calls)
    return _message(item, [], calls)


def chat_message(item: Mapping[str, Any]) -> Tree:
    """One message as chat APIs and clients write it (``role``, ``content``, ``tool_calls``) as a GenAI message."""
    listed = item.get("tool_calls") or ()
    calls = [_call(call.get("id"), call.get("function") or call) for call in listed if isinstance(call, Mapping)]
    message = traceloop_message({**item, "tool_calls": None})
    return message | {"parts": message["parts"] + calls}


def parsed(value: object) -> Any:
    """The value that JSON text stands for; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _message(source: Tree, parts: list[Tree], calls: list[Tree]) -> Tree:
    role = str(source.get("role") or "user").lower()
    role = _ROLES.get(role, role)
    content = source.get("content")
    text = {"type": "text", "content": content}
    call_id = source.get("tool_call_id")
    if role == "tool" and call_id:
        told = content if content is not None else "".join(str(part.get("content", "")) for part in parts)
        parts = [{"type": "tool_call_response", "id": call_id, "response": parsed(told)}]
    elif content not in (None, "") and text not in parts:
        parts = [text, *parts]
    message: Tree = {"role": role, "parts": parts + calls}
    for key in ("name", "finish_reason"):
        if isinstance(source.get(key), str):
            message[key] = source[key]
    return message


def _call(call_id: object, function: Mapping[str, Any]) -> Tree:
    part: Tree = {"type": "tool_call", "name": function.get("name", ""), "arguments": parsed(function.get("arguments"))}
    return part | {"id": call_id} if call_id else part


def _openinference_part(content: Tree) -> Tree:
    if content.get("text") is not None:
        return {"type": "text", "content": content["text"]}
    url = _tree(_tree(content, "image"), "image").get("url")
    return _image(url) if url else {}


def _block(block: Tree) -> Tree:
    if "text" in block:
        return {"type": "text", "content": block["text"]}
    image = block.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return _image(url) if url else block


def _image(url: object) -> Tree:
    # The bytes of an inlined image are worth nothing in telemetry and weigh megabytes.
    shown = url if isinstance(url, str) and not url.startswith("data:") else "data:"
    return {"type": "uri", "modality": "image", "uri": shown}


def _tree(tree: Tree, key: str) -> Tree:
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


def _items(tree: Tree, key: str) -> list[Tree]:
    found = _tree(tree, key)
    numbers = sorted(int(index) for index in found if index.isascii() and index.isdigit() and len(index) < 7)
    return [found[str(number)] for number in numbers if isinstance(found.get(str(number)), dict)]
