"""One open store, whatever product keeps it: the writing connection and the reading pool."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from otelkit.errors import MissingExtraError, StorageError
from otelkit.server.config import database_url
from otelkit.server.storage import migrations, schema
from otelkit.server.storage.dialect import Dialect
from otelkit.server.storage.sqlite import SQLite

__all__ = ["Database"]

_SECRET: Final = "secret"


class Database:
    """An open database; ``location`` is a file, ``:temp:`` for one that is deleted at the end, or PostgreSQL's URL.

    ``shared`` is for looking only, beside a server that has it. Raises :class:`StorageError` with one clear sentence
    where it is in use, damaged, out of reach, newer than this program, or cannot be made.
    """

    def __init__(self, location: str, *, cache: int = 32 * 1024 * 1024, shared: bool = False) -> None:
        self.dialect = _opened(location, cache, shared)
        try:
            if shared:
                with self.reading() as connection:
                    migrations.check(connection)
            else:
                self.begin(migrations.prepare)
        except BaseException:
            self.close()
            raise

    @property
    def location(self) -> str:
        """Where the data is, as people may read it."""
        return self.dialect.location

    def secret(self) -> bytes:
        """Return the store's own key for pseudonyms, made when it is first asked for."""
        value = schema.meta.c.value
        with self.writing() as connection:
            found = connection.execute(select(value).where(schema.meta.c.key == _SECRET)).scalar()
            if found is None:
                found = secrets.token_hex(16)
                connection.execute(schema.meta.insert().values(key=_SECRET, value=found))
        return bytes.fromhex(found)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction of the writer, committed at the end; for the one writer thread only.

        Raises :class:`StorageFullError` or :class:`StorageError`; nothing is stored then.
        """
        try:
            with self.dialect.writer.begin() as connection:
                yield connection
        except (DBAPIError, OSError) as error:
            if self.dialect.replace(error):
                self.begin(migrations.prepare)
            raise self.dialect.error(error, "write") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view for queries, from any thread."""
        try:
            with self.dialect.reader.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self.dialect.error(error, "read") from error

    def close(self) -> None:
        """Close every connection, let go of the lock, delete a temporary file; may be called twice."""
        self.dialect.close()

    def begin(self, work: Callable[[Connection], None]) -> None:
        """Do something that a start cannot do without, in a transaction; again, where that found the file damaged."""
        notice = self.dialect.notice
        try:
            with self.writing() as connection:
                work(connection)
        except StorageError:
            if self.dialect.notice is notice:
                raise
            with self.writing() as connection:
                work(connection)


def _opened(location: str, cache: int, shared: bool) -> Dialect:
    url = database_url(location)
    if url is None:
        return SQLite(location, cache=cache, shared=shared)
    try:
        from otelkit.server.storage.postgres import PostgreSQL  # its driver is an extra
    except ImportError as error:
        raise MissingExtraError("a store in PostgreSQL", "postgres") from error
    return PostgreSQL(url)
