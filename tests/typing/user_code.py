"""Code as a user writes it: never run, checked by ``mypy --strict`` (tests/test_public_surface.py).

Each decorator keeps what it decorates: sync, async, generator, async generator, method, classmethod, staticmethod.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, assert_type

import otelkit
from otelkit.sdk.decorators import Traced
from otelkit.sdk.steps import Step

# --- sync, bare and with options: each decorator ---


@otelkit.traced_tool
def tool(order: int, *, deep: bool = False) -> dict[str, str]:
    return {}


@otelkit.traced_tool("find_order", integration="orders", action="find")
def tool_with_options(order: int) -> dict[str, str]:
    return {}


@otelkit.traced_llm
def llm(prompt: str) -> str:
    return ""


@otelkit.traced_llm("gpt-4o-mini", provider="openai", stream=False)
def llm_with_options(prompt: str) -> str:
    return ""


@otelkit.traced_retrieval
def retrieval(query: str, k: int = 5) -> list[float]:
    return []


@otelkit.traced_retrieval(data_source="handbook", top_k=5)
def retrieval_with_options(query: str) -> list[float]:
    return []


@otelkit.traced_embedding
def embedding(text: str) -> list[float]:
    return []


@otelkit.traced_embedding("text-embedding-3-small", provider="openai", dimensions=1536)
def embedding_with_options(text: str) -> list[float]:
    return []


@otelkit.traced_rerank
def rerank(query: str) -> list[tuple[str, float]]:
    return []


@otelkit.traced_rerank("rerank-v3.5", provider="cohere")
def rerank_with_options(query: str) -> list[tuple[str, float]]:
    return []


@otelkit.traced_agent
def agent(question: str) -> str:
    return ""


@otelkit.traced_agent("planner", agent_id="a-1")
def agent_with_options(question: str) -> str:
    return ""


@otelkit.traced_workflow
def workflow(question: str) -> bytes:
    return b""


@otelkit.traced_workflow("answer")
def workflow_with_options(question: str) -> bytes:
    return b""


@otelkit.traced_job
def job(day: str) -> None: ...


@otelkit.traced_job("nightly")
def job_with_options(day: str) -> int:
    return 0


@otelkit.sync
def pull(day: str) -> None: ...


@otelkit.sync("calendar", group="acme")
async def pull_with_options(day: str) -> int:
    return 0


pulled: Callable[[str], Coroutine[Any, Any, int]] = pull_with_options
otelkit.budget("POST /chat", p95="2s", mean=1.5, tokens=4000)
otelkit.vector_index("handbook", 1200)
otelkit.vector_index("handbook", lambda: None)
otelkit.vector_index("handbook", "many")  # type: ignore[arg-type]
otelkit.budget("static", path="dist/", bytes="300KB")
otelkit.budget("POST /chat", p90="2s")  # type: ignore[call-arg]
synced: Callable[[str], None] = pull
assert_type(tool(7, deep=True), dict[str, str])
assert_type(tool_with_options(7), dict[str, str])
assert_type(llm("q"), str)
assert_type(llm_with_options("q"), str)
assert_type(retrieval("q", k=3), list[float])
assert_type(retrieval_with_options("q"), list[float])
assert_type(embedding("q"), list[float])
assert_type(embedding_with_options("q"), list[float])
assert_type(rerank("q"), list[tuple[str, float]])
assert_type(rerank_with_options("q"), list[tuple[str, float]])
assert_type(agent("q"), str)
assert_type(agent_with_options("q"), str)
assert_type(workflow("q"), bytes)
assert_type(workflow_with_options("q"), bytes)
assert_type(job_with_options("monday"), int)
as_callable: Callable[[str], None] = job
tool("seven")  # type: ignore[arg-type]
tool(7, True)  # type: ignore[call-arg]
llm()  # type: ignore[call-arg]


# --- async, generators, async generators ---


@otelkit.traced_tool
async def async_tool(order: int) -> dict[str, str]:
    return {}


@otelkit.traced_llm("gpt-4o-mini")
def stream(prompt: str) -> Iterator[str]:
    yield ""


@otelkit.traced_llm("gpt-4o-mini")
async def async_stream(prompt: str) -> AsyncIterator[str]:
    yield ""


@otelkit.traced_agent
async def async_agent(question: str) -> str:
    found = await async_tool(7)
    assert_type(found, dict[str, str])
    for word in stream(question):
        assert_type(word, str)
    async for word in async_stream(question):
        assert_type(word, str)
    return ""


as_coroutine: Callable[[int], Coroutine[Any, Any, dict[str, str]]] = async_tool
assert_type(stream("q"), Iterator[str])
assert_type(async_stream("q"), AsyncIterator[str])
awaited: Callable[[str], Awaitable[str]] = async_agent


# --- methods ---


class Assistant:
    @otelkit.traced_tool
    def plain(self, order: int) -> int:
        return order

    @otelkit.traced_tool("renamed")
    async def later(self, order: int) -> int:
        return order

    @otelkit.traced_llm("gpt-4o-mini")
    def words(self, prompt: str) -> Iterator[str]:
        yield ""

    @otelkit.traced_llm("gpt-4o-mini")
    async def later_words(self, prompt: str) -> AsyncIterator[str]:
        yield ""

    @classmethod
    @otelkit.traced_workflow
    def of_class(cls, name: str) -> Assistant:
        return cls()

    @staticmethod
    @otelkit.traced_job
    def static(name: str) -> bool:
        return True

    @property
    @otelkit.traced_retrieval
    def found(self) -> list[int]:
        return []


assistant = Assistant()
assert_type(assistant.plain(7), int)
later: Callable[[int], Coroutine[Any, Any, int]] = assistant.later
assert_type(assistant.words("q"), Iterator[str])
assert_type(assistant.later_words("q"), AsyncIterator[str])
assert_type(Assistant.of_class("a"), Assistant)
assert_type(Assistant.static("a"), bool)
assert_type(assistant.found, list[int])
assistant.plain("seven")  # type: ignore[arg-type]


# --- with blocks ---


async def with_blocks() -> None:
    assert_type(otelkit.traced_tool("find_order"), Traced)
    with otelkit.traced_llm("gpt-4o-mini", provider="openai") as step:
        assert_type(step, Step)
        step.record_usage(input_tokens=10, output_tokens=2, cached_tokens=4)
        step.record_response(model="gpt-4o-mini-2024-07-18", id="r-1", finish_reasons=["stop"])
        step.chunk("word")
        step.set_attribute("app.variant", "b")
    async with otelkit.traced_retrieval("handbook") as search:
        assert_type(search, Step)
        search.record_results([{"id": 1}], scores=[0.5])


# --- session, events, own metrics, executors, life cycle ---


def work(item: str, times: int = 1) -> float:
    return 0.0


def everything_else() -> None:
    otelkit.init(service="shop", capture_content=False, session=lambda scope: {"user_id": scope.get("user")})
    otelkit.init(service=7)  # type: ignore[arg-type]
    with otelkit.session(user_id="u", group_id=7, conversation_id="c", consent=["analytics.usage_patterns"]) as who:
        assert_type(who.user, str)
        assert_type(otelkit.track("chat.message_sent", message_length=3), bool)
    otelkit.define_event("timer.started", "A timer began.", {"kind": str})
    otelkit.counter("timers.started").add(1, {"kind": "egg"})
    otelkit.up_down_counter("queue.length").add(-1)
    otelkit.gauge("workers.busy").set(3)
    otelkit.histogram("report.pages", boundaries=[1, 5, 10]).record(7)
    otelkit.record_usage(input_tokens=1)
    otelkit.record_usage(input_tokens="1")  # type: ignore[arg-type]
    otelkit.record_response(model="m")
    otelkit.record_results([("document", 0.5)])
    otelkit.record_chunk("word")
    otelkit.capture_message("the queue is full", level="warning", length=7)
    assert_type(otelkit.security_event("authentication.failed", user="u-17", reason="wrong_password", attempts=3), bool)
    otelkit.security_event("token.misused", outcome="fine")  # type: ignore[arg-type]
    bound = otelkit.bind(work)
    assert_type(bound("item", times=2), float)
    bound(7)  # type: ignore[arg-type]
    with ThreadPoolExecutor() as pool:
        assert_type(pool.submit(bound, "item").result(), float)
    assert_type(otelkit.flush(1.0), bool)
    assert_type(otelkit.shutdown(), bool)
    try:
        asyncio.run(with_blocks())
    except otelkit.OtelkitError as error:
        assert_type(error, otelkit.OtelkitError)
    except otelkit.SettingsError:
        pass
