"""One open store: the file, its lock, the writing connection and the reading pool."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from otelkit.errors import StorageError
from otelkit.server.config import TEMPORARY
from otelkit.server.storage import schema, sqlite

__all__ = ["Database"]


class Database:
    """An open database file that no other server process has open.

    Raises :class:`StorageError` with one clear sentence where the file is in use, damaged, newer than this program,
    or cannot be made.
    """

    def __init__(self, location: str, *, cache: int = 32 * 1024 * 1024) -> None:
        self._temporary = tempfile.mkdtemp(prefix="otelkit-") if location == TEMPORARY else None
        self.path = Path(self._temporary, "otelkit.db") if self._temporary else Path(location).expanduser()
        self._lock = self._locked()
        try:
            self._writer = sqlite.open_writer(str(self.path))
            self._reader = sqlite.open_reader(str(self.path), cache)
            self._check_version()
        except (DatabaseError, sqlite3.Error) as error:
            self._unlock()
            raise StorageError(f"{self.path} cannot be opened as a database: {error.__cause__ or error}") from error
        except StorageError:
            self._unlock()
            raise

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction of the writer, committed at the end; for the one writer thread only.

        Raises :class:`StorageFullError` or :class:`StorageError`; nothing is stored then.
        """
        try:
            with self._writer.begin() as connection:
                yield connection
        except (DatabaseError, sqlite3.Error, OSError) as error:
            raise sqlite.storage_error(error) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view for queries, from any thread."""
        try:
            with self._reader.begin() as connection:
                yield connection
        except (DatabaseError, sqlite3.Error) as error:
            raise StorageError(f"the database could not be read: {getattr(error, 'orig', error)}") from error

    def size(self) -> int:
        """Return the bytes on disk, the write-ahead log included."""
        return sum(path.stat().st_size for suffix in ("", "-wal") if (path := Path(f"{self.path}{suffix}")).exists())

    def close(self) -> None:
        """Close every connection, let go of the lock, delete a temporary file; may be called twice."""
        self._reader.dispose()
        self._writer.dispose()
        self._unlock()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _locked(self) -> int:
        lock = f"{self.path}.lock"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not self.path.exists():  # telemetry may be personal data: for its owner's eyes only
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            raise StorageError(f"{self.path} cannot be made: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise StorageError(
                f"{self.path} is already open in another server{f' (process {owner})' if owner else ''}: "
                "stop that one, or choose another file with --db"
            ) from None
        os.truncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return handle

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _check_version(self) -> None:
        with self._writer.begin() as connection:
            found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "schema")).scalar()
            if found is None:
                connection.execute(schema.meta.insert().values(key="schema", value=str(schema.SCHEMA_VERSION)))
            elif int(found) > schema.SCHEMA_VERSION:
                raise StorageError(f"{self.path} was written by a newer otelkit (schema {found}): upgrade otelkit")
