"""The stand-in's tokeniser: simple, deterministic, and near the real figures for English prose.

A token is, with the space before it: up to eight letters, up to three digits, or one other sign; a run of white space
that belongs to no word is one token. The pieces of a text joined again are the text, so a stream can send one a chunk.
A prompt costs its pieces, 4 tokens a message (role and separators), 3 to start the answer, 85 an image, and the pieces
of the tool definitions written as compact JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

PER_MESSAGE = 4
PER_ANSWER = 3
PER_IMAGE = 85

_PIECE = re.compile(r" ?[^\W\d_]{1,8}| ?\d{1,3}| ?[^\w\s]|_|\s+| ?\w")


def pieces(text: str) -> list[str]:
    """The text cut into tokens; joined, they are the text again."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """Number of tokens in the text."""
    return sum(1 for _ in _PIECE.finditer(text))


def text_of(content: object) -> str:
    """The text of a message's content, which is a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def prompt_pieces(messages: Iterable[Mapping[str, Any]], tools: Iterable[Mapping[str, Any]]) -> list[str]:
    """All tokens of a prompt in order: tool definitions first, then the messages, as the prompt cache sees them."""
    found: list[str] = []
    for tool in tools:
        found += pieces(json.dumps(tool, separators=(",", ":"), sort_keys=True))
    for message in messages:
        found += [f"<{message.get('role')}>"] * PER_MESSAGE
        found += pieces(text_of(message.get("content")))
        found += pieces(str(message.get("name") or ""))
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if isinstance(part, Mapping) and part.get("type") == "image_url":
                found += ["<image>"] * PER_IMAGE
        for call in message.get("tool_calls") or ():
            found += call_pieces(call["function"]["name"], call["function"]["arguments"])
    return found + ["<answer>"] * PER_ANSWER


def call_pieces(name: str, arguments: str) -> list[str]:
    """The tokens of one tool call: its name, then its arguments as written."""
    return pieces(name) + pieces(arguments)
