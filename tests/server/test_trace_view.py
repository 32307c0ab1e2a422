"""One trace as the API tells it: clocks that differ, the critical path, long traces, searching, the transcript."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from server_support import MS, Client, chat_trace, make_span

from otelkit.model import Resource, Span
from otelkit.server.insights.waterfall import LOST, ROOT, Placed, critical_path, tree_of

ORDERS = Resource({"service.name": "orders"})


def placed(name: str, parent: str, start: int, end: int, service: str = "shop", *, entry: bool = False) -> Placed:
    return Placed(name.encode(), parent.encode(), start, end - start, service, entry)


def waited_for(*spans: Placed) -> dict[str, list[tuple[int, int]]]:
    return {spans[at].span_id.decode(): sorted(found) for at, found in critical_path(tree_of(spans)).items()}


def shown(client: Client, trace_id: bytes) -> Any:
    return client.ask(f"/api/traces/{trace_id.hex()}")


def test_order_depths_and_lost_parents() -> None:
    spans = [
        placed("late", "root", 50, 60),
        placed("root", "", 0, 100),
        placed("early", "root", 10, 40),
        placed("inner", "early", 20, 30),
        placed("orphan", "gone", 5, 9),
        placed("loop1", "loop2", 1, 2),
        placed("loop2", "loop1", 1, 2),
        placed("own", "own", 70, 80),
    ]
    tree = tree_of(spans)
    names = [spans[at].span_id.decode() for at in tree.order]
    assert names == ["root", "early", "inner", "late", "orphan", "own", "loop1", "loop2"]
    assert [tree.depths[at] for at in tree.order] == [0, 1, 2, 1, 0, 0, 0, 1]
    assert tree.parents[4] == LOST
    assert tree.parents[1] == tree.parents[7] == ROOT
    assert (tree.start, tree.length) == (0, 100)
    assert tree_of([]).length == 0
    assert critical_path(tree_of([])) == {}


def test_the_critical_path_goes_backwards_through_what_was_waited_for() -> None:
    found = waited_for(
        placed("root", "", 0, 100),
        placed("first", "root", 10, 40),
        placed("beside", "root", 10, 30),
        placed("second", "root", 50, 90),
        placed("inner", "second", 60, 80),
    )
    assert found == {
        "root": [(0, 10), (40, 50), (90, 100)],
        "first": [(10, 40)],
        "second": [(50, 60), (80, 90)],
        "inner": [(60, 80)],
    }


def test_what_outlives_its_parent_is_waited_for_until_the_parent_ends_only() -> None:
    found = waited_for(
        placed("root", "", 0, 100), placed("stream", "root", 20, 100), placed("background", "stream", 90, 400)
    )
    assert found["stream"] == [(20, 90)]
    assert found["background"] == [(90, 100)]


def test_a_span_of_another_process_is_moved_into_its_call_with_all_below_it() -> None:
    spans = [
        placed("call", "", 1000, 1100),
        placed("served", "call", 900, 960, "orders", entry=True),
        placed("query", "served", 910, 920, "orders"),
        placed("back", "query", 1050, 1055, "shop", entry=True),
        placed("same", "call", 990, 1010),
    ]
    tree = tree_of(spans)
    assert tree.shifts == [0, 120, 120, 0, 0]
    assert tree.starts == [1000, 1020, 1030, 1050, 990]


def test_a_span_that_is_longer_than_its_call_starts_with_it() -> None:
    assert tree_of([placed("call", "", 100, 110), placed("served", "call", 50, 90, "b")]).shifts == [0, 50]


def test_clocks_that_differ_are_said_and_corrected_for_display_only(client: Client) -> None:
    call = make_span("GET /orders", at=200, ms=100, kind=3)
    served = make_span(
        *("GET /orders",), base=call.start - 120 * MS, ms=60, kind=2, resource=ORDERS, trace_id=call.trace_id
    )._replace(parent_id=call.span_id)
    below = served._replace(span_id=b"\3" * 8, parent_id=served.span_id, kind=1, start=served.start + 10 * MS)
    client.send([below, served, call])
    answer = shown(client, call.trace_id)
    spans = answer["spans"]
    assert [span["clock_ms"] for span in spans] == [None, 140.0, 140.0]
    assert [span["offset_ms"] for span in spans] == [0.0, 20.0, 30.0]
    assert spans[1]["start"] == pytest.approx(served.start / 1e6, abs=0.01), "what was sent stays"
    assert answer["start"] == pytest.approx(call.start / 1e6, abs=0.01)
    assert answer["length_ms"] == 100.0
    assert sum(length for span in spans for _, length in span["critical"]) == pytest.approx(100.0)


def test_spans_without_a_root_are_shown_with_what_is_missing(client: Client) -> None:
    trace = chat_trace()
    client.send(trace[:-1])
    answer = shown(client, trace[0].trace_id)
    assert answer["trace"]["complete"] is False
    assert [span["missing_parent"] for span in answer["spans"]] == [True] * 3
    client.send(trace[-1:])
    answer = shown(client, trace[0].trace_id)
    assert answer["trace"]["complete"] is True
    assert [span["missing_parent"] for span in answer["spans"]] == [False] * 4


def long_trace(count: int) -> list[Span]:
    """Make an agent that asks a database again and again, with a failure, a lost parent and a call to a model."""
    trace_id, base = secrets.token_bytes(16), time.time_ns() - 3 * 3600_000 * MS
    root = make_span("agent", base=base, ms=count * 2.0, trace_id=trace_id)
    same = {"trace_id": trace_id, "parent_id": root.span_id, "base": base}
    spans = [
        make_span("SELECT chunks", at=2 * number, ms=1.5, attributes={"chunk": f"Nr {number}"}, **same)
        for number in range(1, count - 2)
    ]
    model = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    call = make_span("chat gpt-4o-mini", at=count * 2 - 4, ms=3, kind=3, attributes={**model, **usage}, **same)
    orphan = make_span("orphan", at=9, ms=1, status=2, **{**same, "parent_id": b"\x77" * 8})
    return [root, *spans, call, orphan]


def test_a_long_trace_comes_in_columns_that_say_the_same(client: Client) -> None:
    spans = long_trace(1100)
    for at in range(0, len(spans), 500):
        client.send(spans[at : at + 500])
    trace_id = spans[0].trace_id
    answer = shown(client, trace_id)
    assert (answer["detail"], answer["spans"]) == (False, None)
    columns = answer["columns"]
    whole = client.ask(f"/api/traces/{trace_id.hex()}?detail=full")
    assert (whole["detail"], whole["columns"]) == (True, None)
    assert len(whole["spans"]) == len(columns["span_id"]) == 1100
    for at, span in enumerate(whole["spans"]):
        step = columns["steps"][columns["step"][at]]
        assert {name: span[name] for name in step} == step
        for name in ("span_id", "offset_ms", "duration_ms", "self_ms"):
            assert columns[name][at] == span[name]
        parent = columns["parent"][at]
        expected = columns["span_id"][parent] if parent >= 0 else None
        assert expected == (None if span["missing_parent"] else span["parent_id"])
        assert (parent == -2) is span["missing_parent"]
        assert (at in columns["failed"]) is (span["status"] == "error")
        assert columns["critical"].get(str(at), []) == span["critical"]
        call = columns["calls"].get(str(at))
        assert (call is not None) is (span["kind"] == "llm")
        assert call is None or (call["tokens"], call["cost_usd"]) == (span["tokens"], span["cost_usd"])
    assert columns["failed"]


def test_twenty_thousand_spans_are_told_soon_and_small(client: Client) -> None:
    spans = long_trace(20_000)
    for at in range(0, len(spans), 2000):
        client.send(spans[at : at + 2000])
    path = f"/api/traces/{spans[0].trace_id.hex()}"
    client.get(path)
    begin = time.process_time()  # the server is a thread of this process; other processes do not count
    answer = client.get(path)
    took = time.process_time() - begin
    assert len(answer.json["columns"]["span_id"]) == 20_000
    assert len(answer.body) < 2_500_000
    assert took < 2.5, "0.6 s on an idle machine"
    hit = client.ask(f"{path}/search?q=nr+19")["spans"]
    assert len(hit) == 1 + 10 + 100 + 998


def test_search_reads_names_attributes_messages_and_events(client: Client) -> None:
    trace = chat_trace("Where is “Åse’s” order?", **{"user.note": "kept"})
    client.send(trace)
    path = f"/api/traces/{trace[0].trace_id.hex()}/search?q="
    by_name = {span.name: span.span_id.hex() for span in trace}
    assert client.ask(path + "SEARCH_orders")["spans"] == [by_name["execute_tool search_orders"]]
    assert client.ask(path + "%C3%A5se")["spans"] == [by_name["chat gpt-4o-mini"]]
    assert client.ask(path + "kept")["spans"] == [by_name["POST /chat"]]
    assert client.ask(path + "nowhere")["spans"] == []
    assert client.get(path).status == 400


def test_the_transcript_says_each_thing_once(client: Client) -> None:
    def said(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": text}]}

    call = {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"b": 1, "a": 2}}
    response = {"type": "tool_call_response", "id": "c1", "response": {"found": 3}}
    asked = [said("system", "Be brief."), said("user", "yes"), said("assistant", "Sure?"), said("user", "yes")]
    later = [*asked, {"role": "assistant", "parts": [call]}, {"role": "tool", "parts": [response]}]
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.provider.name": "openai"}

    def talk(at: int, given: list[Any], answered: dict[str, Any], **more: Any) -> Span:
        content = {
            "gen_ai.input.messages": json.dumps(given),
            "gen_ai.output.messages": json.dumps([answered]),
        }
        return make_span("chat", at=at, ms=10, kind=3, attributes={**chat, **content}, **more)

    root = make_span("invoke_agent", ms=100, attributes={"gen_ai.operation.name": "invoke_agent"})
    same = {"trace_id": root.trace_id, "parent_id": root.span_id, "base": root.start}
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find",
        "gen_ai.tool.call.arguments": '{"a": 2, "b": 1}',
        "gen_ai.tool.call.result": '{"found": 3}',
    }
    client.send(
        [
            root,
            talk(1, asked, {"role": "assistant", "parts": [call]}, **same),
            make_span("execute_tool find", at=20, attributes=tool, **same),
            talk(50, later, said("assistant", "Three."), **same),
            make_span("SELECT 1", at=55, **same),
        ]
    )
    answer = client.ask(f"/api/traces/{root.trace_id.hex()}/transcript")
    turns = answer["turns"]
    assert (answer["total"], answer["captured"]) == (4, True)
    assert [turn["step"] for turn in turns] == ["agent", "llm", "tool", "llm"]
    told = [[(message["role"], message["text"]) for message in turn["messages"]] for turn in turns]
    assert told == [
        [],
        [("system", "Be brief."), ("user", "yes"), ("assistant", "Sure?"), ("user", "yes"), ("assistant", "")],
        [("input", '{"a": 2, "b": 1}'), ("tool", '{"found": 3}')],
        [("assistant", "Three.")],
    ]
    assert turns[1]["messages"][-1]["tool_calls"][0]["name"] == "find"
    assert [turn["offset_ms"] for turn in turns] == [0, 1, 20, 50]


def test_a_transcript_without_content_still_has_its_turns(client: Client) -> None:
    call = make_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, kind=3)
    client.send([call])
    answer = client.ask(f"/api/traces/{call.trace_id.hex()}/transcript")
    assert answer["captured"] is False
    assert [turn["messages"] for turn in answer["turns"]] == [[]]
