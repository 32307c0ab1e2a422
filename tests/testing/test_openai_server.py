"""The stand-in for OpenAI's API, seen through the real `openai` client."""

from __future__ import annotations

import asyncio
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("uvicorn")

from otelkit.testing.openai_faults import Fault, Faults  # noqa: E402  (after the skip)
from otelkit.testing.openai_server import OpenAIServer, main, vector_of  # noqa: E402
from otelkit.testing.openai_tokens import count, pieces  # noqa: E402
from otelkit.testing.openai_words import Passage, best_sentences, passages, sentences  # noqa: E402

MODEL = "gpt-4o-mini"
TRACES = [{"role": "user", "content": "What do traces show?"}]


def tool(name: str, parameter: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {parameter: {"type": kind, **more}}, "required": [parameter]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("find_order", "order_number"), tool("calculate", "expression"), tool("get_weather", "city")]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(latency=0) as running:
        yield running


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[Any]:
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as connected:
        yield connected


def test_plain_answer_and_ledger_agree(server: OpenAIServer, client: Any) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=TRACES)
    (entry,) = server.ledger
    assert answer.choices[0].message.content.startswith("You asked about traces")
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.id) == (entry.response_model, entry.response_id)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        entry.prompt_tokens,
        entry.completion_tokens,
    )
    assert answer.usage.completion_tokens == count(answer.choices[0].message.content)
    assert (entry.model, entry.status, entry.stream, entry.usage_reported) == (MODEL, 200, False, True)


def test_identical_requests_get_identical_answers(client: Any) -> None:
    first, again = (client.chat.completions.create(model=MODEL, messages=TRACES) for _ in range(2))
    assert first.choices == again.choices
    assert first.usage == again.usage
    assert first.id != again.id


def test_stream_with_usage_ends_with_a_chunk_without_choices(server: OpenAIServer, client: Any) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=TRACES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert [bool(chunk.choices) for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in chunks[:-1])
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    (entry,) = server.ledger
    assert chunks[-1].usage.prompt_tokens == entry.prompt_tokens
    assert chunks[-1].usage.completion_tokens == entry.completion_tokens
    assert entry.stream
    assert entry.usage_reported


def test_stream_without_usage_reports_none_but_counts(server: OpenAIServer, client: Any) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=TRACES, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    (entry,) = server.ledger
    assert entry.completion_tokens == count(text) > 0
    assert not entry.usage_reported
    assert entry.ended == "complete"


def test_async_client_streams_the_same_text(server: OpenAIServer) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            whole = await client.chat.completions.create(model=MODEL, messages=TRACES)
            stream = await client.chat.completions.create(model=MODEL, messages=TRACES, stream=True)
            parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(parts)

    whole, streamed = asyncio.run(ask())
    # Bodies that differ in `stream` are different requests, so they may differ in how they begin, not in their subject.
    assert whole.split(". ")[0] == streamed.split(". ")[0]
    assert [entry.stream for entry in server.ledger] == [False, True]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Where is order 4107?", [("find_order", {"order_number": "4107"})]),
        ("What is 15% of 240?", [("calculate", {"expression": "240 * 15 / 100"})]),
        ("How much is 12 plus 30 times 2?", [("calculate", {"expression": "12 + 30 * 2"})]),
        ("What is the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        ("Order 4107 cost 3 * 9?", [("find_order", {"order_number": "4107"}), ("calculate", {"expression": "3 * 9"})]),
        ("How do I order a trace?", []),
    ],
)
def test_tools_are_called_where_the_question_asks_for_them(
    client: Any, question: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": question}], tools=TOOLS
    ).choices[0]
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in answer.message.tool_calls or ()]
    assert calls == expected
    assert answer.finish_reason == ("tool_calls" if expected else "stop")


def test_tool_calls_stream_in_deltas_that_join_to_the_plain_ones(server: OpenAIServer, client: Any) -> None:
    question = [{"role": "user", "content": "Where is order 4107, and what is 15% of 240?"}]
    stream = client.chat.completions.create(model=MODEL, messages=question, tools=TOOLS, stream=True)
    names: dict[int, str] = {}
    ids: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for chunk in stream:
        for part in chunk.choices[0].delta.tool_calls or ():
            names[part.index] = names.get(part.index) or part.function.name
            ids[part.index] = ids.get(part.index) or part.id
            arguments[part.index] = arguments.get(part.index, "") + (part.function.arguments or "")
    assert names == {0: "find_order", 1: "calculate"}
    assert json.loads(arguments[0]) == {"order_number": "4107"}
    assert len(set(ids.values())) == 2
    assert server.ledger[0].finish_reasons == ("tool_calls",)
    assert server.ledger[0].completion_tokens == sum(count(names[place]) + count(arguments[place]) for place in names)


