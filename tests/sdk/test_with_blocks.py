"""Steps as ``with`` blocks: nested, across contexts and threads, switched on and off inside."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import otelkit
from otelkit.sdk.steps import State
from tests.sdk.spans import Boom, Spans, assert_failed, current, only


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
