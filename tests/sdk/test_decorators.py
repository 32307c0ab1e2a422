"""A decorated function of each kind × how it can end (style: sync, async, generator, async generator × success, error,
early close, cancellation)."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import gc
import inspect
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

import otelkit
from otelkit.sdk.guard import Guard, guard
from otelkit.sdk.steps import State

Spans = Callable[[], list[ReadableSpan]]


class Boom(Exception):
    pass


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


def current() -> str:
    return getattr(trace.get_current_span(), "name", "")


def only(spans: Spans) -> ReadableSpan:
    (span,) = spans()
    return span


def assert_failed(span: ReadableSpan) -> None:
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"].endswith("Boom")  # type: ignore[union-attr]
    assert [event.name for event in span.events] == ["exception"]


def assert_unfinished(span: ReadableSpan, outcome: str) -> None:
    """Neither a success nor an error: UNSET, no exception event, and a word for what it was."""
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["otelkit.outcome"] == outcome
    assert "error.type" not in span.attributes
    assert not span.events


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


def test_context_manager_nests_and_reports(spans: Spans) -> None:
    with otelkit.traced_agent("support"), otelkit.traced_llm("gpt-4o", provider="openai") as step:
        otelkit.record_usage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=2)
        otelkit.record_response(model="gpt-4o-2024", id="r1", finish_reasons=["stop"])
        step.chunk()
        step.record_usage(cache_write_tokens=1)
    llm, agent = spans()
    attributes = llm.attributes or {}
    assert llm.parent is not None and agent.context is not None and llm.parent.span_id == agent.context.span_id  # noqa: PT018
    assert attributes["gen_ai.usage.input_tokens"] == 10
    assert attributes["gen_ai.usage.output_tokens"] == 5
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 4
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 1
    assert attributes["gen_ai.usage.reasoning.output_tokens"] == 2
    assert attributes["gen_ai.response.model"] == "gpt-4o-2024"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.agent.name"] == "support"


def test_async_context_manager_and_errors(spans: Spans) -> None:
    async def work() -> None:
        async with otelkit.traced_tool("find"):
            await asyncio.sleep(0)
            raise Boom("x")

    with pytest.raises(Boom):
        asyncio.run(work())
    assert_failed(only(spans))


def test_with_left_in_another_context_ends_its_own_step(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    before = otel_context.get_current()
    with otelkit.traced_agent("outer"):
        inner = otelkit.traced_tool("inner")  # as a sync `yield` dependency of FastAPI: each half in a copy
        contextvars.copy_context().run(inner.__enter__)
        contextvars.copy_context().run(inner.__exit__, None, None, None)
        assert [span.name for span in spans()] == ["execute_tool inner"]
        assert current() == "invoke_agent outer"
        late = otelkit.traced_tool("late")
        late.__enter__()
        contextvars.copy_context().run(late.__exit__, None, None, None)  # where it is current, by another's token
    assert [span.name.split()[1] for span in spans()] == ["inner", "late", "outer"]
    assert otel_context.get_current() is before
    assert "detach" not in caplog.text


def suspended_inside_a_step() -> Iterator[None]:
    with otelkit.traced_tool("a"):
        yield


def test_with_in_a_generator_closed_inside_another_step(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    before, running = otel_context.get_current(), suspended_inside_a_step()
    next(running)
    with otelkit.traced_tool("b") as step:
        running.close()  # type: ignore[attr-defined]
        assert [span.name for span in spans()] == ["execute_tool a"]
        assert trace.get_current_span() is step.span
    assert [span.name for span in spans()] == ["execute_tool a", "execute_tool b"]
    assert otel_context.get_current() is before
    assert "detach" not in caplog.text


def test_with_in_a_generator_that_outlives_another_step(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    before, running = otel_context.get_current(), suspended_inside_a_step()
    with otelkit.traced_tool("b"):
        next(running)
    assert [span.name for span in spans()] == ["execute_tool b"]
    running.close()  # type: ignore[attr-defined]
    assert [span.name for span in spans()] == ["execute_tool b", "execute_tool a"]
    assert otel_context.get_current() is before
    assert "detach" not in caplog.text


def test_with_one_shared_by_threads(spans: Spans) -> None:
    shared, together = otelkit.traced_tool("shared"), threading.Barrier(4)

    def work(number: int) -> None:
        with shared as step:
            together.wait(10)
            step.set_attribute("number", number)
            with otelkit.traced_tool("inside"):
                together.wait(10)
            assert trace.get_current_span() is step.span
            if number % 2:
                together.wait(10)
        if not number % 2:
            together.wait(10)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ended = [span for span in spans() if span.name == "execute_tool shared"]
    assert sorted((span.attributes or {})["number"] for span in ended) == [0, 1, 2, 3]  # type: ignore[type-var]


def test_left_without_being_entered_ends_nothing(spans: Spans) -> None:
    with otelkit.traced_agent("outer"):
        otelkit.traced_tool("inner").__exit__(None, None, None)
        assert not spans()
    assert only(spans).name == "invoke_agent outer"


@pytest.fixture
def forgiving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Guard, "strict", False)
    yield
    guard.swallowed = 0


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Odd(Sequence[str]):
    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError("no items")


def test_steps_methods_never_raise(spans: Spans, forgiving: None) -> None:
    with otelkit.traced_llm("m") as step:
        step.fail(Mute())
        step.fail(Mute)  # type: ignore[arg-type]
        step.fail(5)  # type: ignore[arg-type]
        step.record_response(model="answered", finish_reasons=5)  # type: ignore[arg-type]
        step.record_response(id=Mute())  # type: ignore[arg-type]
        step.set_attribute("odd", Odd())
        step.record_results(Odd())
        step.record_messages(input=5)  # type: ignore[arg-type]
        otelkit.record_response(finish_reasons=5)  # type: ignore[arg-type]
    assert (only(spans).attributes or {})["gen_ai.response.model"] == "answered"


def test_an_error_without_words_is_still_an_error(spans: Spans) -> None:
    with pytest.raises(Mute), otelkit.traced_tool("find"):
        raise Mute
    span = only(spans)
    attributes = span.attributes or {}
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "Mute: <Mute>"
    assert attributes["error.type"].endswith("Mute")  # type: ignore[union-attr]
    assert attributes["otelkit.outcome"] == "error"
    assert [event.name for event in span.events] == ["exception"]


def test_fail_without_raising(spans: Spans) -> None:
    with otelkit.traced_tool("find") as step:
        step.fail("nobody home")
    span = only(spans)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "nobody home"


def test_wrong_counts_are_left_out(spans: Spans) -> None:
    with otelkit.traced_llm("m"):
        otelkit.record_usage(input_tokens=-1, output_tokens="7")  # type: ignore[arg-type]
    assert not any(key.startswith("gen_ai.usage") for key in only(spans).attributes or {})


def test_helpers_outside_any_step_do_nothing() -> None:
    otelkit.record_usage(input_tokens=1)
    otelkit.record_chunk("x")
    otelkit.record_results([1])
    otelkit.record_response(id="x")


@pytest.mark.parametrize(
    ("results", "count", "scores"),
    [
        ([], 0, None),
        ([({"id": 1}, 0.5), ({"id": 2}, 0.25)], 2, (0.5, 0.25)),
        ([{"id": "a", "score": 0.9}], 1, (0.9,)),
        ({"matches": [{"id": "a", "score": 0.9}, {"id": "b"}]}, 2, (0.9,)),
        ([{"metadata": {"relevance_score": 0.1}}], 1, (0.1,)),
        (["just", "text"], 2, None),
    ],
)
def test_retrieval_results_are_read(spans: Spans, results: Any, count: int, scores: Any) -> None:
    @otelkit.traced_retrieval(data_source="handbook")
    def search(query: str, k: int = 5) -> Any:
        return results

    search("secret question", k=3)
    attributes = only(spans).attributes or {}
    assert attributes["otelkit.retrieval.result_count"] == count
    assert attributes.get("otelkit.retrieval.scores") == scores
    assert attributes["gen_ai.retrieval.top_k"] == 3
    assert "secret question" not in str(dict(attributes))


def test_a_retrievals_k_is_read_by_position_and_does_not_replace_what_was_said(spans: Spans) -> None:
    class Store:
        @otelkit.traced_retrieval("handbook")
        def search(self, query: str, k: int = 5) -> None: ...

        @otelkit.traced_retrieval("handbook", top_k=10)
        def rough(self, query: str, top_k: int = 5) -> None: ...

        def plain(self, query: str, k: int = 5) -> None: ...

    Store().search("why", 3)
    Store().rough("why", 3)
    otelkit.traced_retrieval("handbook")(Store().plain)("why", 7)
    assert [(span.attributes or {})["gen_ai.retrieval.top_k"] for span in spans()] == [3, 10, 7]


def test_partials_and_bound_methods_keep_names_and_parameters(spans: Spans, content: None) -> None:
    def passing(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inner

    class Shop:
        def find(self, name: str, color: str) -> None: ...

        @passing
        def look(self, name: str, color: str) -> None: ...

    def order(shop: str, name: str, color: str) -> None: ...

    for function in (Shop().find, Shop().look, functools.partial(order, "north"), passing(Shop().find)):
        otelkit.traced_tool(function)("hat", "red")
    assert [span.name.split()[1] for span in spans()] == ["find", "look", "order", "find"]
    for span in spans():
        given = json.loads(str((span.attributes or {})["gen_ai.tool.call.arguments"]))
        assert given == {"name": "hat", "color": "red"}


def test_nothing_but_names_and_counts_without_opt_in(spans: Spans) -> None:
    @otelkit.traced_tool
    def tool(secret: str) -> str:
        return secret

    @otelkit.traced_llm("m")
    def stream() -> Iterator[str]:
        yield "secret"

    tool("secret")
    list(stream())
    assert "secret" not in str([dict(span.attributes or {}) for span in spans()])


def test_content_with_opt_in(spans: Spans, content: None) -> None:
    @otelkit.traced_tool
    def tool(question: str) -> dict[str, str]:
        return {"answer": question.upper()}

    @otelkit.traced_llm("m")
    def stream() -> Iterator[str]:
        yield "to"
        yield "ken"

    tool("why")
    list(stream())
    first, second = spans()
    assert (first.attributes or {})["gen_ai.tool.call.arguments"] == "why"
    assert (first.attributes or {})["gen_ai.tool.call.result"] == '{"answer": "WHY"}'
    assert (second.attributes or {})["otelkit.output"] == "token"


def test_switched_off_costs_no_span(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "enabled", False)

    @otelkit.traced_tool
    def plain() -> int:
        return 1

    assert plain() == 1
    with otelkit.traced_tool("x") as step:
        step.set_attribute("a", 1)
    assert not spans()


def test_switched_off_with_blocks_leave_the_context_alone(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with otelkit.traced_agent("on"):
        monkeypatch.setattr(State, "enabled", False)
        before = otel_context.get_current()
        with otelkit.traced_tool("one"), otelkit.traced_tool("two") as step:
            assert otel_context.get_current() is before
            step.set_attribute("a", 1)
            step.fail("not recorded")
        assert otel_context.get_current() is before
        monkeypatch.setattr(State, "enabled", True)
    span = only(spans)
    assert (span.name, span.status.status_code) == ("invoke_agent on", StatusCode.UNSET)
    assert "a" not in (span.attributes or {})
    assert "detach" not in caplog.text


@pytest.mark.parametrize("at_first", [True, False])
def test_switched_between_enter_and_exit(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, at_first: bool
) -> None:
    before = otel_context.get_current()
    with otelkit.traced_agent("outer"):
        outer = otel_context.get_current()
        monkeypatch.setattr(State, "enabled", at_first)
        with otelkit.traced_tool("inner"):
            monkeypatch.setattr(State, "enabled", not at_first)
        assert otel_context.get_current() is outer
    assert otel_context.get_current() is before
    inner = ["execute_tool inner"] if at_first else []
    assert [span.name for span in spans()] == [*inner, "invoke_agent outer"]
    assert "detach" not in caplog.text


def test_captured_input_is_the_arguments_by_name_without_self(spans: Spans, content: None) -> None:
    @dataclasses.dataclass
    class Agent:
        key: str = "secret-key"

        @otelkit.traced_agent
        def one(self, question: str) -> str:
            return question

        @otelkit.traced_workflow
        def two(self, question: str, *, tone: str) -> None: ...

    Agent().one("why")
    Agent().two("why", tone="dry")
    one, two = spans()
    assert (one.attributes or {})["otelkit.input"] == "why"
    assert json.loads(str((two.attributes or {})["otelkit.input"])) == {"question": "why", "tone": "dry"}
    assert "secret-key" not in str(one.attributes) + str(two.attributes)


def test_messages_of_a_chat_in_the_conventions_schema(spans: Spans, content: None) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    with otelkit.traced_llm("m"):
        otelkit.record_messages(
            input=[
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
            ],
            output=["hello"],
        )
    attributes = only(spans).attributes or {}
    assert json.loads(str(attributes["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"n": 1}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}]},
    ]
    said = json.loads(str(attributes["gen_ai.output.messages"]))
    assert said == [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]


def test_messages_are_not_recorded_without_opt_in(spans: Spans) -> None:
    with otelkit.traced_llm("m"):
        otelkit.record_messages(input=[{"role": "user", "content": "secret"}], output=["secret"])
    assert "secret" not in str(dict(only(spans).attributes or {}))


def test_long_conversations_stay_json(spans: Spans, content: None) -> None:
    with otelkit.traced_llm("m"):
        otelkit.record_messages(input=[{"role": "user", "content": f"{i} " + "x" * 40_000} for i in range(9)])
    kept = json.loads(str((only(spans).attributes or {})["gen_ai.input.messages"]))
    assert [message["parts"][0]["content"][:2] for message in kept] == ["6 ", "7 ", "8 "]


def test_what_was_said_is_recorded_once(spans: Spans, content: None) -> None:
    with otelkit.traced_llm("m") as step:
        step.chunk("hel")
        step.chunk("lo")
        step.record_messages(output=["hello"])
    assert "otelkit.output" not in (only(spans).attributes or {})
