"""Budgets as the API tells them: limits as declared, values from the requests stored."""

from __future__ import annotations

import time
from typing import Any

from server_support import MS, Client, chat_trace, make_span
from test_jobs import send_points

STORES = ("sqlite", "postgres")


def of(target: str, measure: str) -> dict[str, str]:
    return {"otelkit.budget.target": target, "otelkit.budget.measure": measure}


def request(ms: float, name: str = "POST /chat") -> Any:
    attributes = {"http.request.method": "POST", "http.route": "/chat"}
    return make_span(name, base=time.time_ns() - 60_000 * MS, ms=ms, kind=2, attributes=attributes)


def test_values_come_from_the_requests_and_what_is_exceeded_first(client: Client) -> None:
    limit, value = "otelkit.budget.limit", "otelkit.budget.value"
    client.send([request(ms) for ms in (100, 100, 100, 3000)] + [request(10, "GET /health")])
    client.send(chat_trace(llm_ms=80))  # 1200 tokens, 200 ms
    send_points(client, (limit, 2, 5, of("POST /chat", "p95")), (limit, 2, 5, of("POST /chat", "mean")))
    send_points(client, (limit, 1000, 5, of("POST /chat", "tokens")), (value, 9, 5, of("POST /chat", "p95")))
    send_points(client, (limit, 300e3, 5, of("static", "bytes")), (value, 250e3, 5, of("static", "bytes")))
    send_points(client, (limit, 1, 5, of("GET /never", "p95")), (limit, 5, 100_000, of("GET /gone", "p95")))
    answer = client.ask("/api/budgets?range=1h")
    rows = {(row["target"], row["measure"]): row for row in answer["budgets"]}
    slow = rows["POST /chat", "p95"]
    assert (slow["limit"], slow["exceeded"], slow["requests"], slow["source"]) == (2, True, 5, "requests")
    assert 2.9 < slow["value"] < 3.1, "of all requests, and not what one process said"
    assert rows["POST /chat", "tokens"]["value"] == 1200
    assert rows["POST /chat", "tokens"]["exceeded"] is True
    assert 0.69 < rows["POST /chat", "mean"]["value"] < 0.71
    assert rows["POST /chat", "mean"]["exceeded"] is False
    size = rows["static", "bytes"]
    assert (size["value"], size["source"], size["unit"], size["exceeded"]) == (250e3, "reported", "By", False)
    never = rows["GET /never", "p95"]
    assert (never["value"], never["exceeded"], never["source"], never["requests"]) == (None, False, None, 0)
    assert ("GET /gone", "p95") not in rows
    assert answer["exceeded"] == 2
    assert [row["exceeded"] for row in answer["budgets"]] == [True, True, False, False, False]
