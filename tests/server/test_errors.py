"""Errors are put together, counted once a trace, marked new and regressed, resolved and deleted; on both databases."""

from __future__ import annotations

import json
import random
import secrets
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from server_support import MS, SERVICE, Answer, Client, NewStore, make_span
from sqlalchemy import select, update

from otelkit.model import LogRecord, Resource, Scope, Span, SpanEvent
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import schema

STORES = ("sqlite", "postgres")
HOUR = 3600_000 * MS


def raised(number: int, kind: type[Exception] = ValueError) -> dict[str, Any]:
    """Attributes of an exception as OpenTelemetry's SDK writes them; the numbers of its lines depend on nothing."""
    try:
        if number >= 0:
            raise kind(f"order {number} of jane@example.com is lost")
    except kind as error:
        return {
            "exception.type": type(error).__name__,
            "exception.message": str(error),
            "exception.stacktrace": "".join(traceback.format_exception(error)),
        }
    raise AssertionError


def failing(number: int = 1, error: type[Exception] = ValueError, **values: Any) -> Span:
    made = make_span("POST /orders", **{"kind": 2, "status": 2, **values})
    return made._replace(events=(SpanEvent("exception", made.end, raised(number, error)),))


def groups(client: Client, query: str = "range=1h") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.ask(f"/api/errors/groups?{query}")["groups"]
    return found


def order(client: Client, path: str) -> Answer:
    return client.post(path, b"{}", "application/json")


def news(client: Client) -> list[tuple[str, str]]:
    logs = client.ask("/api/logs?range=all&filter=logger:otelkit.errors")["logs"]
    return [(row["event_name"], row["body"]) for row in reversed(logs)]


def test_the_same_error_of_many_traces_is_one_group(client: Client) -> None:
    client.send(
        [failing(number, attributes={"user.id": f"u-{number % 3}", "http.route": "/orders"}) for number in range(7)]
    )
    client.send([failing(7, KeyError)])
    most, other = groups(client, "range=1h&sort=count")
    assert (most["title"], most["count"], most["total"], most["users"], most["state"]) == ("ValueError", 7, 7, 3, "new")
    assert sum(most["series"]) == 7
    assert (other["title"], other["count"], other["users"]) == ("KeyError", 1, 0)
    assert most["place"].endswith("test_errors.py in raised")
    assert most["unhandled"] == 7
    assert most["fingerprint"] != other["fingerprint"]
    assert "jane@example.com" not in json.dumps(most)
    assert "[email]" in most["message"]


def test_a_span_its_parent_and_the_log_of_it_count_once_whatever_comes_first(client: Client) -> None:
    for late_log in (True, False):
        trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
        outer = failing(1, trace_id=trace_id, span_id=root)
        inner = failing(1, trace_id=trace_id, parent_id=root, kind=1)
        log = LogRecord(outer.end, 0, 17, "ERROR", "failed", raised(1), trace_id=trace_id, resource=SERVICE)
        steps = [lambda inner=inner: client.send([inner]), lambda outer=outer: client.send([outer])]
        steps.insert(2 if late_log else 0, lambda log=log: client.send_logs([log]))
        for step in steps:
            step()
    (group,) = groups(client)
    assert (group["count"], group["unhandled"]) == (2, 2), "the entry's span knows that nobody handled it"


def test_what_a_web_server_logs_of_it_outside_of_the_trace_is_not_another_one(client: Client) -> None:
    for late_log in (True, False):
        span = failing(1, base=time.time_ns() - (30_000 if late_log else 10_000) * MS)
        scope = Scope("uvicorn.error")
        log = LogRecord(
            span.end + 5 * MS, 0, 17, "ERROR", "Exception in ASGI", raised(1), resource=SERVICE, scope=scope
        )
        steps = [lambda log=log: client.send_logs([log]), lambda span=span: client.send([span])]
        for step in reversed(steps) if late_log else steps:
            step()
            step()
    (group,) = groups(client)
    assert (group["count"], group["total"], group["unhandled"], sum(group["series"])) == (2, 2, 2, 2)
    alone = LogRecord(time.time_ns(), 0, 17, "ERROR", "Exception in ASGI", raised(1), resource=SERVICE)
    client.send_logs([alone])
    assert groups(client)[0]["count"] == 3, "long after any trace it is one of its own"


