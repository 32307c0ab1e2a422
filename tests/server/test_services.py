"""Services and the map of who calls whom."""

from __future__ import annotations

import time

import pytest
from server_support import MS, SERVICE, Client, chat_trace, make_span

from otelkit.model import Resource

STORES = ("sqlite", "postgres")
ORDERS = Resource({"service.name": "orders", "service.version": "3.1", "deployment.environment.name": "test"})


def test_the_map_shows_services_and_what_they_use(client: Client) -> None:
    base = time.time_ns() - 100_000 * MS
    trace = chat_trace(base=base)
    root = trace[-1]
    below = {"trace_id": root.trace_id, "base": base}
    db = {"db.system.name": "postgresql"}
    hop = make_span(
        "GET /orders", at=20, ms=50, kind=3, parent_id=root.span_id, attributes={"server.address": "o"}, **below
    )
    served = make_span("GET /orders", at=25, ms=40, kind=2, parent_id=hop.span_id, resource=ORDERS, status=2, **below)
    query = make_span("SELECT", at=30, ms=5, kind=3, parent_id=served.span_id, resource=ORDERS, attributes=db, **below)
    away = {"server.address": "pay.example"}
    paid = make_span("POST /pay", at=60, ms=30, kind=3, parent_id=root.span_id, attributes=away, **below)
    client.send([*trace, hop, served, query, paid])
    client.send(chat_trace(base=base + 50_000 * MS))
    answer = client.ask("/api/services/map")
    assert (answer["looked_at"]["traces"], answer["looked_at"]["complete"]) == (2, True)
    nodes = {node["id"]: node for node in answer["nodes"]}
    assert set(nodes) == {
        *("entry:", "service:shop", "service:orders", "llm:openai", "retrieval:handbook"),
        *("tool:search_orders", "db:postgresql", "external:pay.example"),
    }
    assert nodes["service:orders"]["versions"] == ["3.1"]
    assert nodes["entry:"]["called"] is None
    edges = {(edge["from"], edge["to"]): edge for edge in answer["edges"]}
    assert set(edges) == {
        ("entry:", "service:shop"),
        ("service:shop", "service:orders"),
        ("service:orders", "db:postgresql"),
        ("service:shop", "llm:openai"),
        ("service:shop", "retrieval:handbook"),
        ("service:shop", "tool:search_orders"),
        ("service:shop", "external:pay.example"),
    }, "an address that answers with spans of its own is a service and nothing outside"
    called = edges["service:shop", "service:orders"]
    assert (called["calls"], called["errors"], called["error_ratio"], called["p95_ms"]) == (1, 1, 1.0, 40.0)
    talks = edges["service:shop", "llm:openai"]
    assert (talks["calls"], talks["p50_ms"]) == (2, 400.0)
    assert talks["per_s"] == pytest.approx(2 / 50, rel=0.05)
    assert nodes["service:shop"]["called"]["calls"] == 2


def test_no_traces_no_map(client: Client) -> None:
    answer = client.ask("/api/services/map")
    assert (answer["nodes"], answer["edges"]) == ([], [])
    assert answer["looked_at"] == {"traces": 0, "complete": True, "since": None}


def test_the_map_can_be_narrowed(client: Client) -> None:
    client.send(chat_trace())
    client.send([make_span("other", resource=ORDERS)])
    assert len(client.ask("/api/services/map?service=orders")["nodes"]) == 2


def test_services_have_their_requests_over_time(client: Client) -> None:
    for failed in (0, 2, 0):
        trace = chat_trace()
        trace[-1] = trace[-1]._replace(status=failed)
        client.send(trace)
    client.send([make_span("orders", resource=ORDERS)])
    answer = client.ask("/api/services")
    shop, orders = answer["services"]
    assert (shop["service"], shop["requests"], shop["errors"]) == (SERVICE.attributes["service.name"], 3, 1)
    assert (sum(shop["requests_series"]), sum(shop["errors_series"])) == (3, 1)
    assert len(shop["requests_series"]) == len(answer["times"])
    assert shop["requests_per_s"] > 0
    assert sum(orders["requests_series"]) == 1
