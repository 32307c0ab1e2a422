"""Prices set while the server runs: in force at once, kept, and worked into everything that is stored."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from server_support import MS, Answer, Client, NewStore, chat_trace, make_span
from sqlalchemy import select

from otelkit.server.config import TEMPORARY, ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import schema

STORES = ("sqlite", "postgres")
LOCAL = {"provider": "local", "model": "mistral-nemo-ft"}
RATES = {"input": 2.0, "output": 10.0}
COST = 1000 * 2e-6 + 200 * 10e-6


def change(client: Client, method: str, body: dict[str, Any]) -> Answer:
    return client.request(method, "/api/prices", json.dumps(body).encode(), Content_Type="application/json")


def kept(new_store: NewStore, folder: Path) -> str:
    """Return the location of a store that outlives its server."""
    location = new_store()
    return str(folder / "kept.db") if location == TEMPORARY else location


def settled(client: Client) -> Any:
    """Wait until stored costs have followed."""
    deadline = time.time() + 30
    while (answer := client.ask("/api/prices"))["recomputation"] is not None:
        assert time.time() < deadline
        time.sleep(0.02)
    return answer


def traffic(client: Client) -> None:
    """Send calls in three hours, some priced and some not, one that is restated, one that states its cost."""
    base = time.time_ns() // (3600 * 10**9) * 3600 * 10**9 - 2 * 3600 * 10**9 + 600 * 10**9
    for number in range(12):
        model = {"model": "mistral-nemo-ft", "provider": "local"} if number % 3 else {}
        who = {"user.id": f"u-{number % 2}", "gen_ai.conversation.id": f"c-{number % 4}"}
        at = base + number * 600 * 10**9
        client.send(chat_trace(f"Question {number}?", base=min(at, time.time_ns() - 10**9), **model, **who))
    told = chat_trace("Stated?", model="mistral-nemo-ft", provider="local")
    told[2] = told[2]._replace(attributes={**told[2].attributes, "otelkit.cost.usd": 0.5})
    client.send(told)
    twice = chat_trace("Twice?", model="mistral-nemo-ft", provider="local")
    inner = make_span("chat mistral-nemo-ft", trace_id=twice[2].trace_id, parent_id=twice[2].span_id, kind=3)
    attributes = {**twice[2].attributes, "gen_ai.response.id": "r-1"}
    twice[2] = twice[2]._replace(attributes=attributes)
    client.send([inner._replace(start=twice[2].start + MS, end=twice[2].end - MS, attributes=attributes), *twice])


def figures(server: Server) -> dict[str, Any]:
    """Return everything that is stored of costs, by what it belongs to."""
    series, actor = schema.series.c, schema.actor.c
    with server.database.reading() as connection:
        spans = connection.execute(select(schema.span.c.span_id, schema.span.c.cost, schema.span.c.flags)).all()
        traces = connection.execute(select(schema.trace.c.trace_id, schema.trace.c.cost, schema.trace.c.unpriced)).all()
        sums = {}
        for table in schema.ROLL.values():
            query = select(table.c.time, series.name, series.model, table.c.status, table.c.cost, table.c.unpriced)
            for row in connection.execute(query.join(schema.series, series.id == table.c.series)):
                sums[table.name, *row[:4]] = row[4:]
        hours = select(schema.actor_hour.c.hour, actor.user, actor.grp, actor.conversation, schema.actor_hour.c.cost)
        for row in connection.execute(hours.join(schema.actor, actor.id == schema.actor_hour.c.actor)):
            sums["actor", *row[:4]] = row[4:]
    found = {("span", row[0]): row[1:] for row in spans} | {("trace", row[0]): row[1:] for row in traces} | sums
    return {
        str(key): [pytest.approx(value, abs=1e-9) if isinstance(value, float) else value for value in values]
        for key, values in found.items()
    }


@pytest.mark.parametrize("change_twice", [False, True], ids=["set", "set, changed, removed, set"])
def test_figures_are_those_of_a_store_that_had_the_price_from_the_start(
    new_store: NewStore, tmp_path: Path, change_twice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelkit.server.repricing._TRACES", 3)
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"local": {"mistral-nemo-ft": RATES}}))
    sent: list[bytes] = []
    with Server(ServerConfig(port=0, database=new_store())) as server:
        client = Client(server.url)
        post = client.post
        client.post = lambda path, body, *rest, **headers: (sent.append(body), post(path, body, *rest, **headers))[1]  # type: ignore[method-assign]
        traffic(client)
        before = figures(server)
        if change_twice:
            assert change(client, "PUT", {**LOCAL, "input": 7.0, "output": 1.0}).status == 200
            settled(client)
            assert change(client, "DELETE", LOCAL).status == 200
            settled(client)
            assert figures(server) == before
        assert change(client, "PUT", {**LOCAL, **RATES}).status == 200
        settled(client)
        after = figures(server)
        totals = client.ask("/api/models?range=24h")["total"]
    assert after != before
    with Server(ServerConfig(port=0, database=new_store(), prices=prices)) as server:
        client = Client(server.url)
        for body in sent:
            assert client.post("/v1/traces", body).status == 200
        assert after == figures(server)
        fresh = client.ask("/api/models?range=24h")["total"]
    assert totals["cost_usd"] == pytest.approx(fresh["cost_usd"])
    assert totals["unpriced_calls"] == fresh["unpriced_calls"] == 0


def test_a_price_is_in_force_at_once_and_survives_a_restart(new_store: NewStore, tmp_path: Path) -> None:
    store = kept(new_store, tmp_path)
    with Server(ServerConfig(port=0, database=store)) as server:
        client = Client(server.url)
        answer = change(client, "PUT", {**LOCAL, **RATES})
        assert answer.json["prices"][0]["source"] == "page"
        client.send(chat_trace("After?", **LOCAL))
        assert client.ask("/api/traces")["traces"][0]["cost_usd"] == pytest.approx(COST)
    with Server(ServerConfig(port=0, database=store)) as server:
        client = Client(server.url)
        client.send(chat_trace("Later?", **LOCAL))
        assert [row["cost_usd"] for row in client.ask("/api/traces")["traces"]] == [pytest.approx(COST)] * 2
        listed = client.ask("/api/prices")["prices"]
        assert [(price["model"], price["input"], price["output"], price["free"]) for price in listed] == [
            ("mistral-nemo-ft", 2.0, 10.0, False)
        ]


def test_a_restart_goes_on_where_a_recomputation_was(
    new_store: NewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = kept(new_store, tmp_path)
    monkeypatch.setattr("otelkit.server.repricing._TRACES", 2)
    with Server(ServerConfig(port=0, database=store)) as server:
        client = Client(server.url)
        for number in range(9):
            client.send(chat_trace(f"Question {number}?", **LOCAL))
        # It stops after the first step, as a process does that is killed.
        monkeypatch.setattr(server.repricing, "_stepped", lambda _: None)
        assert change(client, "PUT", {**LOCAL, **RATES}).status == 200
        deadline = time.time() + 10
        while client.ask("/api/prices")["recomputation"] in (None, {"done": 0.0, "changed_calls": 0}):
            assert time.time() < deadline
        assert client.ask("/api/prices")["recomputation"] == {"done": pytest.approx(2 / 9), "changed_calls": 2}
    with Server(ServerConfig(port=0, database=store)) as server:
        client = Client(server.url)
        settled(client)
        assert [row["cost_usd"] for row in client.ask("/api/traces")["traces"]] == [pytest.approx(COST)] * 9
        assert client.ask("/api/models")["unpriced"] == []


def test_the_page_wins_over_the_file_and_free_is_known_to_be_nothing(new_store: NewStore, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"local": {"mistral-nemo-ft": RATES}}))
    with Server(ServerConfig(port=0, database=new_store(), prices=prices)) as server:
        client = Client(server.url)
        client.send(chat_trace("Where?", **LOCAL))
        assert change(client, "PUT", {**LOCAL, "free": True}).status == 200
        listed = settled(client)["prices"]
        assert [(price["source"], price["free"], price["overridden"]) for price in listed] == [
            ("page", True, False),
            ("file", False, True),
        ]
        assert client.ask("/api/traces")["traces"][0]["cost_usd"] == 0
        assert client.ask("/api/models")["total"]["cost_usd"] == 0
        change(client, "DELETE", LOCAL)
        settled(client)
        assert client.ask("/api/traces")["traces"][0]["cost_usd"] == pytest.approx(COST)


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "input"),
        (LOCAL, "input"),
        ({**LOCAL, "input": -1}, "input"),
        ({**LOCAL, "input": "1"}, "input"),
        ({**LOCAL, "input": True}, "input"),
        ({**LOCAL, "input": 1, "output": 1e300}, "output"),
        ({"provider": "", "model": "x", "input": 1}, "provider"),
        ({"provider": "x", "model": 5, "input": 1}, "model"),
        ({"provider": "x", "model": "y" * 201, "input": 1}, "model"),
        ({**LOCAL, "input": 1, "price": 2}, "price"),
    ],
)
def test_a_wrong_price_is_pointed_at(client: Client, body: dict[str, Any], parameter: str) -> None:
    answer = change(client, "PUT", body)
    assert (answer.status, answer.json["error"]["parameter"]) == (400, parameter)
    assert client.ask("/api/prices")["prices"] == []


def test_what_is_not_set_cannot_be_removed_and_forms_change_nothing(client: Client) -> None:
    assert change(client, "DELETE", LOCAL).status == 404
    body = json.dumps({**LOCAL, **RATES}).encode()
    assert client.request("PUT", "/api/prices", body, Content_Type="text/plain").status == 415
    foreign = {"Content_Type": "application/json", "Origin": "https://example.com"}
    assert client.request("PUT", "/api/prices", body, **foreign).status == 403
    assert client.ask("/api/prices")["prices"] == []
