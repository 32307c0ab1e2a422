"""Everything that only SQLite understands: opening it, its pragmas, bulk statements, full-text search.

Statements are built from the schema once and run through the driver with plain tuples in column order, which is a
third faster than Core's own insert.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, LargeBinary, Table, case, create_engine, event, func, literal_column
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import QueuePool, StaticPool

from otelkit.errors import StorageError, StorageFullError
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import merge_counts

__all__ = [
    "add_sql",
    "bulk",
    "existing_spans",
    "find_ids",
    "insert_sql",
    "open_reader",
    "open_writer",
    "search_sql",
    "search_terms",
    "set_text",
    "storage_error",
    "upsert_sql",
]

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")
K = TypeVar("K", bound=tuple[Any, ...])
_FULL: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"})


def open_writer(path: str) -> Engine:
    """Open (or make) the file for the one writer; raises whatever sqlite3 raises for a file it cannot use."""
    engine = _engine(path, "BEGIN IMMEDIATE", _writer_pragmas, poolclass=StaticPool)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        for table, columns in (("trace_text", "content"), ("log_text", "content")):
            connection.exec_driver_sql(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5({columns}, content='', detail=none)"
            )
    return engine


def open_reader(path: str, cache: int) -> Engine:
    """Open the file for queries: never writes, never checkpoints, a few connections for as many threads."""

    def pragmas(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA cache_size = -{cache // 4096}")
        connection.execute("PRAGMA mmap_size = 268435456")
        connection.execute("PRAGMA temp_store = MEMORY")

    return _engine(path, "BEGIN", pragmas, poolclass=QueuePool, pool_size=4, max_overflow=0, pool_timeout=30)


def _writer_pragmas(connection: sqlite3.Connection) -> None:
    connection.create_function("merge_counts", 2, merge_counts, deterministic=True)
    # auto_vacuum only takes effect before the first table and before WAL.
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA temp_store = MEMORY")


def _engine(path: str, begin: str, pragmas: Callable[[sqlite3.Connection], None], **pool: Any) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 10.0, "cached_statements": 256},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        pragmas(connection)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def storage_error(error: BaseException) -> StorageError:
    """Say in our own terms what a database error means for the sender."""
    origin = getattr(error, "orig", None) or error
    name = getattr(origin, "sqlite_errorname", "")
    if name in _FULL or "disk is full" in str(origin) or (isinstance(origin, OSError) and origin.errno == 28):
        return StorageFullError("the disk that holds the database is full")
    return StorageError(f"the database refused the write: {origin}")


def insert_sql(table: Table, *, ignore: bool = False) -> str:
    """Return the INSERT of whole rows; with ``ignore`` a row whose key exists changes nothing."""
    statement = insert(table).values({column.name: None for column in table.columns})
    if ignore:
        statement = statement.on_conflict_do_nothing()
    return _text(statement)


def upsert_sql(table: Table) -> str:
    """Return the INSERT of whole rows that replaces the row with the same primary key."""
    statement = insert(table).values({column.name: None for column in table.columns})
    keys = [column.name for column in table.primary_key]
    changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return _text(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def add_sql(table: Table) -> str:
    """Return the INSERT that adds to the row with the same key; NULL adds nothing, NULL + n is n, bytes are counts."""
    statement = insert(table).values({column.name: None for column in table.columns})
    keys = [column.name for column in table.primary_key]
    changed: dict[str, Any] = {}
    for column in table.columns:
        new = statement.excluded[column.name]
        if column.name in keys:
            continue
        if isinstance(column.type, LargeBinary):
            changed[column.name] = func.merge_counts(column, new)
        elif column.nullable:
            total = func.coalesce(column, literal_column("0")) + new
            changed[column.name] = case((new.is_(None), column), else_=total)
        else:
            changed[column.name] = column + new
    return _text(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def _text(statement: Any) -> str:
    return str(statement.compile(dialect=_DIALECT))


def bulk(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run one statement for many rows."""
    if rows:
        connection.exec_driver_sql(sql, list(rows))


def existing_spans(connection: Connection, keys: Sequence[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
    """Return those of the (trace, span id) pairs that are stored."""
    found: set[tuple[int, bytes]] = set()
    for at in range(0, len(keys), 4000):
        some = keys[at : at + 4000]
        values = ",".join(["(?,?)"] * len(some))
        rows = connection.exec_driver_sql(
            f"WITH wanted(trace, span_id) AS (VALUES {values}) "  # noqa: S608  only question marks
            "SELECT s.trace, s.span_id FROM wanted w CROSS JOIN span s ON s.trace = w.trace AND s.span_id = w.span_id",
            tuple(part for key in some for part in key),
        )
        found.update((row[0], row[1]) for row in rows)
    return found


def find_ids(connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[K]) -> dict[K, int]:
    """Return the ``id`` of each row whose unique ``columns`` are one of the keys; keys without a row are left out."""
    found: dict[K, int] = {}
    names, marks = ", ".join(f'"{name}"' for name in columns), ",".join("?" * len(columns))
    same = " AND ".join(f't."{name}" = w."{name}"' for name in columns)
    wanted_columns = ", ".join(f'w."{name}"' for name in columns)
    size = 4000 // len(columns)
    for at in range(0, len(keys), size):
        some = keys[at : at + size]
        values = ",".join([f"({marks})"] * len(some))
        rows = connection.exec_driver_sql(
            f"WITH w({names}) AS (VALUES {values}) "  # noqa: S608  names of ours and question marks
            f"SELECT t.id, {wanted_columns} FROM w CROSS JOIN {table.name} t ON {same}",
            tuple(part for key in some for part in key),
        )
        # Keys come back as plain tuples, which are equal to named ones.
        found.update((tuple(row[1:]), row[0]) for row in rows)  # type: ignore[misc]
    return found


def search_sql(table: str) -> str:
    """Return a subquery of the row ids whose text matches ``:terms`` (see :func:`search_terms`)."""
    return f"SELECT rowid FROM {table} WHERE {table} MATCH :terms"  # noqa: S608  a name of ours


def search_terms(words: Iterable[str]) -> str:
    """Return an FTS5 query: every word must occur, the last one may be the beginning of a word."""
    quoted = ['"' + word.replace('"', '""') + '"' for word in words]
    return " ".join(quoted) + "*" if quoted else ""


def set_text(connection: Connection, table: str, changes: Sequence[tuple[int, str | None, str]]) -> None:
    """Index texts as (row id, text indexed before or None, text now); the tables keep no copy of their own."""
    gone = [(rowid, before) for rowid, before, _ in changes if before]
    bulk(connection, f"INSERT INTO {table}({table}, rowid, content) VALUES ('delete', ?, ?)", gone)  # noqa: S608
    new = [(rowid, now) for rowid, _, now in changes if now]
    bulk(connection, f"INSERT INTO {table}(rowid, content) VALUES (?, ?)", new)  # noqa: S608
