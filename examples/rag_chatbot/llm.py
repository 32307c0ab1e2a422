"""Calls to the language model through the real `openai` client, streamed, with tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai

import otelkit

DEFAULT_MODEL = "gpt-4o-mini"
MODELS: Mapping[str, str] = {
    "globex": "gpt-4o",
    "acme": "acme-support-ft",  # a fine-tune of their own: no price list knows it
    "initech": "gpt-4-classic",  # withdrawn by the provider, and nobody changed the setting: each call fails
}
"""Models that groups chose for themselves."""


@dataclass
class ToolCall:
    """A tool call put together from the pieces of a stream."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def as_message_part(self) -> dict[str, Any]:
        """The call as it goes back to the model."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass
class Reply:
    """What the model said: a text, or tool calls, or both."""

    text: str = ""
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reasons: list[str] = field(default_factory=list)

    def as_message(self) -> dict[str, Any]:
        """The reply as it goes back to the model."""
        calls = [call.as_message_part() for call in self.tool_calls.values()]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}

    def add(self, choice: Any) -> str:
        """Take in one choice of a chunk; returns the text that is new."""
        for part in choice.delta.tool_calls or ():
            call = self.tool_calls.setdefault(part.index, ToolCall())
            call.id += part.id or ""
            call.name += part.function.name or ""
            call.arguments += part.function.arguments or ""
        if choice.finish_reason:
            self.finish_reasons.append(choice.finish_reason)
        new = choice.delta.content or ""
        self.text += new
        return new


async def chat(
    client: openai.AsyncOpenAI,
    model: str,
    messages: Sequence[Any],
    tools: Sequence[Any],
    on_text: Callable[[str], None],
) -> Reply:
    """One call, streamed: `on_text` gets each piece of text as it arrives. Raises openai.APIError."""
    reply = Reply()
    # No generator here: the step stays in one coroutine, so that its context never leaks into the consumer.
    with otelkit.traced_llm(model=model, provider="openai", stream=True) as step:
        stream = await client.chat.completions.create(
            model=model,
            messages=messages,
            tools=tools or openai.omit,
            stream=True,
            stream_options={"include_usage": True},
        )
        async with stream:
            async for chunk in stream:
                new = "".join([reply.add(choice) for choice in chunk.choices])
                step.chunk(new)
                if new:
                    on_text(new)
                if chunk.usage is not None:
                    _record_usage(chunk.usage)
                    otelkit.record_response(model=chunk.model, id=chunk.id, finish_reasons=reply.finish_reasons)
        otelkit.record_messages(input=messages, output=[reply.as_message()])  # kept only where content is opted in
    return reply


def _record_usage(usage: Any) -> None:
    read, written = usage.prompt_tokens_details, usage.completion_tokens_details
    otelkit.record_usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_tokens=read.cached_tokens if read else None,
        reasoning_tokens=written.reasoning_tokens if written else None,
    )
