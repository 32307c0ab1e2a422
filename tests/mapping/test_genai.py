"""Spans of real instrumentations (fixtures) and of the conventions' corners, in one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelkit.mapping.genai import Usage, is_inference, model, normalise, operation, provider, step_kind, usage
from otelkit.mapping.openinference import consumed as openinference_consumed
from otelkit.mapping.traceloop import consumed as traceloop_consumed
from otelkit.model import Span, SpanEvent, SpanKind

FIXTURES = Path(__file__).parent / "fixtures"
SOURCES = ("otel_genai_openai", "openinference_openai", "traceloop_openai", "openinference_langchain")


def recorded(source: str) -> dict[str, list[tuple[Span, dict[str, Any]]]]:
    """The captured spans of one instrumentation by case, each with what OpenInference's own converter made of it."""
    cases = json.loads((FIXTURES / f"{source}.json").read_text())
    return {case: [(as_span(one), one["oracle"]) for one in spans] for case, spans in cases.items()}


def as_span(one: dict[str, Any]) -> Span:
    return Span(
        trace_id=bytes.fromhex(one["trace_id"]),
        span_id=bytes.fromhex(one["span_id"]),
        parent_id=bytes.fromhex(one["parent_id"]),
        name=one["name"],
        kind=SpanKind[one["kind"]],
        start=one["start"],
        end=one["end"],
        attributes=one["attributes"],
        events=tuple(SpanEvent(event["name"], event.get("time", 0), event["attributes"]) for event in one["events"]),
    )


def span_of(attributes: dict[str, Any], **changes: Any) -> Span:
    return Span(bytes(15) + b"1", bytes(7) + b"1", b"", "name", SpanKind.INTERNAL, 1_000, 2_000)._replace(
        attributes=attributes, **changes
    )


# What the stand-in server's ledger says that each case cost: (input, output, cached, reasoning) of each call.
LEDGER = {
    "chat": [(23, 31, 0, 0)],
    "stream_with_usage": [(23, 27, 0, 0)],
    "tools": [(98, 12, 0, 0), (112, 1, 0, 0)],
    "reasoning": [(23, 283, 0, 256)],
}


@pytest.mark.parametrize("source", SOURCES[:3])
@pytest.mark.parametrize("case", LEDGER)
def test_three_instrumentations_say_the_same_as_the_server(source: str, case: str) -> None:
    spans = [normalise(span) for span, _ in recorded(source)[case]]
    found = [usage(span) for span in spans]
    assert [(one.input, one.output, one.cache_read or 0, one.reasoning or 0) for one in found] == LEDGER[case]
    for span in spans:
        assert (operation(span), provider(span), step_kind(span)) == ("chat", "openai", "llm")
        assert span.kind == SpanKind.CLIENT
        assert is_inference(span)
        asked = "o3-mini" if case == "reasoning" else "gpt-4o-mini"
        assert span.attributes["gen_ai.request.model"] == asked
        assert model(span) == {"o3-mini": "o3-mini-2025-01-31", "gpt-4o-mini": "gpt-4o-mini-2024-07-18"}[asked]
        assert str(span.attributes["gen_ai.response.id"]).startswith("chatcmpl-")


@pytest.mark.parametrize("source", SOURCES[:3])
def test_cached_tokens(source: str) -> None:
    last = usage(normalise(recorded(source)["cached"][-1][0]))
    assert (last.input, last.cache_read, last.output) == (2013, 1920, 15)


@pytest.mark.parametrize("source", SOURCES[:3])
def test_a_stream_without_usage_is_unknown(source: str) -> None:
    (span, _), *_ = recorded(source)["stream_without_usage"]
    span = normalise(span)
    assert usage(span) == Usage()
    assert span.attributes["gen_ai.request.stream"] is True
    assert 0.0 < float(str(span.attributes["gen_ai.response.time_to_first_chunk"])) < 5.0


@pytest.mark.parametrize("source", SOURCES[:3])
def test_embeddings(source: str) -> None:
    (span, _), *_ = recorded(source)["embeddings"]
    span = normalise(span)
    assert (operation(span), step_kind(span), model(span)) == ("embeddings", "embedding", "text-embedding-3-small")
    assert usage(span).input == 3
    assert not is_inference(span)
    assert "vector" not in repr(span.attributes)


@pytest.mark.parametrize("source", SOURCES[:3])
def test_messages_in_the_conventions_schema(source: str) -> None:
    spans = [normalise(span) for span, _ in recorded(source)["tools"]]
    asked = json.loads(str(spans[0].attributes["gen_ai.input.messages"]))
    assert asked[0]["role"] == "user"
    assert asked[0]["parts"] == [{"type": "text", "content": "What is the weather in Paris? use get_weather"}]
    (answer,) = json.loads(str(spans[0].attributes["gen_ai.output.messages"]))
    (call,) = answer["parts"]
    assert (call["type"], call["name"], call["arguments"]) == ("tool_call", "get_weather", {"city": "Paris"})
    told = json.loads(str(spans[1].attributes["gen_ai.input.messages"]))[-1]
    assert (told["role"], told["parts"][0]["type"], told["parts"][0]["id"]) == (
        "tool",
        "tool_call_response",
        call["id"],
    )


