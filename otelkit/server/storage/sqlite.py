"""Everything that only SQLite understands: opening it, its pragmas, bulk statements, full-text search.

Statements are built from the schema once and run through the driver with plain tuples in column order, which is a
third faster than Core's own insert.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Table,
    and_,
    bindparam,
    case,
    create_engine,
    event,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from otelkit.errors import StorageError, StorageFullError
from otelkit.semconv.attributes import Otelkit
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import merge_counts
from otelkit.server.storage.dialect import ENGINE_OPTION, Row, Write
from otelkit.server.storage.file import StoreFile

__all__ = ["SQLite"]

_log = logging.getLogger(__name__)

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")
K = TypeVar("K", bound=Row)
_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_PAGE: Final = 4096
_SPARE_PAGES: Final = 2000  # new rows take them soon
_VACUUMED_PAGES: Final = 400
_FULL: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"})


class SQLite:
    """One file, which no other server has open; the :class:`~otelkit.server.storage.dialect.Dialect` of SQLite.

    ``shared`` is for looking only, beside a server. Raises :class:`StorageError` where the file is in use, no database,
    or cannot be made. A damaged one is set aside.
    """

    def __init__(self, location: str, *, cache: int, shared: bool = False) -> None:
        self._file = StoreFile(location, shared=shared)
        self._cache = cache
        self.location = str(self._file.path)
        self.notice: str | None = None
        try:
            damage = None if shared else self._file.damage()
            if damage is not None:
                self._set_aside(damage)
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        try:
            self.writer = self._engine("BEGIN IMMEDIATE", _writer_pragmas, poolclass=StaticPool)
            self.writer.connect().close()  # makes the file what it should be before anybody reads
            self.reader = self._open_reader()
        except (DBAPIError, sqlite3.Error) as error:
            raise StorageError(f"{self.location} cannot be opened as a database: {error.__cause__ or error}") from error

    def _set_aside(self, damage: str) -> None:
        self.notice = f"{self.location} was damaged ({damage}): it is kept as {self._file.set_aside()}, a new one began"
        _log.error("%s", self.notice)

    def copy_to(self, target: Path) -> None:
        self._file.copy_to(target)

    def compact(self) -> None:
        self.reader.dispose()
        self.writer.dispose()
        self._file.compact()

    def sizes(self, connection: Connection) -> dict[str, int | None]:
        names = [*schema.metadata.tables, *schema.TEXTS]
        query = "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1"
        try:
            pages = {row[0]: int(row[1]) for row in connection.exec_driver_sql(query)}
        except DBAPIError:  # this SQLite was built without it
            return dict.fromkeys(names)
        found: dict[str, int | None] = {name: pages.get(name, 0) for name in names}
        for index in schema.TEXTS:  # lies in tables of its own
            found[index] = sum(size for name, size in pages.items() if name.startswith(f"{index}_"))
        return found

    def replace(self, error: BaseException) -> bool:
        origin = getattr(error, "orig", None) or error
        if not getattr(origin, "sqlite_errorname", "").startswith(_DAMAGED):
            return False
        self.reader.dispose()
        self.writer.dispose()
        self._set_aside(str(origin))
        self._open()
        return True

    def create(self, connection: Connection) -> None:
        schema.metadata.create_all(connection)
        for table in schema.TEXTS:
            connection.exec_driver_sql(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(content, content='', detail=none)"
            )

    def back_up(self, name: str) -> Path:
        return self._file.back_up(name)

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()
        self._file.close()

    def size(self, connection: Connection) -> int:
        return self._file.size()

    def used(self, connection: Connection) -> int:
        return (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) * _PAGE

    def unused(self, connection: Connection) -> bool:
        return _pragma(connection, "freelist_count") > _SPARE_PAGES

    def shrink(self, connection: Connection) -> None:
        if self.unused(connection):
            for _ in range(_VACUUMED_PAGES):  # the driver takes one step of the statement, which is one page
                connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")

    def taken_over(self, connection: Connection) -> bool:
        return False  # the file's lock keeps every other writer out

    def error(self, error: BaseException, doing: str) -> StorageError:
        origin = getattr(error, "orig", None) or error
        name = getattr(origin, "sqlite_errorname", "")
        if name in _FULL or "disk is full" in str(origin) or (isinstance(origin, OSError) and origin.errno == 28):
            return StorageFullError("the disk that holds the database is full")
        if name.startswith(_DAMAGED):
            self._file.suspect()
        return StorageError(f"the database refused the {doing}: {origin}")

    def insert(self, table: Table, *, ignore: bool = False) -> Write:
        statement = insert(table).values({column.name: None for column in table.columns})
        return _write(statement.on_conflict_do_nothing() if ignore else statement)

    def upsert(self, table: Table) -> Write:
        statement = insert(table).values({column.name: None for column in table.columns})
        keys = [column.name for column in table.primary_key]
        changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        return _write(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def add(self, table: Table) -> Write:
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
        return _write(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def existing_spans(self, connection: Connection, keys: Sequence[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
        found: set[tuple[int, bytes]] = set()
        for at in range(0, len(keys), 4000):
            some = keys[at : at + 4000]
            values = ",".join(["(?,?)"] * len(some))
            rows = connection.exec_driver_sql(
                f"WITH wanted(trace, span_id) AS (VALUES {values}) "  # noqa: S608  only question marks
                "SELECT s.trace, s.span_id FROM wanted w CROSS JOIN span s "
                "ON s.trace = w.trace AND s.span_id = w.span_id",
                tuple(part for key in some for part in key),
            )
            found.update((row[0], row[1]) for row in rows)
        return found

    def find_ids(self, connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[K]) -> dict[K, int]:
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

    def set_text(self, connection: Connection, table: str, changes: Sequence[tuple[int, str | None, str]]) -> None:
        # The tables keep no copy of their own, so whoever changes a text must know the one before.
        gone = [(rowid, before) for rowid, before, _ in changes if before]
        _run(connection, f"INSERT INTO {table}({table}, rowid, content) VALUES ('delete', ?, ?)", gone)  # noqa: S608
        new = [(rowid, now) for rowid, _, now in changes if now]
        _run(connection, f"INSERT INTO {table}(rowid, content) VALUES (?, ?)", new)  # noqa: S608

    def matches(self, column: ColumnElement[int], table: str, words: Sequence[str]) -> ColumnElement[bool]:
        quoted = ['"' + word.replace('"', '""') + '"' for word in words]
        found = text(f"SELECT rowid FROM {table} WHERE {table} MATCH :terms")  # noqa: S608  a name of ours
        return column.in_(found.bindparams(bindparam("terms", " ".join(quoted) + "*", unique=True)))

    def holds(self, column: ColumnElement[str], value: str) -> ColumnElement[bool]:
        items = func.json_each(column).table_valued("value")
        exact = select(literal_column("1")).select_from(items).where(items.c.value == value).exists()
        # The quick look first: unpacking every list takes ten times as long.
        return and_(or_(func.instr(column, value) > 0, func.instr(column, "\\") > 0), exact)

    def _open_reader(self) -> Engine:
        """Open the file for queries: never writes, never checkpoints, a few connections for as many threads."""

        def pragmas(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA cache_size = -{self._cache // 4096}")
            connection.execute("PRAGMA mmap_size = 268435456")
            connection.execute("PRAGMA temp_store = MEMORY")

        return self._engine("BEGIN", pragmas, poolclass=QueuePool, pool_size=4, max_overflow=0, pool_timeout=30)

    def _engine(self, begin: str, pragmas: Callable[[sqlite3.Connection], None], **pool: Any) -> Engine:
        engine = create_engine(
            f"sqlite+pysqlite:///{self.location}",
            connect_args={
                "isolation_level": None,
                "check_same_thread": False,
                "timeout": 10.0,
                "cached_statements": 256,
            },
            execution_options={ENGINE_OPTION: self, Otelkit.UNTRACED: True},
            **pool,
        )

        @event.listens_for(engine, "connect")
        def _connected(connection: sqlite3.Connection, _record: object) -> None:
            pragmas(connection)

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


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


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _write(statement: Any) -> Write:
    sql = str(statement.compile(dialect=_DIALECT))
    return lambda connection, rows: _run(connection, sql, rows)


def _run(connection: Connection, sql: str, rows: Sequence[Row]) -> int:
    return connection.exec_driver_sql(sql, list(rows)).rowcount if rows else 0
