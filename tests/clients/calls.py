"""The calls of an application, made with the real clients in an environment that holds one instrumentation.

Runs in that environment: ``python calls.py openai|langchain TELEMETRY MODEL_API [with-content]``. Each call is made
inside a job of its own name, so that the test finds its trace. Prints as JSON how many requests each made, and whether
otelkit swallowed an error of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, closing, nullcontext, suppress
from typing import Any

import otelkit
from otelkit.sdk.guard import guard

SECRET = "The heron keeps its silver key under the third stair"
"""In every prompt, tool argument, tool result and embedded text."""
OUTSIDE = "outside"
"""The one call that no job is around."""
LEFT = "left early"
"""In the names of calls whose stream the application leaves before its end."""
MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
LONG = "Page " + " ".join(f"{number} of the almanac" for number in range(700))
ORDER_TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Find an order",
        "parameters": {"type": "object", "properties": {"number": {"type": "integer"}, "note": {"type": "string"}}},
    },
}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

Calls = Iterable[tuple[str, int, Callable[[], Any]]]
"""Name, number of requests, and the call itself (awaitable where the client is)."""


def said(text: str = "", system: str = "You are brief.") -> list[dict[str, str]]:
    """A short conversation with the planted sentence in it."""
    return [{"role": "system", "content": f"{system} {SECRET}."}, {"role": "user", "content": f"{text} {SECRET}?"}]


def asked(text: str, **options: Any) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``."""
    return {"model": MODEL, "messages": said(text), **options}


def report(answer: Any) -> None:
    """What a careful application tells otelkit about an answer, or about a chunk of one."""
    if used := answer.usage:
        otelkit.record_usage(
            input_tokens=used.prompt_tokens,
            output_tokens=used.completion_tokens,
            cached_tokens=used.prompt_tokens_details.cached_tokens,
            reasoning_tokens=used.completion_tokens_details.reasoning_tokens,
        )
    otelkit.record_response(model=answer.model, id=answer.id)


def with_results(request: dict[str, Any], answer: Any) -> dict[str, Any]:
    """The request after an answer that asked for tools: with each tool's result."""
    message = answer.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"shipped. {SECRET}"} for call in message.tool_calls
    ]
    return {**request, "messages": [*request["messages"], message.model_dump(exclude_none=True), *results]}


class SyncCalls:
    """With ``openai.OpenAI``."""

    def __init__(self, address: str) -> None:
        import openai

        self.openai = openai
        self.client = openai.OpenAI(base_url=address, api_key="any", max_retries=0)
        self.create: Callable[..., Any] = self.client.chat.completions.create

    def __iter__(self) -> Iterator[tuple[str, int, Callable[[], Any]]]:
        yield "plain", 1, lambda: self.create(**asked("Hello"))
        yield "stream with usage", 1, lambda: list(self.create(**asked("Hello", **USAGE)))
        yield "stream without usage", 1, lambda: list(self.create(**asked("Hello", stream=True)))
        yield f"stream {LEFT}", 1, self.leave
        yield "stream cut", 1, self.cut
        yield "tools", 2, self.tools
        yield "cached", 2, lambda: [self.create(model=MODEL, messages=said(system=LONG)) for _ in range(2)]
        yield "reasoning", 1, lambda: self.create(model="o4-mini", messages=said("Why?"))
        yield "unpriced", 1, lambda: self.create(model="acme-support-ft", messages=said("Hello"))
        yield "embedding", 1, lambda: self.client.embeddings.create(model=EMBEDDING_MODEL, input=[SECRET, "and more"])
        yield "not found", 1, lambda: self.fail(self.openai.NotFoundError, model="no-such-model")
        yield "rate limit", 1, lambda: self.fail(self.openai.RateLimitError, messages=said("[[fault:rate_limit]]"))
        yield "wrapped", 1, self.wrapped
        yield "wrapped stream", 1, lambda: list(self.wrapped_stream())
        yield OUTSIDE, 1, lambda: self.create(**asked("Alone"))

    def leave(self) -> None:
        with closing(self.create(**asked("Tell me much", **USAGE))) as chunks:
            for _ in range(3):
                next(chunks)

    def cut(self) -> None:
        with suppress(self.openai.APIConnectionError):
            list(self.create(**asked("Hello [[fault:cut=3]]", **USAGE)))
            raise AssertionError("the stream was not cut")

    def tools(self) -> None:
        request = asked("Where is order 4711?", tools=[ORDER_TOOL])
        self.create(**with_results(request, self.create(**request)))

    def fail(self, kind: type[Exception], **options: Any) -> None:
        with suppress(kind):
            self.create(**{**asked(""), **options})
            raise AssertionError(f"{kind.__name__} expected")

    def wrapped(self) -> None:
        with otelkit.traced_llm(MODEL, provider="openai"):
            report(self.create(**asked("Wrapped")))

    @otelkit.traced_llm(MODEL, provider="openai")
    def wrapped_stream(self) -> Iterator[str]:
        for chunk in self.create(**asked("Wrapped", **USAGE)):
            report(chunk)
            yield chunk.id


