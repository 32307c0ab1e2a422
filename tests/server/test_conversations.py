"""Conversations, and who causes how much: rows, orders, turns, comparison."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from server_support import MS, Client, chat_trace, make_span

STORES = ("sqlite", "postgres")
GPT_MINI = 1000 * 0.15e-6 + 200 * 0.6e-6


def talk(client: Client, name: str, *turns: dict[str, object], ago: float = 600) -> None:
    """Send a conversation whose turns are a minute apart."""
    base = time.time_ns() - int(ago * 1e9)
    for number, turn in enumerate(turns):
        question, answer = turn.pop("question", f"{name} {number}?"), turn.pop("answer", f"Answer {number}.")
        values = {"gen_ai.conversation.id": name, "user.id": "u-1", **turn}
        client.send(chat_trace(question, answer, base=base + number * 60_000 * MS, **values))  # type: ignore[arg-type]


@pytest.fixture
def talks(client: Client) -> Client:
    talk(client, "long", {}, {}, {"tool_status": 2}, ago=900)
    talk(client, "dear", {"model": "gpt-4o"}, {"model": "gpt-4o"}, ago=3000)
    talk(client, "slow", {"llm_ms": 9000, "user.id": "u-2", "otelkit.group.id": "beta"}, ago=2000)
    talk(client, "unpriced", {"model": "mistral-nemo-ft", "provider": "local"}, ago=4000)
    client.send([make_span("GET /health")])
    return client


def names(client: Client, query: str = "") -> list[str]:
    return [row["conversation"] for row in client.ask(f"/api/conversations?range=3h&{query}")["conversations"]]


def test_rows(talks: Client) -> None:
    page = talks.ask("/api/conversations?range=3h")
    assert page["total"] == 4
    rows = {row["conversation"]: row for row in page["conversations"]}
    long = rows["long"]
    assert (long["turns"], long["failed_turns"], long["status"], long["llm_calls"]) == (3, 1, "error", 3)
    assert (long["first_question"], long["last_answer"]) == ("long 0?", "Answer 2.")
    assert long["tokens"] == {"input": 3000, "output": 600, "total": 3600}
    assert long["cost_usd"] == pytest.approx(3 * GPT_MINI)
    assert long["length_ms"] == pytest.approx(120_520)
    assert (long["user"], long["group"], long["models"], long["unpriced"]) == ("u-1", "acme", ["gpt-4o-mini"], [])
    assert (rows["unpriced"]["cost_usd"], rows["unpriced"]["unpriced"]) == (None, ["mistral-nemo-ft"])


def test_orders_and_filters(talks: Client) -> None:
    failing = chat_trace("late?", base=time.time_ns() - 5000 * MS * 1000, **{"gen_ai.conversation.id": "broken"})
    failing[-1] = failing[-1]._replace(status=2)
    talks.send(failing)
    assert names(talks) == ["long", "slow", "dear", "unpriced", "broken"]
    assert names(talks, "sort=slowest")[0] == "slow"
    assert names(talks, "sort=dearest")[:2] == ["dear", "long"]
    assert sorted(names(talks, "sort=dearest")[2:]) == ["broken", "slow"]
    assert names(talks, "sort=errors")[:2] == ["long", "broken"]
    assert names(talks, "sort=longest")[:2] == ["long", "dear"]

    def filtered(text: str) -> list[str]:
        return sorted(names(talks, "filter=" + quote(text)))

    assert filtered("user:u-2") == ["slow"]
    assert filtered("turns:>1") == ["dear", "long"]
    assert filtered("turns:>1 model:gpt-4o") == ["dear"]
    assert filtered("duration:>9s") == ["slow"]
    assert filtered("cost:>0.003") == ["dear"]
    assert filtered("tokens:>=3600") == ["long"]
    assert filtered("long 0") == ["long"]
    assert filtered("-user:u-1") == ["slow"]
    assert filtered("status:error") == ["broken", "long"]
    wrong = talks.get("/api/conversations?filter=spans:1").json["error"]
    assert (wrong["at"], "turns" in wrong["allowed"]) == (0, True)
    assert names(talks, "service=nobody") == []


@pytest.mark.parametrize("sort", ["newest", "slowest", "dearest", "errors", "longest"])
def test_pages_follow_one_another_without_gaps(talks: Client, sort: str) -> None:
    talk(talks, "dear too", {"model": "gpt-4o"}, {"model": "gpt-4o"})
    whole = names(talks, f"sort={sort}")
    seen, cursor = [], ""
    while True:
        page = talks.ask(f"/api/conversations?range=3h&sort={sort}&limit=1" + (f"&cursor={cursor}" if cursor else ""))
        assert (page["total"] is None) == bool(cursor)
        seen.extend(row["conversation"] for row in page["conversations"])
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == whole
    assert len(whole) == (4 if sort == "dearest" else 5)


def test_only_what_was_going_on_in_the_range(talks: Client) -> None:
    assert [row["conversation"] for row in talks.ask("/api/conversations?range=15m")["conversations"]] == ["long"]
    assert talks.ask("/api/conversations?range=15m")["conversations"][0]["turns"] == 3


def test_turns_in_order_and_in_full(client: Client) -> None:
    question = "Why " + "really " * 80 + "so?"
    answer = "Because " + "of that " * 200
    talk(client, "a/b c?", {"question": question, "answer": answer}, {"answer": "Short."}, {"tool_status": 2})
    shown = client.ask("/api/conversations/" + quote("a/b c?", safe=""))
    assert [turn["output"] for turn in shown["turns"]] == [answer, "Short.", "Answer 2."]
    assert shown["turns"][0]["input"] == question
    assert shown["turns"][0]["title"].endswith("…")
    assert shown["conversation"]["turns"] == 3
    first = client.ask("/api/conversations/" + quote("a/b c?", safe="") + "?limit=2")
    rest = client.ask("/api/conversations/" + quote("a/b c?", safe="") + f"?limit=2&cursor={first['next_cursor']}")
    assert [turn["output"] for turn in first["turns"] + rest["turns"]] == [answer, "Short.", "Answer 2."]
    assert rest["next_cursor"] is None
    assert client.get("/api/conversations/nobody").status == 404
    assert client.get("/api/conversations/x?cursor=1").status in (400, 404)


def test_top(talks: Client) -> None:
    def values(query: str) -> dict[str, dict[str, object]]:
        return {entry["value"]: entry for entry in talks.ask(f"/api/top?range=3h&{query}")["top"]}

    users = values("by=user")
    assert list(users) == ["u-1", "u-2"]
    assert (users["u-1"]["count"], users["u-1"]["llm_calls"], users["u-1"]["tokens"]) == (6, 6, 7200)
    assert users["u-2"]["cost_usd"] == pytest.approx(GPT_MINI)
    assert list(values("by=group&sort=count")) == ["acme", "beta"]
    assert next(iter(values("by=conversation"))) == "dear"
    assert (values("by=model")["gpt-4o"]["count"], values("by=model")["gpt-4o"]["p50_ms"]) == (
        2,
        pytest.approx(400, rel=0.03),
    )
    assert values("by=model")["mistral-nemo-ft"]["cost_usd"] is None
    assert values("by=provider&sort=count")["local"]["count"] == 1
    tool = values("by=tool")["search_orders"]
    assert (tool["count"], tool["errors"], tool["llm_calls"], tool["tokens"]) == (7, 1, 0, None)
    assert values("by=route")["/chat"]["count"] == 7
    assert set(values("by=name")) == {"POST /chat", "GET /health"}
    assert values("by=service")["shop"]["llm_calls"] == 7
    assert values("by=service")["shop"]["tokens"] == 7 * 1200
    assert talks.ask("/api/top?range=3h&by=user&limit=1")["total"] == 2
    assert talks.get("/api/top").json["error"]["parameter"] == "by"


def test_top_against_the_period_before(client: Client) -> None:
    talk(client, "then", {}, {"user.id": "u-2"}, ago=7000)
    talk(client, "now", {}, {}, {"user.id": "u-3"}, ago=600)
    users = {entry["value"]: entry for entry in client.ask("/api/top?range=1h&by=user")["top"]}
    assert (users["u-1"]["count"], users["u-1"]["previous"]["count"]) == (2, 1)
    assert users["u-1"]["previous"]["cost_usd"] == pytest.approx(GPT_MINI)
    assert users["u-3"]["previous"] == {"count": 0, "errors": 0, "llm_calls": 0, "tokens": 0, "cost_usd": 0}
    models = client.ask("/api/top?range=1h&by=model")["top"]
    assert (models[0]["count"], models[0]["previous"]["count"]) == (3, 2)