def test_what_a_web_server_says_again_is_paired_one_to_one_in_any_order(client: Client) -> None:
    now = time.time_ns()
    steps: list[tuple[str, Any]] = [("span", failing(1, base=now - number * 100 * MS)) for number in (80, 81, 82)]
    traced = [span.end for _, span in steps]
    told = [end + (5 + 7 * place) * MS for place, end in enumerate(traced)]
    told += [traced[0] + 40 * MS, traced[0] + 60 * MS, traced[-1] - 5 * MS, now - 90_000 * MS]  # one too many each
    steps += [("log", said_outside("uvicorn.error", at)) for at in told]
    for round_ in range(6):
        service = Resource({"service.name": f"s{round_}"})
        mixed = list(steps)
        random.Random(round_).shuffle(mixed)
        for what, one in mixed if round_ else steps:
            fresh = one._replace(resource=service)
            if what == "span":
                client.send([fresh._replace(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8))])
            else:
                client.send_logs([fresh])
        (group,) = groups(client, f"range=1h&service=s{round_}")
        assert (group["count"], group["total"], sum(group["series"])) == (7, 7, 7), f"order {round_}"


def test_only_web_servers_say_twice_what_a_trace_tells(client: Client) -> None:
    for number, order in enumerate(("first", "last")):
        service = Resource({"service.name": f"worker{number}"})
        span = failing(1, base=time.time_ns() - 30_000 * MS, resource=service)
        logs = [said_outside("jobs", span.end + at * MS)._replace(resource=service) for at in range(1, 6)]
        steps = [lambda span=span: client.send([span]), lambda logs=logs: client.send_logs(logs)]
        for step in steps if order == "first" else reversed(steps):
            step()
        assert [group["count"] for group in groups(client, f"range=1h&service=worker{number}")] == [6]


def said_outside(logger: str, at: int) -> LogRecord:
    return LogRecord(at, 0, 17, "ERROR", f"Exception at {at}", raised(1), resource=SERVICE, scope=Scope(logger))


def test_what_is_sent_again_changes_nothing(client: Client) -> None:
    spans = [failing(number) for number in range(3)]
    logs = [LogRecord(time.time_ns(), 0, 17, "ERROR", f"order {n} is late", resource=SERVICE) for n in range(3)]
    for _ in range(3):
        client.send(spans)
        client.send_logs(logs)
    assert sorted(group["count"] for group in groups(client)) == [3, 3]
    assert len(news(client)) == 2


def test_errors_that_are_only_logged(client: Client) -> None:
    for number in range(2):
        said = f"payment {number} refused"
        client.send_logs([LogRecord(time.time_ns(), 0, 17, "ERROR", said, resource=SERVICE, scope=Scope("shop"))])
    client.send_logs([LogRecord(time.time_ns(), 0, 13, "WARN", "only a warning", resource=SERVICE)])
    (group,) = groups(client)
    assert (group["title"], group["type"], group["count"]) == ("payment 0 refused", None, 2)
    (sample, _) = client.ask(f"/api/errors/groups/{group['id']}")["samples"]
    assert (sample["trace_id"], sample["trace"]) == (None, None)


