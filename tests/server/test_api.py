"""The JSON API: its documented shapes, its filters, its refusals."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from server_support import MS, Client, chat_trace, make_span
from sqlalchemy import select

from otelkit.mapping.otlp import encode_spans
from otelkit.model import LogRecord, Resource, SpanEvent, SpanLink
from otelkit.server.api.responses import json_response
from otelkit.server.api.routes import ROUTES
from otelkit.server.permissions import PERMISSIONS
from otelkit.server.runtime import Server
from otelkit.server.storage import schema

STORES = ("sqlite", "postgres")
DOCS = Path(__file__).parents[2] / "docs" / "server.md"


def documented() -> dict[tuple[str, str], Any]:
    """Return the example of each method and route in the documentation."""
    found = {}
    for section in DOCS.read_text("utf-8").split("\n### ")[1:]:
        method, _, route = section.partition("\n")[0].partition(" ")
        example = re.search(r"```json\n(.*?)```", section, re.DOTALL)
        if example and route.startswith("/"):
            found[method, route] = json.loads(example[1])
    return found


EXAMPLES = documented()
# What routes need to be told.
ASKED = {
    "/api/metrics/plot": "?name=timers.started",
    "/api/metrics/points": "?name=timers.started",
    "/api/filter": "?section=traces&filter=-model:x",
    "/api/top": "?by=user",
    "/api/audit/export": "?action=settings.changed",
}
# Free-form objects: their keys are the sender's.
FREE = {"attributes", "resource", "filter", "shares", "states", "disk", "network", "before", "after", "details"}


def shape(value: Any, name: str = "") -> Any:
    """Return the keys of an answer, all the way down; empty lists and nulls say nothing."""
    if isinstance(value, dict):
        return {} if name in FREE else {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        merged: Any = None
        for item in value:
            found = shape(item, name)
            merged = {**merged, **found} if isinstance(merged, dict) and isinstance(found, dict) else found
        return [merged]
    return None


def agree(documented: Any, real: Any, path: str) -> None:
    """Assert that both have the same keys wherever both say something."""
    if isinstance(documented, dict) and isinstance(real, dict):
        assert set(documented) == set(real), path
        for key in documented:
            agree(documented[key], real[key], f"{path}.{key}")
    elif isinstance(documented, list) and isinstance(real, list) and documented and real:
        agree(documented[0], real[0], f"{path}[]")
    else:
        assert documented is None or real is None or type(documented) is type(real), path


@pytest.fixture
def full(client: Client) -> Client:
    """A server with some of everything."""
    hour = 3600_000 * MS
    now = time.time_ns()
    for number in range(8):  # the hour before: nothing failed
        client.send(chat_trace(base=now - hour - 600_000 * MS + number))
    for number in range(8):
        trace = chat_trace(f"Question {number}?", tool_status=2 if number % 2 else 0, llm_ms=3000)
        error = SpanEvent("exception", trace[1].end, {"exception.type": "TimeoutError"})
        trace[1] = trace[1]._replace(events=(error,), links=(SpanLink(b"\1" * 16, b"\2" * 8),))
        client.send(trace)
    client.send(chat_trace(model="mistral-nemo-ft", provider="local"))
    record = LogRecord(now, 0, 17, "ERROR", "order system timed out", {"order.id": 998}, resource=Resource())
    client.send_logs([record._replace(trace_id=trace[0].trace_id, span_id=trace[1].span_id)])
    client.post("/v1/traces", encode_spans([make_span(span_id=b"\0" * 8)]))
    points = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "timers.started",
                                "unit": "1",
                                "description": "Timers.",
                                "sum": {
                                    "isMonotonic": True,
                                    "aggregationTemporality": 2,
                                    "dataPoints": [{"timeUnixNano": str(now), "startTimeUnixNano": "1", "asInt": "3"}],
                                },
                            }
                        ]
                    }
                ]
            }
        ]
    }
    assert client.post("/v1/metrics", json.dumps(points).encode(), "application/json").status == 200
    return client


OPEN = {"/healthz", "/api/{rest:path}", "/api/access", "/api/logout"}


def test_every_route_is_documented() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(EXAMPLES)


def test_every_route_says_which_permission_it_needs(server: Any) -> None:
    needed = {
        (route.path, *sorted(getattr(route, "methods", None) or ())): route.permission
        for route in server.app.routes
        if route.path
    }
    assert set(needed.values()) <= set(PERMISSIONS)
    assert all(route.permission in PERMISSIONS for route in server.app.routes)
    for path, *methods in needed:
        if path.startswith("/v1/"):
            assert needed[path, *methods] == "ingest"
        elif path.startswith(("/api/audit", "/api/people")):
            assert needed[path, *methods] == "audit"
        elif path.startswith("/api/") and path not in OPEN | {"/api/login"}:
            assert needed[path, *methods] == ("read" if "GET" in methods or not methods else "write")
    # What needs nothing shows nothing that is stored.
    assert {path for (path, *_), permission in needed.items() if permission == "open"} == OPEN


@pytest.mark.parametrize("route", [route for method, route in EXAMPLES if method == "GET"])
def test_answers_have_the_documented_keys(full: Client, route: str) -> None:
    path = route
    if "{trace_id}" in path:
        row = full.ask("/api/traces?status=error")["traces"][0]
        focus = full.ask(f"/api/traces/{row['trace_id']}")["focus"]
        path = path.format(trace_id=row["trace_id"], span_id=focus)
    if "{group}" in path:
        path = path.format(group=full.ask("/api/errors/groups")["groups"][0]["id"])
    path = path.replace("{conversation:path}", "c-1") + ASKED.get(route, "")
    if route.endswith("/search"):
        path += "?q=order"
    answer = full.ask(path)
    agree(shape(EXAMPLES["GET", route]), shape(answer), path)


def test_the_overview_says_what_is_wrong(full: Client) -> None:
    overview = full.ask("/api/overview")
    assert overview["verdict"]["level"] == "bad"
    assert overview["verdict"]["headline"] == "One tool is failing"
    assert overview["verdict"]["parts"][0] == {"text": "search_orders", "tone": "bad"}
    assert abs(overview["verdict"]["since"] - (time.time() - 60) * 1000) < 120_000
    figures = {figure["id"]: figure for figure in overview["figures"]}
    assert list(figures) == ["requests", "errors", "latency_p95", "first_token_p50", "tokens", "cost"]
    assert figures["requests"]["total"] == 9
    assert figures["latency_p95"]["value"] == pytest.approx(3120, rel=0.03)
    assert figures["first_token_p50"]["value"] == pytest.approx(100, rel=0.03)
    assert figures["cost"]["value"] == pytest.approx(8 * (0.15e-3 + 0.12e-3))
    change = overview["changes"][0]
    assert (change["subject"], change["metric"], change["tone"]) == ("search_orders", "error_ratio", "bad")
    assert change["after"] == pytest.approx(4 / 9)
    assert "TimeoutError" in change["detail"]
    rows = full.ask("/api/traces?" + "&".join(f"{name}={value}" for name, value in change["filter"].items()))
    assert rows["total"] == 4
    failing = overview["slowest_and_failing"]
    assert [row["status"] for row in failing[:4]] == ["error"] * 4
    spent = {entry["kind"]: entry["total_ms"] for entry in overview["time_by_kind"]}
    assert spent == {"llm": 8 * 3000 + 400, "retrieval": 9 * 50, "tool": 9 * 30, "app": 9 * 40}


def test_each_error_is_told_once_and_the_newest_first(client: Client) -> None:
    for number in range(3):
        client.send(chat_trace(f"Question {number}?", tool_status=2, base=time.time_ns() - (90 - number) * 1000 * MS))
    client.send([make_span("run_job reindex", status=2, status_message="no room", ms=5)])
    client.send(chat_trace())
    answer = client.ask("/api/errors")
    assert answer["looked_at"] == {"traces": 4, "complete": True}
    assert [(group["name"], group["count"]) for group in answer["errors"]] == [
        ("run_job reindex", 1),
        ("POST /chat", 3),
    ]
    chat = answer["errors"][1]
    assert (chat["error"], chat["title"]) == ("TimeoutError in search_orders", "Question 2?")
    assert 2000 <= chat["last"] - chat["first"] < 10_000
    newest = client.ask(f"/api/traces/{chat['trace_id']}")["trace"]
    assert (newest["title"], newest["start"]) == ("Question 2?", chat["last"])
    assert client.ask("/api/errors?service=other")["errors"] == []


def test_nothing_yet(client: Client) -> None:
    overview = client.ask("/api/overview")
    assert overview["verdict"]["level"] == "empty"
    assert all(figure["value"] in (None, 0) for figure in overview["figures"])
    assert client.ask("/api/traces")["traces"] == []
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in client.ask("/api/status")["snippet"]


def test_filters(full: Client) -> None:
    full.send(chat_trace("Translate this <b>please</b>", "Vertaal dit", **{"user.id": "u-2"}, llm_ms=9000))

    def titles(query: str) -> list[str]:
        return [row["title"] for row in full.ask(f"/api/traces?{query}")["traces"]]

    odd = ["Question 1?", "Question 3?", "Question 5?", "Question 7?"]
    assert sorted(titles("status=error")) == odd
    assert sorted(titles("status=error&tool=search_orders&service=shop&kind=llm")) == odd
    assert titles("tool=search") == []
    assert titles("model=mistral-nemo-ft") == ["Where is my order?"]
    assert titles("user=u-2") == ["Translate this <b>please</b>"]
    assert titles("min_duration_ms=8000") == ["Translate this <b>please</b>"]
    assert titles("q=vert") == titles("q=translate+this") == ["Translate this <b>please</b>"]
    assert titles("q=search_orders+question+3") == ["Question 3?"]
    assert titles("q=%22%27*%28%29") == titles("")
    assert titles("service=other") == []
    assert titles("sort=slowest&limit=1") == ["Translate this <b>please</b>"]
    assert titles("sort=errors")[:4] == ["Question 7?", "Question 5?", "Question 3?", "Question 1?"]
    assert len(titles("conversation=c-1")) == 18  # all of time
    assert len(titles("range=1h&conversation=c-1")) == 10


@pytest.mark.parametrize("sort", ["newest", "slowest", "errors"])
def test_pages_follow_one_another_without_gaps(full: Client, sort: str) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = full.ask(f"/api/traces?range=all&sort={sort}&limit=4" + (f"&cursor={cursor}" if cursor else ""))
        seen.extend(row["trace_id"] for row in page["traces"])
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == page["total"] == 17


def test_logs(full: Client) -> None:
    base = time.time_ns()
    records = [
        LogRecord(base + number, 0, severity, "", f"line {number}", {"shelf": f"blue {number}"}, resource=Resource())
        for number, severity in enumerate([5, 9, 13, 17, 0])
    ]
    full.send_logs(records)

    def bodies(query: str) -> list[str]:
        return [row["body"] for row in full.ask(f"/api/logs?{query}")["logs"] if row["body"].startswith("line")]

    assert bodies("") == ["line 4", "line 3", "line 2", "line 1", "line 0"]
    assert bodies("severity=warn") == ["line 3", "line 2"]
    assert bodies("severity=info") == ["line 4", "line 3", "line 2", "line 1"]
    assert bodies("q=blue+2") == ["line 2"]
    assert bodies("q=lin&severity=error") == ["line 3"]
    quiet = "filter=-event:otelkit.error.new"  # what the server itself says of the error
    first = full.ask(f"/api/logs?limit=2&{quiet}")
    second = full.ask(f"/api/logs?limit=2&{quiet}&cursor={first['next_cursor']}")
    assert [row["body"] for row in first["logs"] + second["logs"]] == ["line 4", "line 3", "line 2", "line 1"]
    trace_id = full.ask("/api/logs?q=timed&severity=error")["logs"][0]["trace_id"]
    of_trace = full.ask(f"/api/logs?trace_id={trace_id}&{quiet}")["logs"]
    assert [row["body"] for row in of_trace] == ["order system timed out"]
    shown = [row for row in full.ask(f"/api/traces/{trace_id}")["logs"] if not row["event_name"]]
    assert [row["attributes"]["order.id"] for row in shown] == [998]


def test_the_focus_is_the_failing_leaf_else_the_slowest_call(client: Client) -> None:
    failing, fine = chat_trace(tool_status=2), chat_trace()
    failing[-1] = failing[-1]._replace(status=2)
    client.send(failing)
    client.send(fine)
    assert client.ask(f"/api/traces/{failing[0].trace_id.hex()}")["focus"] == failing[1].span_id.hex()
    shown = client.ask(f"/api/traces/{fine[0].trace_id.hex()}")
    assert shown["focus"] == fine[2].span_id.hex()
    assert [span["name"] for span in shown["spans"]] == [
        "POST /chat",
        "retrieval handbook",
        "execute_tool search_orders",
        "chat gpt-4o-mini",
    ]
    assert [span["depth"] for span in shown["spans"]] == [0, 1, 1, 1]
    assert [span["offset_ms"] for span in shown["spans"]] == [0, 10, 70, 110]
    assert shown["spans"][3]["input"][0]["text"] == "Where is my order?"


def test_the_default_range_fits_the_data(client: Client) -> None:
    old = time.time_ns() - 40 * 3600 * 10**9
    client.send(chat_trace(base=old))
    page = client.ask("/api/traces")
    assert (page["range"]["auto"], page["total"]) == (True, 1)
    assert page["range"]["from"] <= old / 1e6 < page["range"]["to"]
    assert page["range"]["to"] - page["range"]["from"] < 2.1 * 3600_000
    assert client.ask("/api/models")["total"]["calls"] == 1
    assert client.ask("/api/traces?range=1h")["total"] == 0
    assert client.ask(f"/api/models?from={old / 1e6 - 60_000:.0f}&to={old / 1e6 + 60_000:.0f}")["total"]["calls"] == 1


@pytest.mark.parametrize("ago", [0, 40 * 3600])
def test_half_a_minute_of_traffic_fills_the_charts(client: Client, ago: int) -> None:
    end = time.time_ns() - ago * 10**9
    for number in range(30):
        client.send(chat_trace(base=end - (30 - number) * 1000 * MS))
    overview = client.ask("/api/overview")
    period = overview["range"]
    length = (period["to"] - period["from"]) / 1000
    assert (period["auto"], period["label"], period["tier"]) == (True, "auto", "2s")
    assert 28 <= length <= 36
    figures = {figure["id"]: figure for figure in overview["figures"]}
    assert sum(1 for value in figures["requests"]["series"] if value) >= 14
    assert sum(1 for value in figures["latency_p95"]["series"] if value) >= 14
    assert figures["requests"]["value"] == pytest.approx(30 / 31, rel=0.2)
    assert figures["tokens"]["value"] == pytest.approx(30 * 1200 / 31 * 60, rel=0.2)
    llm = next(layer for layer in overview["time_by_kind"] if layer["kind"] == "llm")
    assert sum(1 for value in llm["values_ms"] if value) >= 14
    assert len(overview["times"]) == len(llm["values_ms"]) <= 20


def test_that_traffic_has_stopped_is_seen(client: Client) -> None:
    now = time.time_ns()
    for minutes in range(10, 40):
        client.send(chat_trace(base=now - minutes * 60_000 * MS))
    period = client.ask("/api/overview")["range"]
    assert period["to"] >= now / 1e6
    assert (period["tier"], period["to"] - period["from"]) == ("minute", pytest.approx(39 * 60_000, abs=120_000))


def test_fine_steps_are_forgotten_and_minutes_answer(server: Server, client: Client) -> None:
    now = time.time_ns()
    client.send(chat_trace(base=now - 1800_000 * MS))
    client.send(chat_trace(base=now - 600_000 * MS))
    with server.database.reading() as connection:
        steps = [row.time for row in connection.execute(select(schema.ROLL[schema.FINE]))]
    assert steps
    assert min(steps) > now / 1e9 - 700
    for asked, tier, calls in (("range=15m", "2s", 1), ("range=1h", "minute", 2)):
        answer = client.ask(f"/api/models?{asked}")
        assert (answer["range"]["tier"], answer["total"]["calls"]) == (tier, calls)


def test_a_clock_in_the_future_does_not_take_the_steps_of_others(client: Client) -> None:
    now = time.time_ns()
    client.send([make_span("from tomorrow", base=now + 86_400_000 * MS)])
    client.send(chat_trace(base=now - 20_000 * MS))
    answer = client.ask("/api/models")
    assert (answer["range"]["tier"], answer["total"]["calls"]) == ("2s", 1)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/traces?sort=fastest", "sort"),
        ("/api/traces?status=bad", "status"),
        ("/api/traces?limit=0", "limit"),
        ("/api/traces?limit=²", "limit"),
        ("/api/traces?cursor=abc", "cursor"),
        ("/api/traces?cursor=WzEsMl0&sort=errors", "cursor"),
        ("/api/traces?min_duration_ms=nan", "min_duration_ms"),
        ("/api/traces?nosuch=1", "nosuch"),
        ("/api/traces?from=5&to=4", "to"),
        ("/api/traces?from=-1", "from"),
        ("/api/traces/xyz", "trace_id"),
        ("/api/logs?severity=loud", "severity"),
        ("/api/logs?trace_id=12", "trace_id"),
        ("/api/overview?range=2h", "range"),
        ("/api/steps?kind=magic", "kind"),
        ("/api/metrics/points", "name"),
        ("/api/traces?q=" + "x" * 501, "q"),
    ],
)
def test_wrong_parameters_are_pointed_at(client: Client, path: str, parameter: str) -> None:
    answer = client.get(path.replace("²", "%C2%B2"))
    assert answer.status == 400
    assert answer.json["error"]["parameter"] == parameter
    assert answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["/api/nothing", "/api/traces/" + "0" * 32, "/api/metrics/points?name=none"])
def test_unknown_is_404(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status, answer.json["error"]["parameter"]) == (404, None)


def test_page_files_are_asked_for_again(client: Client) -> None:
    page = client.get("/app.js")
    assert (page.status, page.headers["cache-control"]) == (200, "no-cache")
    again = client.get("/app.js", If_None_Match=page.headers["etag"])
    assert (again.status, again.headers["cache-control"], again.body) == (304, "no-cache", b"")
    assert client.get("/").headers["cache-control"] == "no-cache"


def test_json_that_every_parser_reads() -> None:
    body = bytes(json_response({"a": [float("nan"), float("inf"), "\ud800", 1.5]}).body)
    assert json.loads(body, parse_constant=pytest.fail)["a"][3] == 1.5