def all_recorded() -> list[Any]:
    return [
        pytest.param(span, oracle, id=f"{source}-{case}-{number}")
        for source in SOURCES
        for case, spans in recorded(source).items()
        for number, (span, oracle) in enumerate(spans)
    ]


@pytest.mark.parametrize(("span", "oracle"), all_recorded())
def test_normalising_is_idempotent_and_consumes(span: Span, oracle: dict[str, Any]) -> None:
    before = repr(span)
    once = normalise(span)
    assert repr(span) == before
    assert normalise(once) is once
    assert [key for key in once.attributes if openinference_consumed(key) or traceloop_consumed(key)] == []


@pytest.mark.parametrize(("span", "oracle"), [one for one in all_recorded() if one.values[1]])
def test_agrees_with_openinferences_own_converter(span: Span, oracle: dict[str, Any]) -> None:
    ours = normalise(span).attributes
    plain = [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.max_tokens",
        "gen_ai.embeddings.dimension.count",
        "gen_ai.retrieval.query.text",
        "gen_ai.tool.name",
        "gen_ai.tool.call.id",
        "gen_ai.tool.call.result",
        "gen_ai.tool.description",
    ]
    assert {key: ours.get(key) for key in plain if key in oracle} == {
        key: oracle[key] for key in plain if key in oracle
    }
    assert set(plain) & ours.keys() <= oracle.keys() | {"gen_ai.tool.call.result"}
    # Its request model is the one that answered; ours keeps the two apart.
    assert oracle.get("gen_ai.request.model", "") in (model(normalise(span)), ours.get("gen_ai.request.model"))
    for key in ("gen_ai.input.messages", "gen_ai.output.messages"):
        if key in oracle:
            theirs = json.loads(oracle[key])
            mine = json.loads(str(ours[key]))
            for message in theirs if "finish_reason" not in mine[0] else []:
                message.pop("finish_reason", None)
            assert mine == theirs


