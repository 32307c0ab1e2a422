"""A file that is damaged, foreign, newer, or in use: said clearly, set aside, never deleted, never overwritten."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from server_support import Client, chat_trace

from otelkit.errors import StorageError
from otelkit.mapping.otlp import encode_spans
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import file


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store of a few hundred pages, closed in order."""
    path = tmp_path / "otelkit.db"
    with Server(ServerConfig(port=0, database=str(path))) as server:
        Client(server.url).send([span for number in range(300) for span in chat_trace(f"question {number}")])
    return path


def overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(length))


def damage_header(path: Path) -> None:
    overwrite(path, 0, 4096)


def damage_pages(path: Path) -> None:
    for page in range(2, path.stat().st_size // 4096, 7):
        overwrite(path, page * 4096, 4096)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


@pytest.mark.parametrize("damage", [damage_header, damage_pages, truncate])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    filled: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    damage(filled)
    found = filled.read_bytes()
    with Server(ServerConfig(port=0, database=str(filled))) as server:
        client = Client(server.url)
        (aside,) = filled.parent.glob("otelkit.db.damaged-????????T??????.??????")
        assert aside.read_bytes() == found
        (hint,) = client.ask("/api/status")["hints"]
        assert "was damaged" in hint
        assert str(aside) in hint
        assert hint in caplog.text
        client.send(chat_trace("after"))
        assert [row["title"] for row in client.ask("/api/traces")["traces"]] == ["after"]
    with Server(ServerConfig(port=0, database=str(filled))) as server:  # said once, and nothing is wrong any more
        assert Client(server.url).ask("/api/status")["hints"] == []
        assert len(Client(server.url).ask("/api/traces")["traces"]) == 1


def test_a_file_damaged_while_it_is_open_is_set_aside_at_the_next_write(filled: Path) -> None:
    with Server(ServerConfig(port=0, database=str(filled))) as server:
        client = Client(server.url)
        client.send(chat_trace("before"))
        with server.database.writing() as connection:
            connection.exec_driver_sql("PRAGMA shrink_memory")
        connection = sqlite3.connect(filled)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        damage_pages(filled)
        answers = [client.post("/v1/traces", encode_spans(chat_trace(f"after {number}"))) for number in range(40)]
        refused = [answer for answer in answers if answer.status != 200]
        assert [answer.status for answer in refused] == [503]
        assert refused[0].headers["retry-after"] == "5"
        assert list(filled.parent.glob("otelkit.db.damaged-*"))
        assert answers[-1].status == 200
        titles = {row["title"] for row in client.ask("/api/traces")["traces"]}
        assert "after 39" in titles
        assert "before" not in titles
        assert "was damaged" in client.ask("/api/status")["hints"][0]


def test_damage_in_a_large_file_is_found_when_it_is_read_and_dealt_with_at_the_next_start(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_LOOKED_THROUGH", 0)
    connection = sqlite3.connect(filled)
    found = connection.execute("SELECT pageno FROM dbstat WHERE name = 'payload' AND pagetype = 'leaf' ORDER BY path")
    leaves = [row[0] for row in found]
    connection.close()
    for page in leaves[:-1]:  # the last one is read at start
        overwrite(filled, (page - 1) * 4096, 4096)
    with Server(ServerConfig(port=0, database=str(filled))) as server:
        client = Client(server.url)
        rows = client.ask("/api/traces?limit=200")["traces"]
        asked = [client.get(f"/api/traces/{row['trace_id']}") for row in rows]
        refused = [answer.body.decode() for answer in asked if answer.status == 503]
        assert refused
        assert "malformed" in refused[0]
        assert not list(filled.parent.glob("*.damaged-*"))
    with Server(ServerConfig(port=0, database=str(filled))) as server:
        assert "was damaged" in Client(server.url).ask("/api/status")["hints"][0]
        assert len(list(filled.parent.glob("*.damaged-*"))) == 1
        Client(server.url).send(chat_trace("after"))


def test_damage_that_the_start_itself_meets_is_dealt_with_at_once(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_LOOKED_THROUGH", 0)
    connection = sqlite3.connect(filled)
    roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE name IN ('meta', 'payload')"))
    connection.close()
    found = filled.read_bytes()
    for root in roots.values():
        filled.write_bytes(found)
        overwrite(filled, (root - 1) * 4096, 4096)
        with Server(ServerConfig(port=0, database=str(filled))) as server:
            Client(server.url).send(chat_trace("after"))
            assert "was damaged" in Client(server.url).ask("/api/status")["hints"][0]
    assert len(list(filled.parent.glob("*.damaged-????????T??????.??????"))) == len(roots)


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database at all\n" * 400)
    for _ in range(2):
        with pytest.raises(StorageError, match="no database of otelkit"):
            Server(ServerConfig(port=0, database=str(notes)))
    assert notes.read_text().startswith("not a database at all")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    with pytest.raises(StorageError, match=r"tables of another program \(customers\)"):
        Server(ServerConfig(port=0, database=str(other)))
    connection = sqlite3.connect(other)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
    connection.close()


def test_a_newer_file_is_refused_and_left_as_it_is(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match=r"newer otelkit \(schema 99\)"):
        Server(ServerConfig(port=0, database=str(filled)))
    connection = sqlite3.connect(filled)
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("99",)
    connection.close()
