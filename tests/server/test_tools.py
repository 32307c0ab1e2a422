"""Tools as the API tells them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from server_support import MS, Client, make_span

from otelkit.model import SpanEvent

STORES = ("sqlite", "postgres")


def call(tool: str, ms: float = 10, at: int = 60, **more: Any) -> Any:
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, **more.pop("attributes", {})}
    base = time.time_ns() - at * 1000 * MS
    return make_span(f"execute_tool {tool}", base=base, ms=ms, attributes=attributes, **more)


def test_tools_that_fail_most_come_first_with_their_errors(client: Client) -> None:
    raised = {"exception.type": "httpx.ReadTimeout"}
    event = SpanEvent("exception", time.time_ns(), raised)
    client.send(
        [
            *(call("search", 10) for _ in range(5)),
            call("pay", 50, status=2, status_message="card refused", attributes={"error.type": "shop.CardError"}),
            call("pay", 40, at=50, status=2, events=(event,)),
            call("pay", 60, at=40, status=2, events=(event,)),
            call("pay", 900),
            call("pay", 30, at=7100),
        ]
    )
    answer = client.ask("/api/tools?range=1h")
    assert (answer["total"]["calls"], answer["total"]["errors"]) == (9, 3)
    assert "empty" not in answer["total"]
    assert answer["previous"]["calls"] == 1
    pay, search = answer["tools"]
    assert (pay["tool"], pay["calls"], pay["errors"], pay["error_ratio"]) == ("pay", 4, 3, 0.75)
    assert pay["p95_ms"] == pytest.approx(900, rel=0.03)
    assert (pay["previous"]["calls"], search["previous"]) == (1, None)
    assert sum(pay["series"]["errors"]) == 3
    errors = answer["errors"]
    assert (errors["calls"], errors["complete"]) == (3, True)
    assert [(row["tool"], row["type"], row["calls"], row["message"]) for row in errors["rows"]] == [
        ("pay", "ReadTimeout", 2, None),
        ("pay", "CardError", 1, "card refused"),
    ]
    newest = errors["rows"][0]
    span = client.ask(f"/api/traces/{newest['trace_id']}/spans/{newest['span_id']}")["span"]
    assert span["duration_ms"] == 60.0, "the newest of its kind"
    assert answer["slowest"][0]["label"] == "pay"
    assert answer["slowest"][0]["duration_ms"] == 900.0
    assert [row["error"] for row in answer["slowest"][:3]] == [None, "ReadTimeout", "CardError"]


def test_calls_by_integration_and_action(client: Client) -> None:
    def acting(action: str, status: int = 0, ms: float = 10) -> Any:
        names = {"otelkit.tool.integration": "calendar", "otelkit.tool.action": action}
        return call("calendar", ms, status=status, attributes={**names, "gen_ai.tool.call.arguments": '{"day": 1}'})

    client.send([acting("create", ms=ms) for ms in (10, 20, 30)] + [acting("delete", 2), call("search")])
    actions = client.ask("/api/tools")["actions"]
    assert (actions["calls"], actions["complete"]) == (5, True)
    assert [(row["integration"], row["action"], row["calls"], row["errors"]) for row in actions["rows"]] == [
        ("calendar", "create", 3, 0),
        ("calendar", "delete", 1, 1),
    ]
    assert (actions["rows"][0]["p50_ms"], actions["rows"][0]["tools"]) == (20.0, ["calendar"])
    assert client.ask("/api/tools")["slowest"][0]["asked"] == '{"day": 1}'


def test_no_tools(client: Client) -> None:
    answer = client.ask("/api/tools")
    assert (answer["tools"], answer["slowest"], answer["actions"]["rows"], answer["errors"]["rows"]) == ([], [], [], [])
    assert answer["total"]["error_ratio"] is None
