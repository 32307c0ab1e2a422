"""A decorated function of each kind × how it can end (style: sync, async, generator, async generator × success, error,
early close, cancellation)."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import otelkit
from otelkit.sdk.steps import State
from tests.sdk.spans import Boom, Spans, assert_failed, assert_unfinished, current, only


@otelkit.traced_tool
def sync_tool(value: int) -> int:
    assert current() == "execute_tool sync_tool"
    if value < 0:
        raise Boom("too low")
    return value + 1


@otelkit.traced_tool
async def async_tool(value: int) -> int:
    await asyncio.sleep(0)
    assert current() == "execute_tool async_tool"
    if value < 0:
        raise Boom("too low")
    await asyncio.sleep(value)
    return value


@otelkit.traced_llm(model="m")
def generator(count: int) -> Iterator[str]:
    for i in range(count):
        assert current() == "chat m"
        yield str(i)
    if count == 2:
        raise Boom("cut")


@otelkit.traced_llm(model="m")
async def async_generator(count: int, pause: float = 0) -> AsyncIterator[str]:
    for i in range(count):
        assert current() == "chat m"
        await asyncio.sleep(pause)
        yield str(i)
    if count == 2:
        raise Boom("cut")


# --- sync


def test_sync_success(spans: Spans) -> None:
    assert sync_tool(1) == 2
    span = only(spans)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "sync_tool",
        "gen_ai.tool.type": "function",
    }


def test_sync_error(spans: Spans) -> None:
    with pytest.raises(Boom):
        sync_tool(-1)
    assert_failed(only(spans))


def test_sync_interrupt_is_no_error(spans: Spans) -> None:
    @otelkit.traced_tool
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert_unfinished(only(spans), "cancelled")


# --- async


def test_async_success(spans: Spans) -> None:
    assert asyncio.run(async_tool(0)) == 0
    assert only(spans).status.status_code is StatusCode.UNSET


def test_async_error(spans: Spans) -> None:
    with pytest.raises(Boom):
        asyncio.run(async_tool(-1))
    assert_failed(only(spans))


def test_async_cancellation(spans: Spans) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(async_tool(60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert_unfinished(only(spans), "cancelled")


# --- generator


def test_generator_success(spans: Spans) -> None:
    seen = []
    for item in generator(3):
        assert current() != "chat m"  # the step is the generator's, not its consumer's
        seen.append(item)
    assert seen == ["0", "1", "2"]
    attributes = only(spans).attributes or {}
    assert attributes["otelkit.stream.chunks"] == 3
    assert 0 <= attributes["gen_ai.response.time_to_first_chunk"] < 5  # type: ignore[operator]


def test_generator_error(spans: Spans) -> None:
    with pytest.raises(Boom):
        list(generator(2))
    assert_failed(only(spans))


def test_generator_early_close(spans: Spans) -> None:
    running = generator(5)
    assert next(running) == "0"
    running.close()  # type: ignore[attr-defined]
    assert_unfinished(only(spans), "closed_early")


def test_generator_forgotten_by_its_consumer(spans: Spans) -> None:
    next(generator(5))
    gc.collect()
    assert_unfinished(only(spans), "closed_early")


def test_generator_send_throw_and_return_value(spans: Spans) -> None:
    @otelkit.traced_workflow
    def echo() -> Any:
        got = yield "ready"
        try:
            yield got
        except Boom:
            yield "caught"
        return "done"

    running = echo()
    assert [next(running), running.send("hello"), running.throw(Boom())] == ["ready", "hello", "caught"]
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == "done"
    assert only(spans).status.status_code is StatusCode.UNSET


# --- async generator


def test_async_generator_success(spans: Spans) -> None:
    async def consume() -> list[str]:
        seen = []
        async for item in async_generator(3):
            assert current() != "chat m"
            seen.append(item)
        return seen

    assert asyncio.run(consume()) == ["0", "1", "2"]
    assert (only(spans).attributes or {})["otelkit.stream.chunks"] == 3


def test_async_generator_error(spans: Spans) -> None:
    async def consume() -> None:
        async for _ in async_generator(2):
            pass

    with pytest.raises(Boom):
        asyncio.run(consume())
    assert_failed(only(spans))


def test_async_generator_early_close_from_another_task(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    async def consume() -> None:
        running = async_generator(5)
        await anext(running)
        await asyncio.create_task(running.aclose())  # type: ignore[attr-defined]

    asyncio.run(consume())
    assert_unfinished(only(spans), "closed_early")
    assert "detach" not in caplog.text


def test_async_generator_cancellation(spans: Spans) -> None:
    async def consume() -> None:
        async for _ in async_generator(5, pause=60):
            pass

    async def cancel() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert_unfinished(only(spans), "cancelled")


def test_async_generators_interleaved_keep_their_own_children(spans: Spans) -> None:
    @otelkit.traced_agent
    async def outer(name: str) -> AsyncIterator[str]:
        for i in range(3):
            await asyncio.sleep(0)
            sync_tool(i)
            yield name

    async def consume() -> None:
        one, two = outer("one"), outer("two")
        for _ in range(3):
            await anext(one)
            await anext(two)
        await one.aclose()  # type: ignore[attr-defined]
        await two.aclose()  # type: ignore[attr-defined]

    asyncio.run(consume())
    children: dict[int, int] = {}
    for span in spans():
        if span.name.startswith("execute_tool") and span.parent is not None:
            children[span.parent.span_id] = children.get(span.parent.span_id, 0) + 1
    assert list(children.values()) == [3, 3]


def test_coroutine_closed_in_another_context_logs_no_error(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    @otelkit.traced_tool
    async def waits() -> None:
        await asyncio.Future(loop=asyncio.new_event_loop())

    running: Any = waits()
    contextvars.copy_context().run(running.send, None)
    running.close()  # as the garbage collector does
    assert_unfinished(only(spans), "closed_early")
    assert "detach" not in caplog.text


# --- streams and coroutines that a function returns


def test_returned_generator_lasts_as_long_as_its_step(spans: Spans) -> None:
    @otelkit.traced_llm("m")
    def ask() -> Iterator[str]:
        assert current() == "chat m"

        def answer() -> Iterator[str]:
            assert current() == "chat m"
            yield "a"
            otelkit.record_usage(output_tokens=2)
            yield "b"

        return answer()

    stream = ask()
    assert next(stream) == "a"
    assert not spans()
    assert list(stream) == ["b"]
    attributes = only(spans).attributes or {}
    assert attributes["otelkit.stream.chunks"] == 2
    assert attributes["gen_ai.usage.output_tokens"] == 2


def test_returned_generator_that_fails_or_is_never_read(spans: Spans) -> None:
    @otelkit.traced_llm("m")
    def ask() -> Iterator[str]:
        def answer() -> Iterator[str]:
            yield "a"
            raise Boom("cut")

        return answer()

    with pytest.raises(Boom):
        list(ask())
    ask()
    gc.collect()
    failed, unread = spans()
    assert_failed(failed)
    assert_unfinished(unread, "closed_early")


def test_returned_coroutine_is_awaited_within_the_step(spans: Spans) -> None:
    @otelkit.traced_retrieval("handbook")
    def search(query: str) -> Any:
        async def found() -> list[str]:
            await asyncio.sleep(0)
            assert current() == "retrieval handbook"
            return ["one", "two"]

        return found()

    async def run() -> Any:
        return await search("why")

    assert asyncio.run(run()) == ["one", "two"]
    assert (only(spans).attributes or {})["otelkit.retrieval.result_count"] == 2


@pytest.mark.parametrize("asynchronous", [True, False])
def test_returned_async_generator_lasts_as_long_as_its_step(spans: Spans, asynchronous: bool) -> None:
    async def answer() -> AsyncIterator[str]:
        assert current() == "chat m"
        yield "a"
        yield "b"

    @otelkit.traced_llm("m")
    async def ask_async() -> AsyncIterator[str]:
        return answer()

    @otelkit.traced_llm("m")
    def ask() -> AsyncIterator[str]:
        return answer()

    async def consume() -> None:
        stream = await ask_async() if asynchronous else ask()
        assert await anext(stream) == "a"
        assert not spans()
        assert [item async for item in stream] == ["b"]

    asyncio.run(consume())
    assert (only(spans).attributes or {})["otelkit.stream.chunks"] == 2


def test_returned_iterables_of_other_kinds_stay_as_they_are(spans: Spans) -> None:
    stream = iter(["a", "b"])

    @otelkit.traced_llm("m")
    def ask() -> Iterator[str]:
        return stream

    assert ask() is stream
    assert only(spans).name == "chat m"


def test_generators_given_wrong_arguments_end_their_step(spans: Spans) -> None:
    async def consume() -> None:
        async for _ in async_generator():  # type: ignore[call-arg]
            pass

    with pytest.raises(TypeError):
        list(generator())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        asyncio.run(consume())
    assert [(span.attributes or {})["error.type"] for span in spans()] == ["TypeError", "TypeError"]


# --- forms


def test_methods_classmethods_and_staticmethods(spans: Spans) -> None:
    class Shop:
        @otelkit.traced_tool
        def method(self, a: int) -> int:
            return a

        @classmethod
        @otelkit.traced_tool
        def inside(cls, a: int) -> int:
            return a

        @otelkit.traced_tool
        @classmethod
        def outside(cls, a: int) -> int:
            return a

        @otelkit.traced_tool
        @staticmethod
        def static(a: int) -> int:
            return a

    shop = Shop()
    assert [shop.method(1), shop.inside(2), Shop.outside(3), Shop.static(4)] == [1, 2, 3, 4]
    assert [span.name.split()[1] for span in spans()] == ["method", "inside", "outside", "static"]


def test_signature_name_and_kind_stay() -> None:
    assert str(inspect.signature(sync_tool)) == "(value: 'int') -> 'int'"
    assert sync_tool.__name__ == "sync_tool"
    assert inspect.iscoroutinefunction(async_tool)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)


def test_with_options(spans: Spans) -> None:
    @otelkit.traced_tool("find_orders", integration="orders", action="search", description="finds")
    def anything() -> None: ...

    anything()
    span = only(spans)
    attributes = span.attributes or {}
    assert span.name == "execute_tool find_orders"
    assert attributes["otelkit.tool.integration"] == "orders"
    assert attributes["otelkit.tool.action"] == "search"
    assert attributes["gen_ai.tool.description"] == "finds"


@pytest.mark.parametrize(
    ("traced", "name", "operation", "kind"),
    [
        (otelkit.traced_llm("gpt", provider="openai"), "chat gpt", "chat", "CLIENT"),
        (otelkit.traced_retrieval("handbook"), "retrieval handbook", "retrieval", "CLIENT"),
        (otelkit.traced_embedding("small"), "embeddings small", "embeddings", "CLIENT"),
        (otelkit.traced_rerank("cross"), "rerank cross", "rerank", "CLIENT"),
        (otelkit.traced_agent("support"), "invoke_agent support", "invoke_agent", "INTERNAL"),
        (otelkit.traced_workflow("answer"), "invoke_workflow answer", "invoke_workflow", "INTERNAL"),
        (otelkit.traced_job("nightly"), "run_job nightly", "run_job", "CONSUMER"),
        (otelkit.traced_tool("add"), "execute_tool add", "execute_tool", "INTERNAL"),
    ],
)
def test_names_and_kinds_are_the_conventions(spans: Spans, traced: Any, name: str, operation: str, kind: str) -> None:
    with traced:
        pass
    span = only(spans)
    assert (span.name, (span.attributes or {})["gen_ai.operation.name"], span.kind.name) == (name, operation, kind)


def test_switched_off_costs_no_span(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "enabled", False)

    @otelkit.traced_tool
    def plain() -> int:
        return 1

    assert plain() == 1
    with otelkit.traced_tool("x") as step:
        step.set_attribute("a", 1)
    assert not spans()
