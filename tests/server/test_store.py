"""What is stored, counted and derived: once, whatever the order, and still there after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_support import MS, Client, NewStore, chat_trace, everything, make_span
from sqlalchemy import select

from otelkit.mapping.otlp import encode_spans
from otelkit.mapping.redaction import Redactor
from otelkit.model import LogRecord, MetricPoint, Resource, Scope, Span
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import GROWTH, Counts, bucket_of, merge_counts, pack_counts, unpack_counts
from otelkit.server.storage.spent import Interval, charged_kinds, self_times

STORES = ("sqlite", "postgres")


def test_a_repeated_batch_changes_nothing(server: Server, client: Client) -> None:
    spans = chat_trace()
    client.send(spans)
    before = everything(server)
    client.send(spans)
    client.send(spans[1:3])
    client.send(spans + spans)
    assert everything(server) == before
    assert client.ask("/api/status")["stored"] == {"spans": 4, "traces": 1, "logs": 0, "points": 0}


def test_the_order_and_the_cutting_of_batches_make_no_difference(new_store: NewStore) -> None:
    spans = chat_trace("one") + chat_trace("two", tool_status=2)
    # An outer span that restates the inner call: counted once, whichever arrives first.
    inner = spans[2]
    outer_id = os.urandom(8)
    outer = inner._replace(span_id=outer_id, name="ChatOpenAI", start=inner.start - MS, end=inner.end + MS)
    spans[2] = inner._replace(parent_id=outer_id)
    spans.append(outer)
    rng = random.Random(3)
    found = []
    for attempt in range(6):
        order = list(spans)
        if attempt:
            rng.shuffle(order)
        with Server(ServerConfig(port=0, database=new_store())) as server:
            client = Client(server.url)
            if attempt == 0:
                client.send(order)
            else:
                for some in _cut(order, attempt):
                    client.send(some)
            found.append(everything(server))
            assert client.ask("/api/models")["total"]["calls"] == 2
            total = client.ask("/api/models")["total"]["tokens"]
            assert (total["input"], total["output"]) == (2000, 400)
    for other in found[1:]:
        assert other == found[0]


def _cut(items: list[Span], size: int) -> list[list[Span]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def test_a_trace_row_is_derived_from_its_descendants(client: Client) -> None:
    client.send(chat_trace("Can you cancel order 998?", "I could not reach it.", tool_status=2))
    row = client.ask("/api/traces")["traces"][0]
    assert (row["title"], row["input"], row["output"]) == (
        "Can you cancel order 998?",
        "Can you cancel order 998?",
        "I could not reach it.",
    )
    assert (row["name"], row["service"], row["environment"]) == ("POST /chat", "shop", "test")
    assert (row["status"], row["root_status"], row["error"]) == ("error", "ok", "TimeoutError in search_orders")
    assert (row["models"], row["tools"], row["llm_calls"], row["tool_calls"]) == (
        ["gpt-4o-mini"],
        ["search_orders"],
        1,
        1,
    )
    assert (row["user"], row["group"], row["session"], row["conversation"]) == ("u-1", "acme", "s-1", "c-1")
    assert row["tokens"] == {
        "input": 1000,
        "output": 200,
        "cached": None,
        "cache_write": None,
        "reasoning": None,
        "total": 1200,
    }
    # gpt-4o-mini: 0.15 and 0.60 dollars a million.
    assert row["cost_usd"] == pytest.approx(1000 * 0.15e-6 + 200 * 0.60e-6)
    assert {part["kind"]: part["ms"] for part in row["split"]} == {"app": 40, "retrieval": 50, "tool": 30, "llm": 400}
    assert sum(part["ms"] for part in row["split"]) == row["duration_ms"]


def test_unknown_is_null_and_named(client: Client) -> None:
    client.send(chat_trace(model="mistral-nemo-ft", provider="local"))
    silent = chat_trace(model="silent-1", provider="local")
    unreported = {k: v for k, v in silent[2].attributes.items() if "usage" not in k}
    client.send([*silent[:2], silent[2]._replace(attributes=unreported), silent[3]])
    rows = {row["model"]: row for row in client.ask("/api/models")["models"]}
    assert (rows["mistral-nemo-ft"]["cost_usd"], rows["mistral-nemo-ft"]["unpriced_calls"]) == (None, 1)
    assert rows["silent-1"]["tokens"]["input"] is None
    assert (rows["silent-1"]["unreported_calls"], rows["silent-1"]["unpriced_calls"]) == (1, 0)
    overview = client.ask("/api/overview")
    assert overview["unpriced"] == [{"provider": "local", "model": "mistral-nemo-ft", "calls": 1, "tokens": 1200}]
    assert overview["unreported_calls"] == 1
    assert next(f for f in overview["figures"] if f["id"] == "cost")["value"] is None
    traces = {row["models"][0]: row for row in client.ask("/api/traces")["traces"]}
    assert (traces["mistral-nemo-ft"]["cost_usd"], traces["mistral-nemo-ft"]["unpriced"]) == (None, ["mistral-nemo-ft"])
    assert (traces["silent-1"]["tokens"]["total"], traces["silent-1"]["unreported_calls"]) == (None, 1)


def test_percentiles_are_right_within_a_bucket(client: Client) -> None:
    rng = random.Random(1)
    lengths = sorted(rng.lognormvariate(5, 1) for _ in range(1000))
    base = time.time_ns() - 600_000 * MS
    client.send([make_span("GET /", kind=2, ms=ms, base=base) for ms in rng.sample(lengths, 1000)])
    row = client.ask("/api/services")["services"][0]
    assert (row["requests"], row["spans"]) == (1000, 1000)
    assert row["p50_ms"] == pytest.approx(lengths[499], rel=GROWTH - 1)
    assert row["p95_ms"] == pytest.approx(lengths[949], rel=GROWTH - 1)


@pytest.mark.parametrize("nanoseconds", [0, 1, 2, 999, 10**6, 123_456_789, 2**63 - 1])
def test_a_percentile_of_one_call_is_that_call(nanoseconds: int) -> None:
    counts = Counts()
    counts.add_packed(pack_counts({bucket_of(nanoseconds): 1}))
    value = counts.percentile(0.5)
    assert value == pytest.approx(max(1, nanoseconds), rel=GROWTH - 1)


def test_packed_counts_add_up_and_forget_what_is_nothing() -> None:
    rng = random.Random(5)
    some = {rng.randrange(1770): rng.randrange(1, 10**12) for _ in range(200)}
    more = {rng.randrange(1770): rng.randrange(1, 9) for _ in range(200)}
    assert dict(unpack_counts(pack_counts(some))) == some
    both = Counter(some) + Counter(more)
    assert merge_counts(pack_counts(some), pack_counts(more)) == merge_counts(pack_counts(more), pack_counts(some))
    assert dict(unpack_counts(merge_counts(pack_counts(some), pack_counts(more)))) == both
    assert merge_counts(pack_counts({7: 1, bucket_of(2**63 - 1): 3}), pack_counts({7: -1})) == pack_counts(
        {bucket_of(2**63 - 1): 3}
    )


spread = st.dictionaries(st.integers(0, 1770), st.integers(1, 2**40), max_size=60)
narrow = st.dictionaries(st.integers(600, 660), st.integers(1, 999), min_size=20)


@given(st.lists(spread | narrow, max_size=6))
def test_whatever_is_put_together_adds_up(several: list[dict[int, int]]) -> None:
    total, counts, other = Counter[int](), Counts(), Counts()
    for number, some in enumerate(several):
        total.update(some)
        packed = pack_counts(some)
        assert dict(unpack_counts(packed)) == some
        (counts if number % 2 else other).add_packed(packed)
    counts.add(other)
    ordered = [bucket for bucket, calls in sorted(total.items()) for _ in range(1 if calls else 0)]
    for share in (0.01, 0.5, 0.95, 1.0):
        rank, seen, expected = share * total.total(), 0, None
        for bucket in ordered:
            seen += total[bucket]
            if seen >= rank:
                expected = bucket
                break
        found = counts.percentile(share)
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            assert GROWTH**expected * 0.999 <= found <= GROWTH ** (expected + 1) * 1.001


def test_percentile_of_nothing_is_unknown() -> None:
    assert Counts().percentile(0.5) is None


def test_self_times_count_each_instant_once() -> None:
    spans = [
        Interval(b"r", b"", 0, 100, "app"),
        Interval(b"a", b"r", 10, 50, "llm"),
        Interval(b"b", b"r", 30, 70, "tool"),  # overlaps a
        Interval(b"c", b"b", 60, 90, "db"),  # outlives b
        Interval(b"x", b"y", 0, 5, "app"),  # a loop
        Interval(b"y", b"x", 0, 5, "app"),
    ]
    assert self_times(spans) == [40, 40, 10, 10, 0, 0]
    assert sum(self_times(spans)) == 100


def test_the_request_that_a_tool_sends_is_the_tools_time(client: Client) -> None:
    trace = chat_trace(tool_status=2)
    tool, call, root = trace[1], trace[2], trace[3]

    def inside(parent: Span, name: str, **attributes: Any) -> Span:
        return parent._replace(name=name, span_id=os.urandom(8), parent_id=parent.span_id, attributes=attributes)

    helper = inside(tool, "helper")
    request = inside(helper, "GET", **{"http.request.method": "GET"})
    query = inside(request, "SELECT", **{"db.system.name": "sqlite"})
    query = query._replace(end=query.start + 10 * MS)
    sent = inside(call, "POST", **{"http.request.method": "POST"})
    client.send([*trace[:3], helper, request, query, sent, root])
    row = client.ask("/api/traces")["traces"][0]
    split = {part["kind"]: part["ms"] for part in row["split"]}
    assert split == {"app": 40, "retrieval": 50, "tool": 20, "db": 10, "llm": 400}
    spent = {entry["kind"]: entry["total_ms"] for entry in client.ask("/api/overview")["time_by_kind"]}
    assert spent == split


def test_charged_kinds_survive_loops() -> None:
    spans = [Interval(b"x", b"y", 0, 5, "app"), Interval(b"y", b"x", 0, 5, "app"), Interval(b"z", b"?", 0, 5, "app")]
    assert charged_kinds(spans) == ["app"] * 3


def test_a_call_that_failed_is_not_one_that_reported_nothing(client: Client) -> None:
    trace = chat_trace()
    silent = {k: v for k, v in trace[2].attributes.items() if "usage" not in k}
    client.send([*trace[:2], trace[2]._replace(attributes=silent, status=2), trace[3]])
    assert client.ask("/api/models")["total"]["unreported_calls"] == 0
    assert client.ask("/api/overview")["unreported_calls"] == 0
    assert client.ask("/api/traces")["traces"][0]["unreported_calls"] == 0


@pytest.mark.parametrize("nothing", ["[]", "", '[{"role": "assistant", "parts": []}]'])
def test_no_answer_is_no_text(client: Client, nothing: str) -> None:
    trace = chat_trace()
    empty = {**trace[2].attributes, "gen_ai.output.messages": nothing}
    client.send([*trace[:2], trace[2]._replace(attributes=empty), trace[3]])
    assert client.ask("/api/traces")["traces"][0]["output"] is None


def test_content_that_is_there_twice_is_shown_once(client: Client) -> None:
    trace = chat_trace("Where is it?", "There.")
    twice = {**trace[2].attributes, "otelkit.output": '"There."', "otelkit.input": '{"question": "Where is it?"}'}
    twice["gen_ai.system_instructions"] = '[{"type": "text", "content": "Be kind."}]'
    tool = {**trace[1].attributes, "gen_ai.tool.call.result": "[]", "otelkit.input": '{"id": 1}'}
    client.send([trace[0], trace[1]._replace(attributes=tool), trace[2]._replace(attributes=twice), trace[3]])
    shown = client.ask(f"/api/traces/{trace[0].trace_id.hex()}")["spans"]
    by_name = {span["name"]: span for span in shown}
    call, tool_span = by_name["chat gpt-4o-mini"], by_name["execute_tool search_orders"]
    assert [message["text"] for message in call["output"]] == ["There."]
    assert [message["text"] for message in call["input"]] == ["Be kind.", "Where is it?"]
    assert ([m["text"] for m in tool_span["input"]], [m["text"] for m in tool_span["output"]]) == (
        ['{"id": 1}'],
        ["[]"],
    )


def test_a_trace_longer_than_is_looked_at_again_is_still_counted_once(server: Server, client: Client) -> None:
    root = make_span("root", ms=5000)
    children = [
        root._replace(span_id=os.urandom(8), parent_id=root.span_id, name="child", start=root.start + at * MS)._replace(
            end=root.start + (at + 1) * MS
        )
        for at in range(1200)
    ]
    for at in range(0, 1200, 100):
        client.send(children[at : at + 100])
    client.send([root, *children[700:900]])
    row = client.ask("/api/traces")["traces"][0]
    assert (row["spans"], row["complete"], row["duration_ms"]) == (1201, True, 5000)
    shown = client.ask(f"/api/traces/{row['trace_id']}")
    assert (shown["detail"], shown["spans"], len(shown["columns"]["span_id"])) == (False, None, 1201)
    one = client.ask(f"/api/traces/{row['trace_id']}/spans/{children[5].span_id.hex()}")["span"]
    assert (one["name"], one["scope"]) == ("child", {"name": "tests", "version": "1"})


def test_equal_logs_of_one_request_stay_and_repeated_requests_do_not(client: Client) -> None:
    record = LogRecord(time.time_ns(), 0, 9, "INFO", "hello", {"n": 1}, resource=Resource({"service.name": "shop"}))
    other = record._replace(body="other", severity=17, attributes={"log.record.uid": "abc"})
    client.send_logs([record, record, other])
    client.send_logs([record, record, other])
    client.send_logs([other._replace(body="the same uid")])
    logs = client.ask("/api/logs?filter=-event:otelkit.error.new")
    assert sorted(log["body"] for log in logs["logs"]) == ["hello", "hello", "other"]
    assert {row["severity"]: sum(row["counts"]) for row in logs["histogram"]} == {"info": 2, "error": 1}


def test_too_many_series_are_put_together(new_store: NewStore) -> None:
    with Server(ServerConfig(port=0, max_series=50, database=new_store())) as server:
        client = Client(server.url)
        for part in range(4):
            client.send([make_span(f"GET /{part * 40 + number}") for number in range(40)])
        with server.database.reading() as connection:
            assert len(list(connection.execute(select(schema.series)))) < 130
        names = {row["name"]: row for row in client.ask("/api/steps")["steps"]}
        assert names["(other)"]["calls"] >= 40
        shown = client.ask("/api/traces?limit=1&sort=newest")["traces"][0]["trace_id"]
        assert client.ask(f"/api/traces/{shown}")["spans"][0]["name"].startswith("GET /")


def test_hostile_values_are_stored_and_shown(client: Client) -> None:
    strange = {
        "nan": float("nan"),
        "inf": float("-inf"),
        "bytes": b"\x00\xff",
        "nested": {"list": [1, {"deep": [True, None]}]},
        "zero": "a\x00b",
        "script": "<script>alert(1)</script>",
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 2**62,
        "gen_ai.input.messages": '[{"role": 7, "parts": "x"}, 3, null, {"parts": [{"type": "tool_call"}, 5]}]',
        "gen_ai.output.messages": "[" * 5000,
        "user.id": 5,
    }
    span = make_span("<img src=x onerror=alert(1)>" * 50, attributes=strange, start=1, end=2**63 - 1)
    client.send([span, make_span("sibling")])
    shown = client.ask(f"/api/traces/{span.trace_id.hex()}")
    attributes = shown["spans"][0]["attributes"]
    assert (attributes["script"], attributes["zero"]) == (strange["script"], "a\x00b")
    assert shown["spans"][0]["name"] == span.name
    for path in ("/api/overview?range=all", "/api/overview", "/api/models", "/api/facets", "/api/traces?range=all"):
        client.ask(path)


_KILLED = """
import sys
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
server = Server(ServerConfig(port=0, database=sys.argv[1]))
print(server.url, flush=True)
server.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", _KILLED, ":temp:"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    client = Client(process.stdout.readline().strip())
    client.send(chat_trace())
    path = Path(client.ask("/api/status")["store"]["path"])
    assert path.exists()
    process.send_signal(number)
    assert process.wait(20) == 0
    assert not path.parent.exists()