class AsyncCalls:
    """With ``openai.AsyncOpenAI``."""

    def __init__(self, address: str) -> None:
        import openai

        self.openai = openai
        self.client = openai.AsyncOpenAI(base_url=address, api_key="any", max_retries=0)
        self.create: Callable[..., Any] = self.client.chat.completions.create

    def __iter__(self) -> Iterator[tuple[str, int, Callable[[], Awaitable[Any]]]]:
        yield "async plain", 1, lambda: self.create(**asked("Hello"))
        yield "async stream with usage", 1, lambda: self.stream(**USAGE)
        yield "async stream without usage", 1, lambda: self.stream(stream=True)
        yield f"async stream {LEFT}", 1, self.leave
        yield "async tools", 2, self.tools
        yield "async several at once", 3, self.several
        yield "async embedding", 1, lambda: self.client.embeddings.create(model=EMBEDDING_MODEL, input=SECRET)
        yield "async server error", 1, self.fail
        yield "async wrapped", 1, self.wrapped
        yield "async wrapped stream", 1, self.read_wrapped_stream

    async def stream(self, **options: Any) -> None:
        async for _ in await self.create(**asked("Hello", **options)):
            pass

    async def leave(self) -> None:
        chunks = await self.create(**asked("Tell me much", **USAGE))
        for _ in range(3):
            await anext(chunks)
        await chunks.close()

    async def tools(self) -> None:
        request = asked("Where is order 4711?", tools=[ORDER_TOOL])
        await self.create(**with_results(request, await self.create(**request)))

    async def several(self) -> None:
        await asyncio.gather(*(self.create(**asked(f"Number {number}")) for number in range(3)))

    async def fail(self) -> None:
        with suppress(self.openai.InternalServerError):
            await self.create(**asked("[[fault:server_error]]"))
            raise AssertionError("an error was expected")

    async def wrapped(self) -> None:
        async with otelkit.traced_llm(MODEL, provider="openai"):
            report(await self.create(**asked("Wrapped")))

    @otelkit.traced_llm(MODEL, provider="openai")
    async def wrapped_stream(self) -> AsyncIterator[str]:
        async for chunk in await self.create(**asked("Wrapped", **USAGE)):
            report(chunk)
            yield chunk.id

    async def read_wrapped_stream(self) -> None:
        async with aclosing(self.wrapped_stream()) as chunks:
            async for _ in chunks:
                pass


class LangChainCalls:
    """With LangChain, over the same client."""

    def __init__(self, address: str) -> None:
        from langchain_core.prompts import ChatPromptTemplate
        from langchain_openai import ChatOpenAI, OpenAIEmbeddings

        options: dict[str, Any] = {"base_url": address, "api_key": "any", "max_retries": 0}
        self.model = ChatOpenAI(model=MODEL, stream_usage=True, **options)
        self.silent = ChatOpenAI(model=MODEL, stream_usage=False, **options)
        self.missing = ChatOpenAI(model="no-such-model", **options)
        # Counting the text first would fetch a vocabulary from the network.
        self.embeddings = OpenAIEmbeddings(model=EMBEDDING_MODEL, check_embedding_ctx_length=False, **options)
        self.prompt = ChatPromptTemplate.from_messages([("system", f"Be brief. {SECRET}."), ("user", "{question}")])

    def __iter__(self) -> Iterator[tuple[str, int, Callable[[], Any]]]:
        question = {"question": SECRET}
        yield "invoke", 1, lambda: self.model.invoke(f"Hello {SECRET}")
        yield "chain", 1, lambda: (self.prompt | self.model).invoke(question)
        yield "stream with usage", 1, lambda: list((self.prompt | self.model).stream(question))
        yield "stream without usage", 1, lambda: list((self.prompt | self.silent).stream(question))
        yield "batch", 3, lambda: self.model.batch([f"Number {number} {SECRET}" for number in range(3)])
        yield "async chain", 1, lambda: asyncio.run((self.prompt | self.model).ainvoke(question))
        yield "tools", 2, self.tools
        yield "embedding", 1, lambda: self.embeddings.embed_query(SECRET)
        yield "not found", 1, self.fail
        yield "wrapped", 1, self.wrapped
        yield OUTSIDE, 1, lambda: self.model.invoke(SECRET)

    def tools(self) -> None:
        from langchain_core.tools import tool

        @tool
        def find_order(number: int) -> str:
            """Find an order."""
            return f"order {number} shipped. {SECRET}"

        messages: list[Any] = [("user", f"Where is order 4711? {SECRET}")]
        answer = self.model.bind_tools([find_order]).invoke(messages)
        results = [find_order.invoke(call) for call in answer.tool_calls]
        assert results
        self.model.invoke([*messages, answer, *results])

    def fail(self) -> None:
        import openai

        with suppress(openai.NotFoundError):
            self.missing.invoke(SECRET)
            raise AssertionError("an error was expected")

    def wrapped(self) -> None:
        with otelkit.traced_llm(MODEL, provider="openai"):
            answer = self.model.invoke(SECRET)
            used, about = answer.usage_metadata, answer.response_metadata
            otelkit.record_usage(input_tokens=used["input_tokens"], output_tokens=used["output_tokens"])
            otelkit.record_response(model=about["model_name"], id=about["id"])


def make(calls: Calls, made: dict[str, int]) -> None:
    """Make calls one after the other, each in a job of its own."""
    for name, requests, call in calls:
        with nullcontext() if name == OUTSIDE else otelkit.traced_job(name):
            call()
        made[name] = requests


async def make_async(calls: Calls, made: dict[str, int]) -> None:
    """The same in an event loop."""
    for name, requests, call in calls:
        async with otelkit.traced_job(name):
            await call()
        made[name] = requests


def main() -> None:
    """Start telemetry in one line, make the calls, deliver."""
    library, telemetry, address, *options = sys.argv[1:]
    otelkit.init(service=f"{library} app", endpoint=telemetry, capture_content="with-content" in options)
    made: dict[str, int] = {}
    if library == "openai":
        make(SyncCalls(address), made)
        asyncio.run(make_async(AsyncCalls(address), made))
    else:
        make(LangChainCalls(address), made)
    delivered = otelkit.shutdown(20)
    print(json.dumps({"made": made, "delivered": delivered, "swallowed": guard.swallowed}))


if __name__ == "__main__":
    main()