def test_tool_results_are_put_into_words(client: Any) -> None:
    messages: list[Any] = [{"role": "user", "content": "Where is order 4107, and what is 15% of 240?"}]
    asked = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
    results = {
        "find_order": {"error": "there is no order 4107"},
        "calculate": {"expression": "240 * 15 / 100", "result": 36},
    }
    messages.append(asked.model_dump(exclude_none=True))
    for call in asked.tool_calls:
        content = json.dumps(results[call.function.name])
        messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0]
    assert "there is no order 4107" in answer.message.content
    assert "comes to 36" in answer.message.content
    assert answer.finish_reason == "stop"


def test_tool_choice_is_obeyed(client: Any) -> None:
    def calls(**choice: Any) -> list[str]:
        answer = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Where is order 4107?"}], tools=TOOLS, **choice
        )
        return [call.function.name for call in answer.choices[0].message.tool_calls or ()]

    assert calls(tool_choice="none") == []
    assert calls(tool_choice={"type": "function", "function": {"name": "get_weather"}}) == ["get_weather"]
    assert calls(tool_choice="required") == ["find_order"]


def test_json_answers_fit_their_schema(client: Any) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["calm", "angry"]}, "items": {"type": "integer"}}}
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "I am angry about 3 items"}],
        response_format={"type": "json_schema", "json_schema": {"name": "complaint", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content) == {"mood": "angry", "items": 3}


def test_passages_are_quoted_with_their_number(client: Any) -> None:
    given = "[1] Weather\nIt often rains in spring.\n\n[2] Retention\nRaw events are kept for 30 days."
    prompt = f"Answer from these passages.\n\n{given}"
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": "How long are raw events kept?"}]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert "Raw events are kept for 30 days. [2]" in answer.choices[0].message.content
    assert "rains" not in answer.choices[0].message.content


def test_length_choices_and_stop(server: OpenAIServer, client: Any) -> None:
    short = client.chat.completions.create(model=MODEL, messages=TRACES, max_tokens=5, n=2)
    assert [choice.finish_reason for choice in short.choices] == ["length", "length"]
    assert short.usage.completion_tokens == 10
    assert server.ledger[0].finish_reasons == ("length", "length")
    stopped = client.chat.completions.create(model=MODEL, messages=TRACES, stop=["about"])
    assert stopped.choices[0].message.content == "You asked "


def test_long_prompts_are_cached_by_prefix(server: OpenAIServer, client: Any) -> None:
    long = {"role": "system", "content": "word " * 1500}
    usages = [
        client.chat.completions.create(model=MODEL, messages=[long, {"role": "user", "content": text}]).usage
        for text in ("first", "second")
    ]
    cached = [usage.prompt_tokens_details.cached_tokens for usage in usages]
    assert cached[0] == 0
    assert 1024 <= cached[1] <= usages[1].prompt_tokens
    assert cached[1] % 128 == 0
    assert [entry.cached_tokens for entry in server.ledger] == cached


def test_reasoning_models_think_and_completion_tokens_include_it(server: OpenAIServer, client: Any) -> None:
    answer = client.chat.completions.create(model="o4-mini", messages=TRACES)
    thought = answer.usage.completion_tokens_details.reasoning_tokens
    assert thought > 0
    assert answer.usage.completion_tokens == thought + count(answer.choices[0].message.content)
    assert server.ledger[0].reasoning_tokens == thought


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, openai.BadRequestError, "messages[0].role"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, openai.BadRequestError, "messages[0]"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"temperature": "hot"}, openai.BadRequestError, "temperature"),
        ({"n": 0}, openai.BadRequestError, "n"),
        ({"max_tokens": 1.5}, openai.BadRequestError, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "stream_options"),
        ({"tools": []}, openai.BadRequestError, "tools"),
        ({"tools": [{"type": "function", "function": "f"}]}, openai.BadRequestError, "tools[0]"),
        ({"metadata": {"fault": "earthquake"}}, openai.BadRequestError, "fault"),
    ],
)
def test_invalid_bodies_are_refused_by_parameter(
    server: OpenAIServer, client: Any, body: dict[str, Any], error: type[Exception], param: str
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(**{"model": MODEL, "messages": TRACES, **body})
    assert caught.value.param == param  # type: ignore[attr-defined]
    (entry,) = server.ledger
    assert entry.status == caught.value.status_code  # type: ignore[attr-defined]
    assert entry.total_tokens == 0
    assert entry.error in ("model_not_found", "invalid_value", "invalid_type", "invalid_request_error")


def test_body_that_is_no_json_is_refused(server: OpenAIServer) -> None:
    request = urllib.request.Request(
        f"{server.base_url}/chat/completions", data=b"{", headers={"Authorization": "Bearer k"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert json.load(caught.value)["error"]["type"] == "invalid_request_error"


def test_keys_are_checked() -> None:
    with OpenAIServer(latency=0, api_key="right") as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="wrong", max_retries=0)
        with client, pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model=MODEL, messages=TRACES)
        assert caught.value.code == "invalid_api_key"
        with pytest.raises(urllib.error.HTTPError) as bare:
            urllib.request.urlopen(f"{server.base_url}/models")
        assert bare.value.code == 401
        assert [entry.status for entry in server.ledger] == [401]


def test_rate_limit_is_retried_by_the_client_after_the_wait_it_is_told(server: OpenAIServer) -> None:
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=2) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=TRACES, extra_headers={"x-stand-in-fault": "rate_limit=2"}
        )
    assert answer.choices
    assert [(entry.status, entry.error) for entry in server.ledger] == [
        (429, "rate_limit_exceeded"),
        (429, "rate_limit_exceeded"),
        (200, None),
    ]


