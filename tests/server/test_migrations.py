"""A store of an earlier version is brought forward without losing a figure, or left as it was.

``data/version1.db.xz`` was written by the first version; beside it are the answers that version gave about it.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from server_support import Client, chat_trace
from sqlalchemy import Connection, inspect, text

from otelkit.errors import StorageError
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import migrations, schema
from otelkit.server.storage.database import Database

DATA = Path(__file__).parent / "data"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    path.write_bytes(lzma.decompress((DATA / "version1.db.xz").read_bytes()))
    return path


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def serving(path: Path) -> Server:
    return Server(ServerConfig(port=0, database=str(path), keep=0))


def compare(before: Any, after: Any, path: str = "") -> int:
    """Assert that everything told before is told now, where it is still asked; return how many values that was."""
    if isinstance(before, Mapping):
        assert isinstance(after, Mapping), path
        return sum(compare(value, after[name], f"{path}.{name}") for name, value in before.items() if name in after)
    if isinstance(before, list):
        assert isinstance(after, list), path
        assert len(before) == len(after), path
        if path.startswith("/api/facets"):  # how equal counts are ordered was never promised
            before, after = (sorted(each, key=lambda item: str(item["value"])) for each in (before, after))
        return sum(compare(*pair, f"{path}[{at}]") for at, pair in enumerate(zip(before, after, strict=True)))
    assert after == (pytest.approx(before) if isinstance(before, float) else before), path
    return 1


def test_every_answer_is_the_same(old: Path) -> None:
    answers: dict[str, Any] = json.loads(lzma.decompress((DATA / "version1.json.xz").read_bytes()))
    stored = answers.pop("stored")
    with serving(old) as server:
        client = Client(server.url)
        assert client.ask("/api/status")["stored"].items() >= stored.items()
        compared = {path: compare(answer, client.ask(path), path) for path, answer in answers.items()}
    assert min(compared.values()) > 5
    assert sum(compared.values()) > 15_000


def test_the_file_as_it_was_is_kept_and_the_new_one_is_like_any_other(old: Path, tmp_path: Path) -> None:
    before = dump(old)
    with serving(old) as server, serving(tmp_path / "fresh.db") as fresh:
        client = Client(server.url)
        client.send(chat_trace("after the upgrade"))
        assert client.ask("/api/traces?q=upgrade")["total"] == 1
        assert client.ask("/api/traces?q=yesterday&range=all")["total"] == 641 - 1
        assert shape(server.database) == shape(fresh.database)
    (copy,) = tmp_path.glob("old.db.v1-*")
    assert dump(copy) == before
    with serving(old):  # the second start has nothing to do
        assert len(list(tmp_path.glob("old.db.v*"))) == 1


def shape(database: Database) -> dict[str, Any]:
    """Return each table's columns, and its indexes as written."""
    with database.reading() as connection:
        there = inspect(connection)
        found: dict[str, Any] = {
            name: sorted(column["name"] for column in there.get_columns(name)) for name in there.get_table_names()
        }
        for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index'"):
            found[f"index {name}"] = sql and " ".join(sql.replace('"', "").split())
        return found


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(old)

    def fails(connection: Connection) -> None:
        connection.execute(text("DELETE FROM span"))
        connection.execute(text("ALTER TABLE trace ADD COLUMN half INTEGER"))
        connection.execute(text("SELECT no_such_function()"))

    monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, 2: fails})
    with pytest.raises(StorageError, match="no_such_function"):
        serving(old)
    assert dump(old) == before
    monkeypatch.undo()
    with serving(old) as server:
        assert Client(server.url).ask("/api/status")["stored"]["spans"] == 2573


def test_there_is_a_step_to_every_version() -> None:
    assert list(migrations.STEPS) == list(range(2, schema.SCHEMA_VERSION + 1))