def test_the_same_log_uid_twice_in_one_request_is_one_record(client: Client) -> None:
    named = LogRecord(time.time_ns(), 0, 9, "", "once", {"log.record.uid": "u-1"})
    plain = LogRecord(time.time_ns(), 0, 9, "", "said twice")
    client.send_logs([named, named, plain, plain])
    client.send_logs([named, named])
    assert [row["body"] for row in client.ask("/api/logs")["logs"]].count("once") == 1
    assert [row["body"] for row in client.ask("/api/logs")["logs"]].count("said twice") == 2


def test_people_named_by_their_addresses_are_told_apart_and_not_named(client: Client, server: Server) -> None:
    for number in range(3):
        who = {"user.id": f"person{number}@example.com", "gen_ai.conversation.id": f"c-person{number}@example.com"}
        client.send([make_span("root", attributes=who)])
        client.send([make_span("root", attributes=who)])
    users = [row["value"] for row in client.ask("/api/top?by=user&range=all")["top"]]
    assert len(set(users)) == 3
    assert all(user.startswith("[email]:") for user in users)
    assert {row["turns"] for row in client.ask("/api/conversations?range=all")["conversations"]} == {2}


def test_what_is_too_old_to_be_kept_is_refused(tmp_path: Path) -> None:
    with Server(ServerConfig(port=0, keep=3600)) as server:
        client = Client(server.url)
        old, new = make_span("old", base=time.time_ns() - 7200 * 10**9), make_span("new")
        answer = client.post("/v1/traces", encode_spans([old, new]))
        assert answer.status == 200
        assert b"too_old" in answer.body
        assert client.ask("/api/status")["stored"]["spans"] == 1


