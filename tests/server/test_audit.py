"""The audit trail at the server: apart from other telemetry, chained, complete; who may read it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_support import Client, NewStore
from sqlalchemy import Connection, delete, text, update

from otelkit.cli.main import main
from otelkit.model import LogRecord, Resource
from otelkit.server.config import TEMPORARY, ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import audit, schema
from otelkit.server.storage.retention import Retention

STORES = ("sqlite", "postgres")
SHOP = Resource({"service.name": "shop"})


def record(number: int = 0, **values: Any) -> LogRecord:
    told = {
        "action": "project.deleted",
        "actor": "a" * 32,
        "target": f"project:{number}",
        "outcome": "success",
        **values,
    }
    attributes = {f"otelkit.audit.{name}": value for name, value in told.items()}
    attributes["log.record.uid"] = f"uid-{number}"
    return LogRecord(time.time_ns(), 0, 9, "INFO", None, attributes, "project.deleted", resource=SHOP)


def of_shop(client: Client, **params: str) -> list[Any]:
    query = "&".join(f"{name}={value}" for name, value in {"service": "shop", **params}.items())
    return client.ask(f"/api/audit?{query}")["entries"]


def test_entries_stand_apart_and_once(client: Client) -> None:
    client.send_logs([record(1), record(2), LogRecord(time.time_ns(), 0, 9, "INFO", "an ordinary one", resource=SHOP)])
    client.send_logs([record(2), record(3)])
    assert [entry["target"] for entry in of_shop(client)] == ["project:3", "project:2", "project:1"]
    assert [log["body"] for log in client.ask("/api/logs")["logs"]] == ["an ordinary one"]
    assert client.ask("/api/audit/verify")["whole"]


def test_what_is_asked_for_is_found(client: Client) -> None:
    later = record(9, action="user.created", outcome="denied", after='{"role": "editor"}')
    client.send_logs([*(record(number) for number in range(5)), later])
    for params, count in (
        ({"action": "user.created"}, 1), ({"action": "project.*"}, 5), ({"outcome": "denied"}, 1), ({"q": "EDITOR"}, 1),
        ({"target": "project:3"}, 1), ({"actor": "b" * 32}, 0), ({"q": "%25"}, 0), ({"to": "1000"}, 0),
    ):  # fmt: skip
        assert len(of_shop(client, **params)) == count, params
    page = client.ask("/api/audit?service=shop&limit=4")
    rest = client.ask(f"/api/audit?service=shop&limit=4&cursor={page['next_cursor']}")
    assert (page["total"], len(page["entries"]), len(rest["entries"]), rest["next_cursor"]) == (6, 4, 2, None)
    assert client.get("/api/audit?colour=red").status == 400
    assert client.get("/api/audit?cursor=x").status == 400


def _insert(connection: Connection) -> None:
    names = ", ".join(column.name for column in schema.audit.columns if column.name not in ("id", "uid"))
    connection.execute(text(f"INSERT INTO audit (id, uid, {names}) SELECT 8, 'new', {names} FROM audit WHERE id = 7"))


def _swap(connection: Connection) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        connection.execute(update(ROWS).where(ROWS.c.id == old).values(id=new))


ROWS = schema.audit
TAMPER: dict[str, Callable[[Connection], object]] = {
    "changed": lambda connection: connection.execute(update(ROWS).where(ROWS.c.id == 4).values(outcome="denied")),
    "removed": lambda connection: connection.execute(delete(ROWS).where(ROWS.c.id == 4)),
    "first removed": lambda connection: connection.execute(delete(ROWS).where(ROWS.c.id == 1)),
    "last removed": lambda connection: connection.execute(delete(ROWS).where(ROWS.c.id == 7)),
    "inserted": _insert,
    "swapped": _swap,
}


@pytest.mark.parametrize("how", list(TAMPER))
def test_whatever_is_done_to_it_shows(server: Server, client: Client, how: str) -> None:
    client.send_logs([record(number) for number in range(6)])
    before = client.ask("/api/audit/verify")
    assert (before["whole"], before["entries"]) == (True, 7)
    server.pipeline.run(TAMPER[how]).result()
    after = client.ask("/api/audit/verify")
    assert not after["whole"]
    assert after["why"]


def test_the_oldest_go_with_age_and_the_chain_goes_on(server: Server, client: Client) -> None:
    client.send_logs([record(number) for number in range(3)])
    own = server.retention
    later = time.time() + 100
    aged = Retention(own._store, own._order, 0, 0, lambda: later, audit_keep=60)
    while aged.step() is not None:
        pass
    client.send_logs([record(9)])
    told = client.ask("/api/audit/verify")
    assert (told["whole"], told["entries"], told["deleted_for_age"]) == (True, 1, 4)


def test_other_telemetry_goes_with_age_and_this_stays(server: Server, client: Client) -> None:
    client.send_logs([record(1), LogRecord(time.time_ns(), 0, 9, "INFO", "an ordinary one", resource=SHOP)])
    own = server.retention
    later = time.time() + 100
    aged = Retention(own._store, own._order, 60, 0, lambda: later)
    while aged.step() is not None:
        pass
    assert client.ask("/api/status")["stored"]["logs"] == 0
    assert len(of_shop(client)) == 1


def test_what_is_done_to_the_server_is_in_it(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store()
    store = str(tmp_path / "kept.db") if store == TEMPORARY else store
    price = {"provider": "local", "model": "m", "input": 1.0, "output": 2.0}
    with Server(ServerConfig(port=0, database=store)) as server:
        client = Client(server.url)
        for method, path, body in (
            *(("PUT", "/api/prices", price), ("DELETE", "/api/prices", {"provider": "local", "model": "m"})),
            *(("POST", "/api/demo", {}), ("DELETE", "/api/demo", {})),
        ):
            answer = client.request(method, path, json.dumps(body).encode(), Content_Type="application/json")
            assert answer.status == 200
        assert client.get("/api/audit/export").status == 200
    for keep in (0, 3600, 3600):
        with Server(ServerConfig(port=0, database=store, keep=keep)) as server:
            told = Client(server.url).ask("/api/audit")["entries"]
    assert [entry["action"] for entry in reversed(told)] == [
        *("settings.changed", "price.set", "price.removed", "demo.loaded", "demo.removed", "audit.exported"),
        "settings.changed",
    ]
    assert (told[0]["before"], told[0]["after"]) == ({"keep_s": 0}, {"keep_s": 3600})
    assert (told[5]["target"], told[5]["after"]["input"], told[5]["actor"]) == ("price:local/m", 1.0, "local")


def test_only_the_admin_may_read_it() -> None:
    admin, read, ingest = ("admin of sixteen characters", "read of sixteen characters", "ingest of sixteen characters")
    with Server(ServerConfig(port=0, tokens={"admin": admin, "read": read, "ingest": ingest})) as server:
        client = Client(server.url)
        for path in ("/api/audit", "/api/audit/verify", "/api/audit/export"):
            answers = [client.get(path, Authorization=f"Bearer {token}").status for token in (admin, read, ingest)]
            assert answers == [200, 403, 403]
        told = client.get("/api/audit", Authorization=f"Bearer {admin}").json["entries"]
        assert told[0]["actor"] == "admin"
        assert not any(token in json.dumps(told) for token in (admin, read, ingest))


def test_hostile_entries_are_kept_as_what_they_are(client: Client) -> None:
    strange = record(
        1, before="not JSON", after="[" * 5000, details='{"a": "<script>", "b": "ada@example.com"}', target=7
    )
    client.send_logs([strange, record(2, target="x\0\ud800" * 400, details=json.dumps({"a": "b" * 40_000}))])
    assert len(of_shop(client)) == 2
    body = client.get("/api/audit").body
    assert b"ada@example.com" not in body
    assert client.ask("/api/audit/verify")["whole"]


def test_the_command_lists_verifies_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.db"
    with Server(ServerConfig(port=0, database=str(path))) as server:
        client = Client(server.url)
        client.send_logs([record(1, before='{"role": "viewer"}', after='{"role": "editor"}')])
        head = client.ask("/api/audit/verify")["head"]
        client.send_logs([record(2, outcome="denied")])
        assert main(["audit", "verify", "--db", str(path), "--head", head]) == 0  # beside the server
        assert "whole: 3 entries" in capsys.readouterr().out
    assert main(["audit", "list", "--db", str(path), "--service", "shop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "project.deleted (denied) project:2" in lines[0]
    assert lines[1].endswith("role: viewer → editor")
    out = tmp_path / "out.jsonl"
    assert main(["audit", "export", str(out), "--db", str(path), "--action", "project.*", "--from", "1d"]) == 0
    assert [json.loads(line)["target"] for line in out.read_text().splitlines()] == ["project:1", "project:2"]
    assert main(["audit", "export", str(out), "--db", str(path)]) == 2
    assert main(["audit", "verify", "--db", str(path), "--head", "00" * 32]) == 1
    with Server(ServerConfig(port=0, database=str(path))) as server:
        changed = update(ROWS).where(ROWS.c.id == 2).values(target="project:7")
        server.pipeline.run(lambda connection: connection.execute(changed)).result()
    assert main(["audit", "verify", "--db", str(path)]) == 1
    assert "entry 2 is not what was written" in capsys.readouterr().out


def test_a_trail_of_thousands_is_looked_through(server: Server) -> None:
    for number in range(2):
        told = [audit.entry_of(record(number * 3000 + one), time.time_ns()) for one in range(3000)]
        assert server.pipeline.run(lambda connection, told=told: audit.append(connection, told)).result() == 3000
    with server.database.reading() as connection:
        assert audit.verify(connection)[0] == 6001


def test_one_without_an_id_that_is_sent_again_is_not_another_one(client: Client) -> None:
    bare = record(1)
    bare = bare._replace(attributes={name: one for name, one in bare.attributes.items() if name != "log.record.uid"})
    for _ in range(3):
        client.send_logs([bare])
    assert len(of_shop(client)) == 1


def test_nobody_can_send_the_servers_own_entries(client: Client) -> None:
    client.send_logs([record(1)._replace(resource=Resource({"service.name": "otelkit"}))])
    told = {entry["action"] for entry in client.ask("/api/audit?service=otelkit")["entries"]}
    assert told == {"settings.changed"}


def test_what_was_looked_for_is_redacted_in_the_trail(client: Client) -> None:
    assert client.get("/api/audit/export?q=ada@example.com").status == 200
    body = json.dumps({"user": "ada@example.com", "reason": "x"}).encode()
    assert client.request("POST", "/api/people", body, Content_Type="application/json").status == 200
    assert b"ada@example.com" not in client.get("/api/audit").body
