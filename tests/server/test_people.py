"""Support's view of one user: everything they did and nothing of anybody else's; looking leaves a trace."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from server_support import Client, NewStore, chat_trace, make_span

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import LogRecord, Resource, SpanEvent
from otelkit.server.api.questions import people
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

STORES = ("sqlite", "postgres")
SALT = b"salt of the services"
ADA, BOB = (Pseudonymiser(SALT)("user", name) for name in ("ada", "bob"))
SHOP = Resource({"service.name": "shop"})


@pytest.fixture
def client(new_store: NewStore) -> Iterator[Client]:
    with Server(ServerConfig(port=0, database=new_store(), salt=SALT)) as server:
        yield Client(server.url)


def look(client: Client, **body: Any) -> Any:
    return client.request("POST", "/api/people", json.dumps(body).encode(), Content_Type="application/json")


def fill(client: Client) -> None:
    now = time.time_ns()
    for user in (ADA, BOB):
        client.send(chat_trace(f"question of {user}", **{"user.id": user}))
        raised = {"exception.type": "TimeoutError", "exception.message": f"late {user}"}
        failing = make_span("GET /late", status=2, attributes={"user.id": user}, kind=2)
        client.send([failing._replace(events=(SpanEvent("exception", failing.end, raised),))])
        client.send([make_span("run_job digest", attributes={"user.id": user, "gen_ai.operation.name": "run_job"})])
        event = {
            "user.id": user,
            "otelkit.consent.categories": ("analytics.usage_patterns",),
            "log.record.uid": f"e{user}",
        }
        audit = {"otelkit.audit.action": "project.deleted", "otelkit.audit.actor": user, "log.record.uid": f"a{user}"}
        client.send_logs(
            [
                LogRecord(now, 0, 9, "INFO", None, event, "search.performed", resource=SHOP),
                LogRecord(now, 0, 17, "ERROR", "payment refused", {"user.id": user, "n": user}, resource=SHOP),
                LogRecord(now, 0, 9, "INFO", f"about {ADA}, not of them", {"other": ADA}, resource=SHOP),
                LogRecord(now, 0, 13, "WARN", None, {"otelkit.security.user": user}, "security.token.misused"),
                LogRecord(now, 0, 9, "INFO", None, audit, "project.deleted", resource=SHOP),
            ]
        )


def test_everything_one_user_did_and_nothing_of_another(client: Client) -> None:
    fill(client)
    told = look(client, id="ada", reason="ticket 4711").json
    assert told["user"] == ADA
    kinds = [deed["kind"] for deed in told["deeds"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "trace": 2,
        "job": 1,
        "event": 2,
        "log": 1,
        "audit": 1,
        "error": 2,
    }
    assert BOB not in json.dumps(told)
    assert not any("not of them" in deed["what"] for deed in told["deeds"])
    times = [deed["time"] for deed in told["deeds"]]
    assert times == sorted(times, reverse=True)
    assert told["consent"]["categories"] == ["analytics.usage_patterns"]
    assert (told["figures"]["conversations"], told["figures"]["llm_calls"]) == (1, 1)
    assert look(client, user=ADA, reason="again").json["figures"] == told["figures"]


def test_looking_does_not_keep_services_waiting_for_the_writer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, read = [], people.person

    def noted(*args: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*args)

    monkeypatch.setattr(people, "person", noted)
    assert look(client, id="ada", reason="x").status == 200
    assert len(threads) == 1
    assert "writer" not in threads[0]


def test_looking_is_seen(client: Client) -> None:
    fill(client)
    look(client, id="ada", reason="ticket 4711 of ada@example.com")
    entry = client.ask("/api/audit?action=person.viewed")["entries"][0]
    assert (entry["target"], entry["actor"]) == (f"user:{ADA}", "local")
    assert entry["after"] == {"found": 9, "reason": "ticket 4711 of [email]"}


@pytest.mark.parametrize(
    "body",
    [{"id": "ada"}, {"id": "ada", "reason": " "}, {"reason": "x"}, {"id": "a", "user": "b", "reason": "x"},
     {"user": 7, "reason": "x"}, {"user": "", "reason": "x"}, {"user": "a", "reason": "x" * 201}, {"name": "a"}],
)  # fmt: skip
def test_what_is_not_said_is_asked_for_and_nobody_has_looked(client: Client, body: dict[str, Any]) -> None:
    assert look(client, **body).status == 400
    assert client.ask("/api/audit?action=person.viewed")["total"] == 0


def test_without_the_salt_only_a_pseudonym_helps(new_store: NewStore) -> None:
    with Server(ServerConfig(port=0, database=new_store())) as server:
        client = Client(server.url)
        fill(client)
        refused = look(client, id="ada", reason="x")
        assert (refused.status, "OTELKIT_SALT" in refused.json["error"]["message"]) == (400, True)
        assert len(look(client, user=ADA, reason="x").json["deeds"]) == 9


def test_somebody_unknown_did_nothing(client: Client) -> None:
    told = look(client, id="nobody", reason="x").json
    assert (told["deeds"], told["consent"], told["figures"]["cost_usd"]) == ([], None, None)
    assert told["figures"]["first"] is None


def test_only_the_admin_may_look() -> None:
    admin, read = "admin of sixteen characters", "read of sixteen characters"
    with Server(ServerConfig(port=0, tokens={"admin": admin, "read": read})) as server:
        client = Client(server.url)
        body = json.dumps({"user": ADA, "reason": "x"}).encode()
        for token, status in ((admin, 200), (read, 403)):
            headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
            assert client.request("POST", "/api/people", body, **headers).status == status


@pytest.mark.parametrize("user", ["%", "\ud800", "--", "[email]:0123"])
def test_odd_names_are_nobody(client: Client, user: str) -> None:
    answer = look(client, user=user, reason="x")
    assert (answer.status, answer.json["deeds"]) == (200, [])