def test_an_agent_run_of_langchain() -> None:
    kinds = {span.name: step_kind(normalise(span)) for span, _ in recorded("openinference_langchain")["agent"]}
    assert kinds == {
        "ChatOpenAI": "llm",
        "model": "workflow",
        "tools": "workflow",
        "get_weather": "tool",
        "weather_agent": "agent",
    }
    agent = next(normalise(s) for s, _ in recorded("openinference_langchain")["agent"] if s.name == "weather_agent")
    assert agent.attributes["gen_ai.agent.name"] == "weather_agent"
    retriever = next(
        normalise(s) for s, _ in recorded("openinference_langchain")["chain"] if s.name == "VectorStoreRetriever"
    )
    assert retriever.attributes["otelkit.retrieval.result_count"] == 2
    assert retriever.attributes["gen_ai.retrieval.query.text"] == "what colour is the sky?"
    assert "the sky is blue" not in repr(retriever.attributes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"gen_ai.system": "az.ai.openai", "gen_ai.operation.name": "chat"},
            {"gen_ai.provider.name": "azure.ai.openai", "gen_ai.operation.name": "chat"},
        ),
        (
            {"gen_ai.system": "openai", "gen_ai.provider.name": "groq"},
            {"gen_ai.provider.name": "groq"},
        ),
        (
            {"gen_ai.provider.name": "bedrock", "gen_ai.usage.cache_creation.input_tokens": 5},
            {"gen_ai.provider.name": "aws.bedrock", "gen_ai.usage.cache_write.input_tokens": 5},
        ),
        (
            {"gen_ai.system": "OpenAI", "gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 8},
            {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 8},
        ),
        (
            {"llm.request.type": "rerank", "llm.request.model": "r", "llm.usage.total_tokens": 3},
            {"gen_ai.operation.name": "rerank", "gen_ai.request.model": "r"},
        ),
        (
            {"traceloop.span.kind": "tool", "traceloop.entity.name": "find", "traceloop.entity.input": "{}"},
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{}"},
        ),
        (
            {"traceloop.span.kind": "workflow", "traceloop.entity.name": "answer", "traceloop.entity.output": "o"},
            {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "answer", "otelkit.output": "o"},
        ),
        ({"traceloop.span.kind": "task"}, {"otelkit.step": "task"}),
        (
            {"traceloop.association.properties.user_id": "u", "traceloop.association.properties.session_id": "c"},
            {"user.id": "u", "gen_ai.conversation.id": "c"},
        ),
        (
            {"gen_ai.operation.name": "retrieval", "gen_ai.request.top_k": 4},
            {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.top_k": 4},
        ),
        (
            {"openinference.span.kind": "RERANKER", "reranker.model_name": "m", "reranker.query": "q"}
            | {"reranker.output_documents.0.document.score": 0.5, "reranker.output_documents.0.document.id": 7},
            {
                "gen_ai.operation.name": "rerank",
                "otelkit.rerank.model": "m",
                "gen_ai.retrieval.query.text": "q",
                "otelkit.retrieval.result_count": 1,
                "otelkit.retrieval.score.max": 0.5,
                "otelkit.retrieval.score.min": 0.5,
                "otelkit.retrieval.score.mean": 0.5,
                "otelkit.retrieval.scores": (0.5,),
                "gen_ai.retrieval.documents": '[{"id": "7", "score": 0.5}]',
            },
        ),
        (
            {"openinference.span.kind": "LLM", "llm.provider": "azure", "llm.system": "openai"},
            {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai"},
        ),
        (
            {"openinference.span.kind": "LLM", "llm.prompts.0.prompt.text": "say"},
            {
                "gen_ai.operation.name": "text_completion",
                "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "say"}]}]',
            },
        ),
        (
            {"gen_ai.system": "anthropic", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "be brief"}
            | {"gen_ai.completion.0.finish_reason": "tool_calls", "gen_ai.completion.0.role": "assistant"}
            | {"gen_ai.completion.0.tool_calls.0.name": "f", "gen_ai.completion.0.tool_calls.0.arguments": '{"a": 1}'},
            {
                "gen_ai.provider.name": "anthropic",
                "gen_ai.input.messages": '[{"role": "system", "parts": [{"type": "text", "content": "be brief"}]}]',
                "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "tool_call", "name": "f",'
                ' "arguments": {"a": 1}}], "finish_reason": "tool_call"}]',
                "gen_ai.response.finish_reasons": ("tool_calls",),
            },
        ),
    ],
)
def test_names_of_other_conventions(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = normalise(span_of(given))
    assert found.attributes == expected
    assert normalise(found) is found


@pytest.mark.parametrize("wrong", [-1, "12", True, 1.5, None, float("nan"), [3]])
def test_what_is_no_count_is_unknown(wrong: Any) -> None:
    span = span_of(
        {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": wrong}
    )
    found = normalise(span)
    assert "gen_ai.usage.output_tokens" not in found.attributes
    assert usage(found) == usage(span) == Usage(input=5)


def test_zero_of_a_stream_that_did_not_report_is_unknown() -> None:
    silent = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    assert usage(normalise(span_of(silent | {"gen_ai.usage.cache_read.input_tokens": 0}))) == Usage()
    empty_answer = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 0}
    assert usage(normalise(span_of(empty_answer))) == Usage(9, 0)
    counted_elsewhere = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 0}
    assert usage(normalise(span_of(counted_elsewhere))) == Usage(0)


def test_whole_floats_are_counts() -> None:
    found = normalise(span_of({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 12.0}))
    assert usage(found) == Usage(12)


def test_results_of_a_vector_store_become_a_retrieval() -> None:
    events = tuple(
        SpanEvent("db.query.result", 5, {"db.query.result.id": key, "db.query.result.document": "secret text"} | extra)
        for key, extra in (("a", {"db.query.result.score": 0.9}), ("b", {"db.query.result.score": 0.3}), ("c", {}))
    )
    found = normalise(span_of({"db.system": "chroma", "db.vector.query.top_k": 3}, events=events))
    assert (operation(found), step_kind(found), found.events) == ("retrieval", "retrieval", ())
    assert found.attributes["otelkit.retrieval.result_count"] == 3
    assert found.attributes["otelkit.retrieval.scores"] == (0.9, 0.3)
    assert found.attributes["gen_ai.retrieval.top_k"] == 3
    assert json.loads(str(found.attributes["gen_ai.retrieval.documents"])) == [
        {"id": "a", "score": 0.9},
        {"id": "b", "score": 0.3},
        {"id": "c"},
    ]
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, "app"),
        ({"http.request.method": "GET"}, "http"),
        ({"db.system.name": "postgresql"}, "db"),
        ({"db.system": "sqlite"}, "db"),
        ({"messaging.system": "kafka"}, "messaging"),
        ({"gen_ai.operation.name": "run_job"}, "job"),
        ({"gen_ai.operation.name": "chat", "http.request.method": "POST"}, "llm"),
        ({"gen_ai.operation.name": ["not", "text"]}, "app"),
    ],
)
def test_step_kinds(attributes: dict[str, Any], kind: str) -> None:
    assert step_kind(span_of(attributes)) == kind


def test_a_span_of_no_llm_is_the_same_object() -> None:
    for attributes in ({}, {"http.route": "/x", "http.request.method": "GET"}, {"llm": 1, "input": "x"}):
        span = span_of(attributes)
        assert normalise(span) is span


KEYS = sorted(
    {
        key
        for source in SOURCES
        for spans in recorded(source).values()
        for span, oracle in spans
        for key in [*span.attributes, *oracle]
    }
    | {"traceloop.span.kind", "traceloop.entity.name", "gen_ai.system", "llm.request.type", "llm.provider"}
    | {"gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.x", "llm.prompts", "llm.tools"}
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["LLM", "TOOL", "RETRIEVER", "chat", "agent", "{", '{"a": [1]}', "[1]"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12))
def test_any_values_under_known_keys(attributes: dict[str, Any]) -> None:
    span = span_of(attributes)
    once = normalise(span)
    assert normalise(once) is once
    for read in (operation, provider, model, step_kind, usage, is_inference):
        read(once)
        read(span)
