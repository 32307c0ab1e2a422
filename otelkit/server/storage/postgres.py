"""Everything that only PostgreSQL understands: connecting, taking turns, COPY, full-text search.

Several servers may share one database. Each transaction of a writer first takes one advisory lock, so writers take
turns, and a row of ``meta`` names the last one: who finds another's name there reads again what it remembered. Rows go
in by COPY, which takes half as long as any other way; what must be added to stored rows is added up here and replaces
them, which is safe because nobody else writes meanwhile.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR, dialect, insert
from sqlalchemy.exc import DBAPIError

from otelkit.errors import StorageError, StorageFullError
from otelkit.semconv.attributes import Otelkit
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import merge_counts
from otelkit.server.storage.dialect import ENGINE_OPTION, Row, Write

__all__ = ["PostgreSQL"]

K = TypeVar("K", bound=Row)
_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
_TURN: Final = 0x6F74656C6B6974  # the advisory lock of every writer
_DISK_FULL: Final = "53100"
_OUT_OF_REACH: Final = ("08", "28", "3D", "57P")  # no connection, no right to one, no such database, shut down
_WORD: Final = re.compile(r"[^\W_]+")
_LONGEST_WORD: Final = 500
_CONNECT: Final = {"connect_timeout": 5, "application_name": "otelkit", "tcp_user_timeout": 30_000}

_texts: Final = MetaData()
_TEXTS: Final = {
    name: Table(
        name,
        _texts,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("words", TSVECTOR, nullable=False),
    )
    for name in schema.TEXTS
}
_WORD_INDEXES: Final = [f"CREATE INDEX IF NOT EXISTS {name}_words ON {name} USING gin (words)" for name in schema.TEXTS]


class PostgreSQL:
    """A database that other servers may write to as well; the ``Dialect`` of PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self.location = f"postgresql://{url.username or ''}@{url.host or ''}:{url.port or 5432}/{url.database or ''}"
        self.notice: str | None = None
        self._name = uuid.uuid4().hex
        self._url = url.set(drivername="postgresql+psycopg")
        self.writer = self._engine(_prepare_writer, pool_size=1)
        self.reader = self._engine(_prepare_reader, pool_size=4, isolation_level="REPEATABLE READ")
        event.listen(self.writer, "begin", _take_turn)

    def create(self, connection: Connection) -> None:
        schema.metadata.create_all(connection)
        _texts.create_all(connection)
        for statement in _WORD_INDEXES:
            connection.exec_driver_sql(statement)

    def back_up(self, name: str) -> None:
        return None  # its owner has pg_dump; this program may not write where the server stands

    def copy_to(self, target: Path) -> None:
        raise StorageError(f"a store in PostgreSQL is copied with its own tools: pg_dump --file {target} DATABASE")

    def compact(self) -> None:
        names = ", ".join(_quoted(name) for name in (*schema.metadata.tables, *schema.TEXTS))
        with self.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {names}")
            except DBAPIError as error:
                raise self.error(error, "vacuum") from error

    def sizes(self, connection: Connection) -> dict[str, int | None]:
        names = [*schema.metadata.tables, *schema.TEXTS]
        found = connection.exec_driver_sql(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%s)",
            (names,),
        )
        sizes = {str(row[0]): int(row[1]) for row in found}
        return {name: sizes.get(name) for name in names}

    def replace(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()

    def size(self, connection: Connection) -> int:
        return sum(size or 0 for size in self.sizes(connection).values())

    def used(self, connection: Connection) -> int:
        return self.size(connection)

    def unused(self, connection: Connection) -> bool:
        return False  # autovacuum looks after that

    def shrink(self, connection: Connection) -> None:
        pass

    def taken_over(self, connection: Connection) -> bool:
        meta = schema.meta
        last = connection.execute(select(meta.c.value).where(meta.c.key == "writer")).scalar()
        if last == self._name:
            return False
        named = insert(meta).values(key="writer", value=self._name)
        connection.execute(named.on_conflict_do_update(index_elements=["key"], set_={"value": named.excluded.value}))
        return True

    def error(self, error: BaseException, doing: str) -> StorageError:
        origin = getattr(error, "orig", None) or error
        code = getattr(origin, "sqlstate", None)
        if code == _DISK_FULL:
            return StorageFullError("the disk that holds the database is full")
        if isinstance(origin, psycopg.OperationalError) and (code is None or code.startswith(_OUT_OF_REACH)):
            return StorageError(f"the database {self.location} cannot be reached: {_first_line(origin)}")
        # Never the server's own words here: they may quote what was to be stored.
        return StorageError(f"the database refused the {doing}: {type(origin).__name__} {code or ''}".rstrip())

    def insert(self, table: Table, *, ignore: bool = False) -> Write:
        return self._new_only(table) if ignore else self._copied(table)

    def upsert(self, table: Table) -> Write:
        wanted, same = _wanted(table, _keys(table))
        delete = f"DELETE FROM {table.name} t USING {wanted} WHERE {same}"  # noqa: S608  names of ours
        size = len(_keys(table))
        copy = self._copied(table)

        def write(connection: Connection, rows: Sequence[Row]) -> int:
            if rows:
                connection.exec_driver_sql(delete, _columns(rows, size))
            return copy(connection, rows)

        return write

    def add(self, table: Table) -> Write:
        wanted, same = _wanted(table, _keys(table))
        take = f"DELETE FROM {table.name} t USING {wanted} WHERE {same} RETURNING w.place, t.*"  # noqa: S608
        size = len(_keys(table))
        plus = [_packed_sum if isinstance(c.type, LargeBinary) else _known_sum for c in list(table.columns)[size:]]
        copy = self._copied(table)

        def write(connection: Connection, rows: Sequence[Row]) -> int:
            if not rows:
                return 0
            summed = list(rows)
            for place, *stored in connection.exec_driver_sql(take, _columns(rows, size)):
                new = rows[place - 1]
                values = (add(old, value) for add, old, value in zip(plus, stored[size:], new[size:], strict=True))
                summed[place - 1] = (*new[:size], *values)
            return copy(connection, summed)

        return write

    def find_ids(self, connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[K]) -> dict[K, int]:
        if not keys:
            return {}
        wanted, same = _wanted(table, columns)
        # By place, because texts come back without what PostgreSQL cannot keep.
        found = connection.exec_driver_sql(
            f"SELECT w.place, t.id FROM {wanted} JOIN {table.name} t ON {same}",  # noqa: S608  names of ours
            _columns(keys, len(columns)),
        )
        return {keys[place - 1]: number for place, number in found}

    def existing_spans(self, connection: Connection, keys: Sequence[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
        if not keys:
            return set()
        wanted, same = _wanted(schema.span, ("trace", "span_id"))
        found = connection.exec_driver_sql(
            f"SELECT w.place FROM {wanted} JOIN span t ON {same}",  # noqa: S608  names of ours
            _columns(keys, 2),
        )
        return {keys[place - 1] for (place,) in found}

    def set_text(self, connection: Connection, table: str, changes: Sequence[tuple[int, str | None, str]]) -> None:
        gone = [number for number, _, now in changes if not now]
        if gone:
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE id = ANY(%s)", (gone,))  # noqa: S608  a name of ours
        write = self.upsert(_TEXTS[table])
        write(connection, [(number, " ".join(_words(now))) for number, _, now in changes if now])

    def matches(self, column: ColumnElement[int], table: str, words: Sequence[str]) -> ColumnElement[bool]:
        terms = " & ".join(part for word in words for part in _words(word)) + ":*"
        found = text(f"SELECT id FROM {table} WHERE words @@ CAST(:terms AS tsquery)")  # noqa: S608  a name of ours
        return column.in_(found.bindparams(bindparam("terms", terms, unique=True)))

    def holds(self, column: ColumnElement[str], value: str) -> ColumnElement[bool]:
        # Not by unpacking the list: the server's JSON refuses texts that JSON allows.
        item = json.dumps(value)
        return or_(func.strpos(column, f"[{item}") > 0, func.strpos(column, f",{item}") > 0)

    def _copied(self, table: Table) -> Write:
        columns = ", ".join(map(_quoted, table.columns.keys()))
        sql = f"COPY {table.name} ({columns}) FROM STDIN"

        def write(connection: Connection, rows: Sequence[Row]) -> int:
            if rows:
                raw = connection.connection.cursor()
                try:
                    with raw.copy(sql) as copy:
                        for row in rows:
                            copy.write_row(row)
                except psycopg.Error as error:
                    if connection.connection.driver_connection.broken:  # type: ignore[union-attr]
                        connection.invalidate(error)
                    raise self.error(error, "write") from error
            return len(rows)

        return write

    def _new_only(self, table: Table) -> Write:
        wanted, same = _wanted(table, _keys(table))
        find = f"SELECT w.place FROM {wanted} JOIN {table.name} t ON {same}"  # noqa: S608  names of ours
        size = len(_keys(table))
        copy = self._copied(table)

        def write(connection: Connection, rows: Sequence[Row]) -> int:
            if not rows:
                return 0
            new = {row[:size]: row for row in reversed(rows)}  # the first of equal ones stays
            for (place,) in connection.exec_driver_sql(find, _columns(rows, size)):
                new.pop(rows[place - 1][:size], None)
            return copy(connection, list(new.values()))

        return write

    def _engine(self, prepare: Callable[[psycopg.Connection[Any]], None], **options: Any) -> Engine:
        engine = create_engine(
            self._url,
            connect_args=_CONNECT,
            execution_options={ENGINE_OPTION: self, Otelkit.UNTRACED: True},
            pool_pre_ping=True,  # the server may have been restarted
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,
            **options,
        )

        @event.listens_for(engine, "connect")
        def _connected(connection: psycopg.Connection[Any], _record: object) -> None:
            connection.adapters.register_dumper(str, _TextDumper)
            connection.adapters.register_loader("numeric", _SumLoader)
            prepare(connection)
            connection.commit()

        return engine


class _TextDumper(StrDumperUnknown):
    """Texts as PostgreSQL can keep them: it knows no character number zero, and no halves of characters."""

    def dump(self, obj: str) -> bytes:
        return obj.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace")


class _SumLoader(Loader):
    """Sums of 64-bit numbers, which PostgreSQL gives as ``numeric``, are plain integers."""

    def load(self, data: Buffer) -> int | float:
        number = bytes(data)
        return int(number) if number.lstrip(b"-").isdigit() else float(number)


def _take_turn(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")


def _prepare_reader(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET jit = off")
    connection.execute("SET statement_timeout = '60s'")
    connection.execute("SET default_transaction_read_only = on")


def _prepare_writer(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET jit = off")
    # A server that hangs must not keep the others out for ever.
    connection.execute("SET lock_timeout = '30s'")
    connection.execute("SET idle_in_transaction_session_timeout = '60s'")


def _wanted(table: Table, columns: Sequence[str]) -> tuple[str, str]:
    """Return the keys given as one list per column, as a table ``w``, and the condition that a row ``t`` has them."""
    names = [_quoted(name) for name in columns]
    lists = ", ".join(f"%s::{_type_name(table.columns[name])}[]" for name in columns)
    same = " AND ".join(f"t.{name} = w.{name}" for name in names)
    return f"unnest({lists}) WITH ORDINALITY AS w({', '.join(names)}, place)", same


def _keys(table: Table) -> list[str]:
    """Return the primary key's columns, which come first in every table."""
    return [column.name for column in table.primary_key]


def _columns(rows: Sequence[Row], size: int) -> tuple[list[Any], ...]:
    """Return the first ``size`` columns of rows, each as a list."""
    return tuple([row[at] for row in rows] for at in range(size))


def _known_sum(old: Any, new: Any) -> Any:
    return new if old is None else old if new is None else old + new


def _packed_sum(old: bytes, new: bytes) -> bytes:
    return merge_counts(bytes(old), new)


def _type_name(column: Column[Any]) -> str:
    return str(column.type.compile(dialect=_DIALECT)).partition(" ")[0]  # without its collation


def _quoted(name: str) -> str:
    return f'"{name}"'


def _words(content: str) -> list[str]:
    """Return the distinct words of a text, cut and folded as SQLite's full-text index does."""
    if not content.isascii():
        content = "".join(part for part in unicodedata.normalize("NFD", content) if not unicodedata.combining(part))
    return sorted({word[:_LONGEST_WORD] for word in _WORD.findall(content.lower())})


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