def test_one_group_in_full(client: Client) -> None:
    other = Resource({"service.name": "bills", "deployment.environment.name": "test", "service.version": "2.1"})
    client.send([failing(1), failing(2), failing(3, resource=other)])
    number = next(group["id"] for group in groups(client, "range=1h&service=shop"))
    one = client.ask(f"/api/errors/groups/{number}?range=1h")
    assert one["group"]["count"] == 2
    (shown,) = one["stack"]
    assert (shown["type"], shown["frames"][-1]["function"], shown["frames"][-1]["app"]) == (
        "ValueError",
        "raised",
        True,
    )
    assert shown["frames"][-1]["code"].startswith("raise kind(")
    assert [sample["trace"]["name"] for sample in one["samples"]] == ["POST /orders"] * 2
    assert one["routes"] == [{"name": "POST /orders", "count": 2}]
    (elsewhere,) = one["elsewhere"]
    assert (elsewhere["service"], elsewhere["total"]) == ("bills", 1)
    away = client.ask(f"/api/errors/groups/{elsewhere['id']}")["group"]
    assert (away["first_version"], away["last_version"]) == ("2.1", "2.1")
    trace = client.ask(f"/api/traces/{one['samples'][0]['trace_id']}")
    assert [(error["id"], error["title"]) for error in trace["errors"]] == [(number, "ValueError")]
    (event,) = trace["spans"][0]["events"]
    assert event["attributes"]["otelkit.error.fingerprint"] == one["group"]["fingerprint"]


def test_resolved_then_seen_again_is_a_regression(client: Client) -> None:
    client.send([failing(1)])
    (group,) = groups(client)
    path = f"/api/errors/groups/{group['id']}"
    assert order(client, f"{path}/resolve").json["resolved"] is not None
    client.send([failing(2)])  # it ended a minute ago, before that
    assert groups(client) == []
    (group,) = groups(client, "range=1h&state=resolved")
    assert (group["state"], group["count"]) == ("resolved", 2)
    client.send([failing(3, base=time.time_ns() + 5 * MS, ms=0)])
    client.send([failing(4, base=time.time_ns() + 5 * MS, ms=0)])
    (group,) = groups(client)
    assert (group["state"], group["regressed"] > group["resolved"]) == ("regressed", True)
    place = group["place"]
    assert news(client) == [
        ("otelkit.error.new", f"New error: ValueError at {place}"),
        ("otelkit.error.regressed", f"Error seen again after it was resolved: ValueError at {place}"),
    ]
    assert order(client, f"{path}/reopen").json == {"id": group["id"], "resolved": None}
    assert groups(client)[0]["state"] == "new"


def test_filters_order_and_pages(client: Client) -> None:
    base = time.time_ns()
    kinds = (ValueError, KeyError, TimeoutError, ConnectionError)
    for age, kind in enumerate(kinds):
        spans = [failing(number, kind, base=base - (age + 1) * 10_000 * MS) for number in range(age + 1)]
        client.send([span._replace(attributes={"user.id": f"u-{number}"}) for number, span in enumerate(spans)])

    def titles(query: str) -> list[str]:
        return [group["title"] for group in groups(client, f"range=1h&{query}")]

    assert titles("") == ["ValueError", "KeyError", "TimeoutError", "ConnectionError"]
    for sort in ("count", "users"):
        assert titles(f"sort={sort}") == ["ConnectionError", "TimeoutError", "KeyError", "ValueError"]
    assert titles("category=timeout") == ["TimeoutError"]
    assert titles("category=dependency") == ["ConnectionError"]
    assert titles("q=keyerr") == ["KeyError"]
    assert titles("q=test_errors.py+lost+nowhere") == []
    assert titles("state=resolved") == []
    assert titles("environment=other") == []
    first = client.ask("/api/errors/groups?range=1h&limit=3")
    rest = client.ask(f"/api/errors/groups?range=1h&limit=3&cursor={first['next_cursor']}")
    assert ([g["title"] for g in rest["groups"]], rest["next_cursor"]) == (["ConnectionError"], None)
    assert (first["total"], first["occurrences"], sum(first["series"])) == (4, 10, 10)
    assert first["states"] == {"new": 4, "regressed": 0, "open": 0, "resolved": 0}
    assert first["categories"] == {"bug": 2, "dependency": 1, "timeout": 1, "client": 0, "limit": 0}
    for wrong in ("cursor=x", "state=x", "category=x", "sort=x", "limit=0", "x=1"):
        assert client.get(f"/api/errors/groups?{wrong}").status == 400
    assert client.get("/api/errors/groups/999").status == 404
    assert client.get("/api/errors/groups/x").status == 400
    assert order(client, "/api/errors/groups/999/resolve").status == 404


