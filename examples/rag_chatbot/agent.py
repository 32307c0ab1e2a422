"""The assistant: retrieve, ask the model, run the tools it wants, ask again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai

import otelkit

from . import llm, tools
from .retrieval import Handbook, Passage

log = logging.getLogger(__name__)

PASSAGES = 4
MOST_ROUNDS = 3
"""Calls to the model for one question; in the last one it gets no tools."""

SYSTEM = """You are the support assistant of a small company that runs its services with otelkit.
Answer in two or three sentences, and only from the passages below or from what a tool returned.
Call find_order when the customer names an order number, calculate for sums and percentages,
and opening_hours when they ask when somebody can be reached.
If neither passages nor tools hold the answer, say so; never make one up.
Name the passage you used by its number in square brackets.

Passages from the handbook:
"""


@dataclass
class Assistant:
    """Answers one question in a conversation; afterwards it knows what it used for that.

    `emit` gets text and tool calls as they happen.
    """

    client: openai.AsyncOpenAI
    handbook: Handbook
    model: str
    history: Sequence[Any]
    emit: Callable[[dict[str, Any]], None]
    sources: Sequence[Passage] = ()
    used_tools: list[str] = field(default_factory=list)

    @otelkit.traced_agent(name="handbook-assistant")
    async def answer(self, question: str) -> str:
        """The answer to a question. Raises openai.APIError where the model cannot be asked."""
        self.sources = self.handbook.retrieve(question, k=PASSAGES)
        system = {"role": "system", "content": SYSTEM + "\n\n".join(_shown(self.sources))}
        messages: list[Any] = [system, *self.history, {"role": "user", "content": question}]
        reply = await self._ask(messages, tools.SCHEMAS)
        for left in reversed(range(MOST_ROUNDS - 1)):
            calls = list(reply.tool_calls.values())
            if not calls:
                break
            self.used_tools += [call.name for call in calls]
            messages += await _run_tools(reply, calls, self.emit)
            reply = await self._ask(messages, tools.SCHEMAS if left else [])
        log.info("answered with %d passages and %d tool calls", len(self.sources), len(self.used_tools))
        return reply.text

    async def _ask(self, messages: Sequence[Any], offered: Sequence[Any]) -> llm.Reply:
        return await llm.chat(
            self.client, self.model, messages, offered, lambda text: self.emit({"type": "text", "text": text})
        )


async def _run_tools(
    reply: llm.Reply, calls: list[llm.ToolCall], emit: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """Run the calls side by side; returns the messages that tell the model of them."""
    results = await asyncio.gather(*(tools.run(call.name, call.arguments) for call in calls))
    asked = {
        "role": "assistant",
        "content": reply.text or None,
        "tool_calls": [call.as_message_part() for call in calls],
    }
    answered = []
    for call, result in zip(calls, results, strict=True):
        emit({"type": "tool", "name": call.name, "ok": "error" not in json.loads(result)})
        answered.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return [asked, *answered]


def _shown(passages: Sequence[Passage]) -> list[str]:
    return [f"[{number}] {passage.title}\n{passage.text}" for number, passage in enumerate(passages, 1)] or ["(none)"]