@pytest.mark.parametrize(
    ("fault", "error"), [("rate_limit", openai.RateLimitError), ("server_error", openai.InternalServerError)]
)
def test_faults_are_asked_for_in_metadata_or_text(client: Any, fault: str, error: type[openai.APIStatusError]) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=TRACES, metadata={"fault": fault})
    assert ("retry-after" in caught.value.response.headers) == (fault == "rate_limit")
    with pytest.raises(error):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"Go [[fault:{fault}]]"}])


def test_every_nth_request_fails_once(client: Any) -> None:
    with OpenAIServer(latency=0, every={"rate_limit": 2}) as server:
        with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=1) as retrying:
            for number in range(3):
                retrying.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"Number {number}"}]
                )
        assert [entry.status for entry in server.ledger] == [200, 429, 200, 429, 200]


def test_slow_first_token_comes_late_and_the_rest_does_not(client: Any) -> None:
    started = time.perf_counter()
    stream = client.chat.completions.create(
        model=MODEL, messages=TRACES, stream=True, extra_headers={"x-stand-in-fault": "slow_first_token=0.3"}
    )
    arrivals = [time.perf_counter() - started for _ in stream]
    assert arrivals[0] >= 0.3
    assert arrivals[-1] - arrivals[0] < 0.3


def test_cut_stream_breaks_off_and_counts_what_was_sent(server: OpenAIServer, client: Any) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=TRACES, stream=True, extra_headers={"x-stand-in-fault": "cut=4"}
    )
    received: list[str] = []
    with pytest.raises(openai.APIConnectionError):
        received.extend(chunk.choices[0].delta.content for chunk in stream)
    (entry,) = server.ledger
    assert len(received) == 4
    assert (entry.ended, entry.status, entry.usage_reported) == ("cut", 200, False)
    assert entry.completion_tokens == count("".join(received)) == 3


def test_stream_left_by_the_client_is_in_the_ledger() -> None:
    with OpenAIServer(latency=0.5) as server, openai.OpenAI(base_url=server.base_url, api_key="any") as client:
        stream = client.chat.completions.create(model=MODEL, messages=TRACES, stream=True)
        next(iter(stream))
        stream.close()
        deadline = time.monotonic() + 5
        while not server.ledger and time.monotonic() < deadline:
            time.sleep(0.01)
        (entry,) = server.ledger
    assert entry.ended == "closed"
    assert not entry.usage_reported
    assert entry.prompt_tokens > 0


