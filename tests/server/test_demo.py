"""Made-up telemetry on request: believable, marked as such, received like any other, stored once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from server_support import Client, chat_trace, everything

from otelkit.model import LogRecord, Resource
from otelkit.server.demo import demo
from otelkit.server.runtime import Server

STORES = ("sqlite", "postgres")
NOON = 1_763_726_400


def order(client: Client, path: str, body: Any = None, method: str = "POST") -> Any:
    return client.request(method, path, json.dumps(body or {}).encode(), Content_Type="application/json")


def test_the_same_moment_gives_the_same_records_and_all_are_marked() -> None:
    made = demo(NOON)
    assert made == demo(NOON)
    assert made != demo(NOON + 60)
    for record in (*made.spans, *made.logs):
        assert record.resource.attributes["deployment.environment.name"] == "demo"
        assert str(record.resource.attributes["service.name"]).startswith("demo-")
    ids = [(span.trace_id, span.span_id) for span in made.spans]
    assert len(set(ids)) == len(ids)
    parents = {(span.trace_id, span.parent_id) for span in made.spans if span.parent_id}
    assert parents <= set(ids)
    assert all(NOON - 7200 <= span.start / 1e9 <= span.end / 1e9 <= NOON for span in made.spans)


def test_demo_data_fills_every_section(client: Client) -> None:
    answer = order(client, "/api/demo")
    assert answer.status == 200
    told = answer.json
    assert (told["environment"], told["traces"] > 100, told["logs"] > 100) == ("demo", True, True)
    status = client.ask("/api/status")
    news = client.ask("/api/logs?range=3h&event_name=otelkit.error.new&environment=demo")["total"]
    assert (status["stored"]["spans"], status["stored"]["logs"]) == (told["spans"], told["logs"] + news)
    assert news > 0
    assert status["rejected"] == []
    everything = "range=all&environment=demo"
    models = {row["model"]: row for row in client.ask(f"/api/models?{everything}")["models"]}
    assert models["gpt-4o-mini"]["cost_usd"] > 0
    assert models["claude-sonnet-4-5"]["cost_usd"] > 0
    assert models["demo-llama"]["cost_usd"] is None
    tool = client.ask(f"/api/tools?{everything}")["tools"][0]
    assert 0 < tool["errors"] < tool["calls"] / 2
    assert client.ask(f"/api/retrieval?{everything}")["sources"][0]["empty"] > 0
    asked = client.ask(f"/api/databases?{everything}")
    assert {row["table"] for row in asked["calls"]} == {"readers", "loans"}
    assert [row["summary"] for row in asked["slow"]] == ["SELECT loans"]
    assert len(client.ask(f"/api/top?{everything}&by=user")["top"]) == 12
    talks = client.ask(f"/api/conversations?{everything}")
    assert talks["total"] == 70
    assert max(row["turns"] for row in talks["conversations"]) == 3
    assert client.ask("/api/overview?range=3h")["verdict"]["level"] != "empty"


def test_what_is_loaded_twice_is_stored_once(client: Client) -> None:
    first = order(client, "/api/demo").json
    assert order(client, "/api/demo").json["traces"] == first["traces"]
    stored = client.ask("/api/status")["stored"]
    assert (stored["traces"], stored["spans"]) == (first["traces"], first["spans"])


def test_a_test_trace_is_there_at_once_and_each_is_another(client: Client) -> None:
    told = [order(client, "/api/demo/trace").json["trace_id"] for _ in range(2)]
    assert told[0] != told[1]
    for trace_id in told:
        trace = client.ask(f"/api/traces/{trace_id}")
        assert trace["trace"]["services"] == ["demo-assistant"]
        assert trace["trace"]["error"] is None
    assert client.ask("/api/traces")["total"] == 2


def test_removed_demo_data_is_in_no_figure_any_more(server: Server, client: Client) -> None:
    own = [Resource({"service.name": name, "deployment.environment.name": "demo"}) for name in ("shop", "demo")]
    for resource in own:
        client.send([span._replace(resource=resource) for span in chat_trace()])
        client.send_logs([LogRecord(time.time_ns(), 0, 9, "INFO", "ours", resource=resource)])
    before = everything(server)
    sent = [order(client, path).json for path in ("/api/demo", "/api/demo/trace")]
    assert everything(server) != before
    news = client.ask("/api/logs?range=3h&event_name=otelkit.error.new")["total"]
    gone = order(client, "/api/demo", method="DELETE").json
    sums = {name: sum(part[name] for part in sent) for name in ("traces", "spans", "logs")}
    assert gone == {**sums, "logs": sums["logs"] + news}
    assert everything(server) == before
    for path in ("top?by=user", "services?", "logs?", "traces?q=catalogue", "errors/groups?"):
        answer = client.get(f"/api/{path}&range=all")
        assert (answer.status, b"demo-" in answer.body) == (200, False)
    assert order(client, "/api/demo", method="DELETE").json == {"traces": 0, "spans": 0, "logs": 0}
    assert order(client, "/api/demo").json["traces"] == sent[0]["traces"]
    assert client.ask("/api/status")["stored"]["traces"] == sent[0]["traces"] + 2


@pytest.mark.parametrize("path", ["/api/demo", "/api/demo/trace"])
def test_only_a_json_body_without_fields_is_taken(client: Client, path: str) -> None:
    assert client.post(path, b"{}", "text/plain").status == 415
    refused = order(client, path, {"hours": 3})
    assert (refused.status, refused.json["error"]["parameter"]) == (400, "hours")
    assert client.ask("/api/status")["stored"]["spans"] == 0
