"""What steps record of results, counts and content, and that recording never raises."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import otelkit
from otelkit.sdk.guard import Guard, guard
from tests.sdk.spans import Spans, only


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