def test_embeddings_in_both_encodings(server: OpenAIServer, client: Any) -> None:
    texts = ["the invoice was paid", "the invoice was paid late", "a cat on a roof"]
    packed = client.embeddings.create(model="text-embedding-3-small", input=texts, dimensions=256)
    plain = client.embeddings.create(
        model="text-embedding-3-small", input=texts, dimensions=256, encoding_format="float"
    )
    vectors = [item.embedding for item in packed.data]
    assert [len(vector) for vector in vectors] == [256] * 3
    for one, other in zip(vectors, plain.data, strict=True):
        assert one == pytest.approx(other.embedding, abs=1e-6)

    def likeness(a: list[float], b: list[float]) -> float:
        return math.fsum(x * y for x, y in zip(a, b, strict=True))

    assert likeness(vectors[0], vectors[0]) == pytest.approx(1, abs=1e-5)
    assert likeness(vectors[0], vectors[1]) > 0.7 > 0.3 > likeness(vectors[0], vectors[2])
    assert [entry.prompt_tokens for entry in server.ledger] == [packed.usage.prompt_tokens, plain.usage.prompt_tokens]
    assert packed.usage.prompt_tokens == sum(map(count, texts))


def test_embeddings_take_token_ids_and_refuse_nothing(server: OpenAIServer, client: Any) -> None:
    answer = client.embeddings.create(model="text-embedding-3-large", input=[[1, 2, 3], [4, 5]])
    assert [len(item.embedding) for item in answer.data] == [3072, 3072]
    assert answer.usage.prompt_tokens == 5
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="text-embedding-3-small", input="")
    assert [(entry.operation, entry.status) for entry in server.ledger] == [("embeddings", 200), ("embeddings", 400)]


def test_models_and_ledger_over_http(server: OpenAIServer, client: Any) -> None:
    assert {"gpt-4o-mini", "acme-support-ft", "text-embedding-3-small"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")
    client.chat.completions.create(model=MODEL, messages=TRACES)
    with urllib.request.urlopen(server.base_url.removesuffix("/v1") + "/ledger") as response:
        (entry,) = json.load(response)["entries"]
    assert entry["total_tokens"] == server.ledger[0].total_tokens
    assert entry["sequence"] == 1


def test_start_and_stop_are_idempotent_and_the_port_is_free_again() -> None:
    server = OpenAIServer(latency=0)
    with pytest.raises(RuntimeError):
        _ = server.base_url
    server.start()
    server.start()
    port = int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
    server.stop()
    server.stop()
    with OpenAIServer(latency=0, port=port) as again:
        assert f":{port}/" in again.base_url


def test_command_line_names_a_wrong_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--every", "earthquake=3"])
    assert "unknown fault 'earthquake'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "Hello, world!", "  two\n\n spaces ", "naïve 12345 × ½ 日本語 a_b", "supercalifragilistic"]
)
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert count(text) == len(pieces(text))


def test_a_fault_with_a_number_refuses_so_many_identical_requests_each_time() -> None:
    faults = Faults()
    refused = [faults.refuses(Fault.parse("rate_limit=1"), "rate_limit", "digest") for _ in range(4)]
    assert refused == [True, False, True, False]
    with pytest.raises(ValueError, match="from 1 up"):
        Faults({"cut": 0})


def test_sentences_leave_out_code_tables_and_headings() -> None:
    prose = "# Title\n\nThe first sentence stands here. The second one follows it.\n\n"
    text = prose + "```\nx = 'not a sentence at all'\n```\n| a | table row of words |\n- A list item is a sentence."
    assert sentences(text) == [
        "The first sentence stands here.",
        "The second one follows it.",
        "A list item is a sentence.",
    ]


def test_best_sentences_prefer_the_rarer_word() -> None:
    given = [Passage(1, "Spans", "Every span has a name. Every span can carry exemplars too."), Passage(2, "", "")]
    assert best_sentences("which span has exemplars", given)[0] == ("Every span can carry exemplars too.", 1)
    assert passages("[1] One\ntext\n[2] Two\nmore") == [Passage(1, "One", "text"), Passage(2, "Two", "more")]


def test_vector_of_text_without_direction_is_still_a_unit_vector() -> None:
    assert math.fsum(value * value for value in vector_of("", 8)) == 1.0