def test_steps_that_are_known_stay_known_at_the_limit(tmp_path: Path) -> None:
    location = str(tmp_path / "few.db")
    for _ in range(2):
        with Server(ServerConfig(port=0, database=location, max_series=3)) as server:
            client = Client(server.url)
            for name in ("a", "b", "c", "d", "e"):
                client.send([make_span(name)])
            steps = {row["name"]: row["calls"] for row in client.ask("/api/steps?range=all")["steps"]}
    assert steps == {"a": 2, "b": 2, "c": 2, "(other)": 4}


def test_the_dictionary_holds_nothing_that_was_said(tmp_path: Path) -> None:
    with Server(ServerConfig(port=0, database=str(tmp_path / "d.db"))) as server:
        client = Client(server.url)
        for _ in range(12):
            client.send([span for number in range(1000) for span in chat_trace(f"Ask Zebedee Quux about {number}")])
        with server.database.reading() as connection:
            learnt = connection.execute(select(schema.dictionary.c.data)).scalars().all()
    assert learnt
    assert not any(b"Zebedee" in bytes(data) or b"Quux" in bytes(data) for data in learnt)


def test_people_whose_ids_are_addresses_are_told_apart_in_logs_too(client: Client) -> None:
    people = ("ada@example.com", "bob@example.com", "ada@example.com")
    client.send_logs([LogRecord(time.time_ns(), 0, 9, "INFO", "hi", {"user.id": name}) for name in people])
    found = [log["attributes"]["user.id"] for log in client.ask("/api/logs")["logs"]]
    assert sorted(found.count(name) for name in set(found)) == [1, 2]
    assert all(name.startswith("[email]:") for name in found)


