"""A chat answer of the stand-in for OpenAI's API: what it says, what it counts, and both shapes on the wire."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otelkit.testing.openai_brain import Call, reply
from otelkit.testing.openai_request import ChatRequest
from otelkit.testing.openai_tokens import call_pieces, pieces, prompt_pieces

CACHE_MINIMUM = 1024
"""Prompts shorter than this many tokens are not cached, as with the real API."""
CACHE_BLOCK = 128
"""Cached prefixes grow in steps of this many tokens."""
MOST_PREFIXES = 50_000

SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
}
"""Chat models and the dated model that answers for each."""


class PromptCache:
    """Which prompt prefixes were seen before, as the real API's automatic cache: from 1024 tokens, in steps of 128."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, model: str, prompt: list[str]) -> int:
        """Tokens of the prompt's start that an earlier prompt for the model had too; remembers this one."""
        running = hashlib.sha256(model.encode())
        cached, hit = 0, True
        with self._lock:
            for end in range(CACHE_BLOCK, len(prompt) + 1, CACHE_BLOCK):
                running.update("\0".join(prompt[end - CACHE_BLOCK : end]).encode())
                if end < CACHE_MINIMUM:
                    continue
                key = running.digest()
                hit = hit and key in self._seen
                cached = end if hit else cached
                self._seen[key] = None
            while len(self._seen) > MOST_PREFIXES:
                self._seen.popitem(last=False)
        return cached


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: its text in tokens, or its calls, and why it ended."""

    index: int
    words: tuple[str, ...]
    calls: tuple[Call, ...]
    finish_reason: str
    tokens: int
    """Completion tokens without reasoning."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer with its counts."""

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    cached_tokens: int
    reasoning_tokens: int

    @property
    def completion_tokens(self) -> int:
        """Tokens of all choices and of the reasoning."""
        return self.reasoning_tokens + sum(choice.tokens for choice in self.choices)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The choices' finish reasons in order."""
        return tuple(choice.finish_reason for choice in self.choices)

    def usage(self) -> dict[str, Any]:
        """The `usage` object as the real API reports it."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def body(self) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        choices = []
        for choice in self.choices:
            message: dict[str, Any] = {"role": "assistant", "content": "".join(choice.words), "refusal": None}
            if choice.calls:
                calls = [_call_body(self.id, choice.index, place, call) for place, call in enumerate(choice.calls)]
                message |= {"content": None, "tool_calls": calls}
            choices.append(
                {"index": choice.index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason}
            )
        return self._frame("chat.completion", choices) | {"usage": self.usage()}

    def chunks(self, include_usage: bool) -> Iterator[tuple[dict[str, Any], int]]:
        """The chunks of a stream, each with the completion tokens it carries.

        With `include_usage` every chunk has `usage: null` and one more comes last with the figures and no choices.
        """
        extra: dict[str, Any] = {"usage": None} if include_usage else {}
        for choice in self.choices:
            for delta, tokens in self._deltas(choice):
                part = {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None}
                yield self._frame("chat.completion.chunk", [part]) | extra, tokens
            last = {"index": choice.index, "delta": {}, "logprobs": None, "finish_reason": choice.finish_reason}
            yield self._frame("chat.completion.chunk", [last]) | extra, 0
        if include_usage:
            yield self._frame("chat.completion.chunk", []) | {"usage": self.usage()}, 0

    def _deltas(self, choice: Choice) -> Iterator[tuple[dict[str, Any], int]]:
        if not choice.calls:
            yield {"role": "assistant", "content": "", "refusal": None}, 0
            for word in choice.words:
                yield {"content": word}, 1
            return
        yield {"role": "assistant", "content": None}, 0
        for place, call in enumerate(choice.calls):
            opening = _call_body(self.id, choice.index, place, call)
            opening["function"]["arguments"] = ""
            yield {"tool_calls": [{"index": place} | opening]}, len(pieces(call.name))
            for piece in pieces(call.arguments):
                yield {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}, 1

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_standin",
            "choices": choices,
        }


def complete(request: ChatRequest, *, sequence: int, created: int, cache: PromptCache) -> Completion:
    """Answer a request. All but the id (from `sequence`), `created` and the cached tokens follows from the body."""
    prompt = prompt_pieces(request.messages, request.tools)
    reasoning = reasoning_tokens(request)
    return Completion(
        id=f"chatcmpl-{request.digest[:16]}{sequence:06d}",
        created=created,
        model=SNAPSHOTS.get(request.model, request.model),
        choices=tuple(_choice(request, index, reasoning) for index in range(request.n)),
        prompt_tokens=len(prompt),
        cached_tokens=cache.read(request.model, prompt),
        reasoning_tokens=reasoning,
    )


def reasoning_tokens(request: ChatRequest) -> int:
    """Tokens a reasoning model (`o…`, `gpt-5…`) thinks before it answers: a multiple of 64 drawn from the body."""
    if not request.model.startswith(("o1", "o3", "o4", "gpt-5")):
        return 0
    thought = 64 * (1 + int(request.digest[:4], 16) % 4)
    return min(thought, request.limit) if request.limit is not None else thought


def _choice(request: ChatRequest, index: int, reasoning: int) -> Choice:
    answer = reply(request, index)
    room = None if request.limit is None else request.limit - reasoning
    if answer.calls:
        tokens = sum(len(call_pieces(call.name, call.arguments)) for call in answer.calls)
        if room is None or tokens <= room:
            reason = "tool_calls" if request.tool_choice in ("auto", "required") else "stop"
            return Choice(index, (), answer.calls, reason, tokens)
        # A call that does not fit would be cut into invalid JSON: the room is used up with nothing to show.
        return Choice(index, (), (), "length", room)
    words = tuple(pieces(answer.text))
    if room is not None and len(words) > room:
        return Choice(index, words[:room], (), "length", room)
    return Choice(index, words, (), "stop", len(words))


def _call_body(completion_id: str, choice: int, place: int, call: Call) -> dict[str, Any]:
    made_from = f"{completion_id}/{choice}/{place}".encode()
    return {
        "id": f"call_{hashlib.sha256(made_from).hexdigest()[:24]}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
