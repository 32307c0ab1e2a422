"""Links between traces, followed in both directions."""

from __future__ import annotations

import time
from typing import Any

import pytest
from server_support import MS, Client, chat_trace, make_span
from sqlalchemy import func, select

from otelkit.model import Span, SpanLink
from otelkit.server.runtime import Server
from otelkit.server.storage import schema
from otelkit.server.storage.retention import Retention

STORES = ("sqlite", "postgres")
DAY = 86_400


def linking(*targets: Span, name: str = "refund", **values: Any) -> Span:
    return make_span(name, links=tuple(SpanLink(span.trace_id, span.span_id) for span in targets), **values)


def linked_from(client: Client, span: Span) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.ask(f"/api/traces/{span.trace_id.hex()}")["linked_from"]
    return found


def links(server: Server) -> int:
    with server.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.link)).scalar_one())


def test_a_link_is_seen_from_both_ends_whichever_came_first(client: Client) -> None:
    asked = chat_trace("Refund me")
    root = asked[-1]
    early = linking(root, status=2)
    client.send([early])
    client.send(asked)
    inner = linking(asked[0], name="index", trace_id=early.trace_id, parent_id=early.span_id)
    client.send([inner])
    told = linked_from(client, root)
    assert {row["span_id"] for row in told} == {early.span_id.hex(), inner.span_id.hex()}
    first = next(row for row in told if row["name"] == "refund")
    assert first.pop("start") == pytest.approx(early.start / 1e6, abs=0.01)
    assert first == {
        "trace_id": early.trace_id.hex(),
        "span_id": early.span_id.hex(),
        "to_span_id": root.span_id.hex(),
        "title": "refund",
        "name": "refund",
        "service": "shop",
        "status": "error",
    }
    there = client.ask(f"/api/traces/{early.trace_id.hex()}")
    assert there["spans"][0]["links"][0]["trace_id"] == root.trace_id.hex()
    assert there["linked_from"] == []


def test_a_repeated_batch_and_a_link_said_twice_are_one(server: Server, client: Client) -> None:
    target = make_span("target")
    within = make_span("child", trace_id=target.trace_id, links=(SpanLink(target.trace_id, target.span_id),))
    twice = linking(target, target)
    for _ in range(2):
        client.send([target, within, twice])
    assert links(server) == 1, "what links within a trace is seen in the trace"
    assert [row["span_id"] for row in linked_from(client, target)] == [twice.span_id.hex()]


def test_the_last_fifty_are_told_and_of_one_span_the_first_128_kept(server: Server, client: Client) -> None:
    target = make_span("queue")
    client.send([target, *(linking(target, name=f"job {number}") for number in range(60))])
    told = linked_from(client, target)
    assert [row["name"] for row in told] == [f"job {number}" for number in range(59, 9, -1)]
    before = links(server)
    client.send([linking(*(make_span() for _ in range(500)))])
    assert links(server) - before == 128


def test_links_go_with_the_trace_that_has_them(server: Server, client: Client) -> None:
    target = make_span("target")
    old, young = linking(target, base=time.time_ns() - 2 * DAY * 1000 * MS), linking(target)
    client.send([target, old, young])
    some = Retention(server.retention._store, server.retention._order, DAY, 0)
    while some.step() is not None:
        pass
    assert links(server) == 1
    assert [row["span_id"] for row in linked_from(client, target)] == [young.span_id.hex()]
    client.send([old])  # comes again, late: as new as any other
    assert len(linked_from(client, target)) == 2
