"""The filter language: what it means, and where it points when it cannot be read."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from server_support import MS, Client, chat_trace, make_span

from otelkit.model import LogRecord, Resource, Scope
from otelkit.server.insights.filters import FilterError, Term, parse, written


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("two words", [("", "", "two"), ("", "", "words")]),
        ("model:gpt-4o", [("model", "", "gpt-4o")]),
        ('name:"POST /chat" x', [("name", "", "POST /chat"), ("", "", "x")]),
        (r'name:"say \"hi\" \\"', [("name", "", 'say "hi" \\')]),
        ("duration:>2s tokens:>=1000 cost:<0.5 errors:<=3", [("duration", ">", "2s"), ("tokens", ">=", "1000"),
                                                              ("cost", "<", "0.5"), ("errors", "<=", "3")]),
        ("duration>2s", [("duration", ">", "2s")]),
        ("errors:=0", [("errors", "", "0")]),
        ("http.route:/chat", [("http.route", "", "/chat")]),
        ("https://example.com/a?b", [("", "", "https://example.com/a?b")]),
        ("12:30 a:b:c", [("", "", "12:30"), ("a", "", "b:c")]),
        ("naïve ≥ 日本", [("", "", "naïve"), ("", "", "≥"), ("", "", "日本")]),
    ],
)  # fmt: skip
def test_terms(text: str, terms: list[tuple[str, str, str]]) -> None:
    assert [tuple(term[:3]) for term in parse(text)] == terms


def test_a_dash_negates_and_places_are_kept() -> None:
    assert parse(' -status:ok  -"two words"') == [
        Term("status", "", "ok", negated=True, at=1, until=11),
        Term("", "", "two words", negated=True, at=13, until=25),
    ]
    assert parse("a - b")[1].value == ""


@pytest.mark.parametrize("value", ["plain", "two words", 'a "quote"', "back\\slash", ">2", "=x", "-x", "a:b", "ü"])
def test_what_is_written_is_read_again(value: str) -> None:
    assert [(term.key, term.sign, term.value, term.negated) for term in parse(written("user", value))] == [
        ("user", "", value, False)
    ]


@pytest.mark.parametrize(
    ("text", "at"), [('name:"open', 5), ('a"b"', 1), ('model: "x"', 0), ("x " * 31, 60), ('""', 0)]
)
def test_what_is_no_filter_is_pointed_at(text: str, at: int) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text)
    assert raised.value.at == at


def errors_of(client: Client, section: str, text: str) -> tuple[str, int, int, list[str] | None]:
    answer = client.get(f"/api/{section}?filter={quote(text)}")
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert error["parameter"] == "filter"
    return error["message"], error["at"], error["until"], error["allowed"]


def test_the_api_says_what_is_wrong_where(client: Client) -> None:
    message, at, until, allowed = errors_of(client, "traces", "status:error modle:gpt-4o")
    assert (message, at, until) == ("there is no filter 'modle' here", 13, 18)
    assert "model" in (allowed or [])
    assert errors_of(client, "traces", "-status:odd")[1:] == (8, 11, ["error", "ok"])
    assert errors_of(client, "traces", "x duration:>soon")[1:3] == (11, 16)
    assert errors_of(client, "traces", "duration:>2parsecs")[3] == ["ns", "us", "µs", "ms", "s", "m", "min", "h"]
    assert errors_of(client, "traces", "model:>gpt")[1:3] == (6, 10)
    assert errors_of(client, "traces", "trace:12")[0] == "a trace id has 32 hex digits"
    assert errors_of(client, "traces", "trace:" + "g" * 32)[1] == 6
    assert errors_of(client, "traces", "tokens:>1e400")[1] == 7
    assert errors_of(client, "traces", "tokens:>" + "9" * 400)[0] == "this number is too large"
    assert errors_of(client, "logs", "order.id:>5")[1] == 9
    assert errors_of(client, "logs", "user:u-1")[0] == "there is no filter 'user' here"
    assert client.get("/api/traces?filter=" + "x" * 2001).status == 400


@pytest.fixture
def told(client: Client) -> Client:
    base = time.time_ns() - 30_000 * MS
    client.send(chat_trace("First?", base=base))
    client.send(chat_trace("Second?", base=base + 1, tool_status=2, llm_ms=3000, **{"user.id": "u 2"}))
    client.send(chat_trace("Third?", base=base + 2, model="mistral-nemo-ft", provider="local"))
    plain = make_span("GET /health", base=base + 3, kind=2, attributes={"http.route": "/health"})
    client.send([plain])
    return client


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("", "First Second Third GET"),
        ("status:error", "Second"),
        ("-status:error", "First Third GET"),
        ("model:gpt-4o-mini", "First Second"),
        ("-model:gpt-4o-mini", "Third GET"),
        ("model:gpt-4o-mini model:mistral-nemo-ft", "First Second Third"),
        ("provider:local", "Third"),
        ("-provider:local", "First Second GET"),
        ("provider:nobody", ""),
        ("route:/health", "GET"),
        ('user:"u 2"', "Second"),
        ("-user:u-1", "Second GET"),
        ("group:acme session:s-1 conversation:c-1 kind:tool", "First Second Third"),
        ("-conversation:c-1", "GET"),
        ("duration:>2s", "Second"),
        ("duration>2s", "Second"),
        ("duration:<=520ms duration:>=520ms", "First Third"),
        ("-duration:>2s", "First Third GET"),
        ("cost:>0.0002", "First Second"),
        ("cost:>$0.1", ""),
        ("-cost:>0.1", "First Second Third GET"),
        ("cost:unknown", "Third"),
        ("tokens:>=1.2k", "First Second Third"),
        ("-tokens:>=1.2k", "GET"),
        ("errors:>0", "Second"),
        ("errors:0 calls:1", "First Third"),
        ("spans:1", "GET"),
        ('name:"GET /health"', "GET"),
        ("tool:search_orders seco", "Second"),
        ("-first -third", "Second GET"),
        ("way -second", "First Third"),
    ],
)
def test_traces(told: Client, text: str, titles: str) -> None:
    page = told.ask(f"/api/traces?range=1h&filter={quote(text)}")
    assert sorted(row["title"].split("?")[0].split(" ")[0] for row in page["traces"]) == sorted(titles.split())
    assert page["total"] == len(titles.split())


def test_older_parameters_and_the_filter_hold_together(told: Client) -> None:
    assert told.ask("/api/traces?status=error&filter=tool:search_orders")["total"] == 1
    assert told.ask("/api/traces?status=error&filter=model:mistral-nemo-ft")["total"] == 0
    assert told.ask("/api/traces?filter=-cost:%3E0.0002&min_duration_ms=300&q=thi")["total"] == 1


def test_what_is_particular_is_looked_for_in_all_of_time(client: Client) -> None:
    client.send(chat_trace("Old?", base=time.time_ns() - 30 * 86_400_000 * MS))
    client.send(chat_trace("New?", **{"user.id": "u-9"}))
    assert client.ask("/api/traces?filter=user:u-1")["total"] == 1
    assert client.ask("/api/traces?filter=-user:u-9")["total"] == 0


def test_dearest_first(told: Client) -> None:
    told.send(chat_trace("Dear?", model="gpt-4o"))
    first = told.ask("/api/traces?range=1h&sort=dearest&limit=1")
    assert (first["traces"][0]["title"], first["total"]) == ("Dear?", 3)
    rest = told.ask(f"/api/traces?range=1h&sort=dearest&cursor={first['next_cursor']}")
    assert {row["title"] for row in rest["traces"]} == {"First?", "Second?"}


def test_a_filter_is_taken_apart_for_the_page(client: Client) -> None:
    answer = client.ask("/api/filter?section=traces&filter=" + quote("-model:gpt-4o hello"))
    assert answer["terms"] == [
        {"key": "model", "sign": "", "value": "gpt-4o", "negated": True, "at": 0, "until": 13},
        {"key": None, "sign": "", "value": "hello", "negated": False, "at": 14, "until": 19},
    ]
    keys = {key["key"]: key for key in answer["keys"]}
    assert keys["status"]["values"] == ["error", "ok"]
    assert keys["model"]["facet"] == "model"
    assert {key["key"] for key in client.ask("/api/filter?section=logs")["keys"]} >= {"severity", "logger", "event"}
    assert client.get("/api/filter").json["error"]["parameter"] == "section"
    wrong = client.ask("/api/filter?section=traces&filter=x:1")
    assert (wrong["terms"], wrong["error"]["at"], wrong["error"]["until"]) == ([], 0, 1)


def test_facets(told: Client) -> None:
    found = told.ask("/api/facets")
    assert {entry["value"]: entry["count"] for entry in found["model"]} == {"gpt-4o-mini": 2, "mistral-nemo-ft": 1}
    assert found["user"] == [{"value": "u-1", "count": 2}, {"value": "u 2", "count": 1}]
    assert {entry["value"] for entry in found["name"]} == {"POST /chat", "GET /health"}
    assert {entry["value"] for entry in found["route"]} == {"/chat", "/health"}
    for name in ("group", "session", "conversation"):
        assert [entry["count"] for entry in found[name]] == [3]


NOT_OURS = "-event:otelkit.error.new"  # what the server itself says of an error is a log record, too


@pytest.fixture
def logged(client: Client) -> Client:
    base = time.time_ns() - 10_000 * MS
    told = [(9, "started", "web"), (13, "slow", "web"), (17, "failed", "orders"), (17, "failed", "web")]
    records = []
    for number, (severity, body, logger) in enumerate(told):
        attributes = {"order.id": number, "paid": number > 1}
        record = LogRecord(
            base + number, 0, severity, "", body, attributes, resource=Resource({"service.name": "shop"})
        )
        records.append(record._replace(scope=Scope(f"shop.{logger}")))
    client.send_logs(records)
    return client


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("", [3, 2, 1, 0]),
        ("severity:warn", [3, 2, 1]),
        ("-severity:error", [1, 0]),
        ("logger:shop.orders", [2]),
        ("-logger:shop.orders severity:error", [3]),
        ("fail", [3, 2]),
        ("-fail", [1, 0]),
        ("order.id:2", [2]),
        ("-order.id:2 fail", [3]),
        ("order.id:7", []),
    ],
)
def test_logs(logged: Client, text: str, orders: list[int]) -> None:
    page = logged.ask(f"/api/logs?filter={quote(f'{text} {NOT_OURS}')}")
    assert [row["attributes"]["order.id"] for row in page["logs"]] == orders
    assert page["total"] == (None if "order.id" in text else len(orders))
    if page["histogram"] is not None:
        assert sum(sum(layer["counts"]) for layer in page["histogram"]) == len(orders)


def test_logs_are_paged_both_ways(logged: Client) -> None:
    told = f"/api/logs?filter={NOT_OURS}&limit=2"
    first = logged.ask(told)
    then = logged.ask(f"{told}&cursor={first['next_cursor']}")
    assert [row["attributes"]["order.id"] for row in first["logs"] + then["logs"]] == [3, 2, 1, 0]
    assert then["next_cursor"] is None
    back = logged.ask(f"{told}&newer={then['newer_cursor']}")
    assert [row["id"] for row in back["logs"]] == [row["id"] for row in first["logs"]]
    assert logged.ask(f"{told}&newer={first['newer_cursor']}")["logs"] == []
    logged.send_logs([LogRecord(time.time_ns(), 0, 9, "", "fresh", {}, resource=Resource())])
    newer = logged.ask(f"{told}&newer={first['newer_cursor']}")
    assert [row["body"] for row in newer["logs"]] == ["fresh"]


def test_log_facets(logged: Client) -> None:
    found = logged.ask("/api/facets?of=logs")
    assert {"value": "error", "count": 2} in found["severity"]
    loggers = {one["value"]: one["count"] for one in found["logger"]}
    assert loggers == {"shop.web": 3, "shop.orders": 1, "otelkit.errors": 2}
    assert found["service"] == [{"value": "shop", "count": 6}]
    assert found["event"] == [{"value": "otelkit.error.new", "count": 2}]