def test_new_is_of_the_range_asked_for(client: Client) -> None:
    client.send([failing(1, base=time.time_ns() - 30 * HOUR)])
    client.send([failing(2)])
    assert [group["state"] for group in groups(client, "range=1h")] == ["open"]
    assert [group["state"] for group in groups(client, "range=7d")] == ["new"]
    assert [group["state"] for group in groups(client, "")] == ["open"], "nothing asked: the newest 24 h"
    (week,) = groups(client, "range=7d")
    assert (week["count"], sum(week["series"])) == (2, 2)


def test_clocks_from_the_future_do_not_stay_the_newest(client: Client) -> None:
    client.send([failing(1, base=time.time_ns() + 1000 * HOUR)])
    (group,) = groups(client, "range=1h")
    assert group["last"] <= time.time() * 1000


def test_hostile_exceptions(client: Client) -> None:
    odd = [
        {"exception.type": ["a"], "exception.message": {"x": 1}, "exception.stacktrace": b"\xff"},
        {"exception.stacktrace": "Traceback (most recent call last):\n" * 5000},
        {"exception.type": "x" * 100_000, "exception.message": "y" * 100_000},
        {"otelkit.error.fingerprint": "e" + "1" * 15, "otelkit.error.category": "x"},
        {},
    ]
    client.send([make_span("s", status=2, events=(SpanEvent("exception", -1 % 2**64, one),)) for one in odd])
    client.send(
        [make_span("s", events=tuple(SpanEvent("exception", 1, {"exception.type": f"E{n}"}) for n in range(99)))]
    )
    assert sum(group["count"] for group in groups(client, "range=all&limit=200")) >= 5
    client.send([failing(1)])
    assert groups(client, "range=1h&q=lost")[0]["count"] == 1


def test_there_are_not_more_than_so_many(new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelkit.server.storage.errors._MOST_GROUPS", 5)
    with Server(ServerConfig(port=0, database=new_store())) as server:
        client = Client(server.url)
        for batch in range(4):
            events = [SpanEvent("exception", 0, {"exception.type": f"E{'x' * (batch * 4 + n)}"}) for n in range(4)]
            client.send([make_span("s", events=(event,)) for event in events])
        found = groups(client, "range=1h&limit=200")
        assert len(found) <= 9
        assert sum(group["count"] for group in found) == 16
        assert "(other)" in [group["title"] for group in found]


def test_old_ones_go_and_the_group_stays(new_store: NewStore) -> None:
    with Server(ServerConfig(port=0, database=new_store(), keep=2 * 86_400)) as server:
        client = Client(server.url)
        client.send([failing(1, base=time.time_ns() - 47 * HOUR)])
        client.send([failing(2)])
        (group,) = groups(client, "range=7d")
        server.retention._clock = lambda: time.time() + 4 * 3600
        while server.retention.step() is not None:
            pass
        (kept,) = groups(client, "range=7d")
        assert (kept["count"], kept["total"], kept["first"]) == (2, 2, group["first"])
        assert len(client.ask(f"/api/errors/groups/{group['id']}")["samples"]) == 1
        forgotten = update(schema.error_group).values(last_seen=time.time_ns() - 400 * 24 * HOUR)
        server.pipeline.run(lambda connection: connection.execute(forgotten).rowcount).result()
        while server.retention.step() is not None:
            pass
        with server.database.reading() as connection:
            assert connection.execute(select(schema.error_group)).all() == []
            assert connection.execute(select(schema.error_hour)).all() == []
        client.send([failing(3)])
        assert groups(client, "range=1h")[0]["count"] == 1


def test_a_store_that_was_closed_goes_on(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=str(tmp_path / "errors.db"))
    for seen in (1, 2):
        with Server(config) as server:
            client = Client(server.url)
            client.send([failing(1)])
            (group,) = groups(client)
            assert (group["id"], group["count"]) == (1, seen)
            assert len(news(client)) == 1