def test_names_made_of_data_do_not_fill_the_tables(new_store: NewStore) -> None:
    config = ServerConfig(port=0, max_series=5, max_metric_series=5, database=new_store())
    with Server(config) as server:
        client = Client(server.url)
        for number in range(12):
            client.send_logs([LogRecord(time.time_ns(), 0, 9, "INFO", "x", scope=Scope(f"logger-{number}"))])
            client.post("/v1/metrics", _gauge(f"gauge-{number}"), "application/json")
        with server.database.reading() as connection:
            loggers = set(connection.execute(select(schema.log_series.c.logger)).scalars())
            metrics = set(connection.execute(select(schema.metric_series.c.name)).scalars())
        assert loggers == {*(f"logger-{number}" for number in range(5)), "(other)"}
        assert metrics == {f"gauge-{number}" for number in range(5)}
        status = client.ask("/api/status")
        assert (status["stored"]["logs"], status["stored"]["points"]) == (12, 5)
        (refused,) = status["rejected"]
        assert (refused["signal"], refused["count"]) == ("points", 7)
        client.post("/v1/metrics", _gauge("gauge-3"), "application/json")  # what is known goes on
        assert client.ask("/api/status")["stored"]["points"] == 6


def _gauge(name: str) -> bytes:
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 1.5}
    metric = {"name": name, "gauge": {"dataPoints": [point]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


def test_a_record_that_cannot_be_redacted_does_not_take_its_siblings_along(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("log", "point"):
        _fail_on(monkeypatch, name)
    client.send_logs([LogRecord(time.time_ns(), 0, 17, "ERROR", text) for text in ("poison", "sound")])
    for name in ("poison", "sound"):
        assert client.post("/v1/metrics", _gauge(name), "application/json").status == 200
    assert [log["body"] for log in client.ask("/api/logs")["logs"]].count("") == 1
    assert b"poison" not in client.get("/api/logs").body + client.get("/api/metrics").body
    assert [row["name"] for row in client.ask("/api/metrics")["metrics"]] == ["sound"]


def _fail_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let redaction fail on whatever holds the word "poison", as a bug in it would."""
    sound = getattr(Redactor, name)

    def failing(self: Redactor, record: LogRecord | MetricPoint) -> object:
        if "poison" in repr(record):
            raise ValueError("poison")
        return sound(self, record)

    monkeypatch.setattr(Redactor, name, failing)
