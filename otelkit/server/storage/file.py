"""The file of a SQLite store: where it lies, who has it, what it takes on disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from otelkit.errors import StorageError
from otelkit.server.config import TEMPORARY

__all__ = ["StoreFile"]


# Bytes; a second's work at most.
_LOOKED_THROUGH: Final = 100 * 10**6
# Not sqlite3.connect, which the telemetry of an application in the same process looks at.
_connect: Final = sqlite3.Connection


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


class StoreFile:
    """A database file that no other server process has, made if it is not there.

    ``shared`` is for looking only, beside whoever has it; then it must be there. Raises :class:`StorageError` where it
    is in use, missing, or cannot be made.
    """

    def __init__(self, location: str, *, shared: bool = False) -> None:
        self._temporary = tempfile.mkdtemp(prefix="otelkit-") if location == TEMPORARY else None
        self.path = Path(self._temporary, "otelkit.db") if self._temporary else Path(location).expanduser()
        if shared and not self.path.is_file():
            raise StorageError(f"there is no {self.path}: name the file with --db")
        self._lock = -1 if shared else self._locked()

    def size(self) -> int:
        """Return the bytes on disk, the write-ahead log included."""
        return sum(path.stat().st_size for suffix in ("", "-wal") if (path := self._beside(suffix)).exists())

    def damage(self) -> str | None:
        """Say what is wrong with the file, None for nothing that shows.

        A large file is only looked through after something went wrong with it, because that takes seconds; what is
        found later is dealt with then.

        Raises:
            StorageError: it is no database, and nothing says that it ever was one of ours.
        """
        marker = self._beside(".suspect")
        thorough = marker.exists() or self.path.stat().st_size <= _LOOKED_THROUGH
        try:
            with closing(_connect(self.path, timeout=10.0)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if thorough else "ok"
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith("SQLITE_NOTADB") and not self._known:
                self._beside(".lock").unlink(missing_ok=True)  # or it would be known the next time
                raise StorageError(f"{self.path} is no database of otelkit: choose another file with --db") from error
            if not name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
                raise StorageError(f"{self.path} cannot be opened as a database: {error}") from error
            found = str(error)
        marker.unlink(missing_ok=True)
        return None if found == "ok" else " ".join(found.split())

    def suspect(self) -> None:
        """Have the whole file looked through at the next start, however large it is."""
        with suppress(OSError):
            self._beside(".suspect").touch(mode=0o600)

    def set_aside(self) -> Path:
        """Rename the file and what belongs to it, begin an empty one, and return the new name."""
        aside = self._beside(f".damaged-{_stamp()}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._beside(suffix).rename(f"{aside}{suffix}")
        self._make()
        return aside

    def back_up(self, name: str) -> Path:
        """Copy what is committed to a file beside this one and return it; raise StorageError where there is no room."""
        copy = self._beside(f".{name}-{_stamp()}")
        self.copy_to(copy)
        return copy

    def copy_to(self, copy: Path) -> None:
        """Copy what is committed to a new file, also while a server writes; raise StorageError where that fails."""
        try:
            os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StorageError(f"{copy} cannot be made: {error.strerror}") from error
        try:
            with closing(_connect(self.path)) as source, closing(_connect(copy)) as target:
                source.backup(target)
        except BaseException as error:
            copy.unlink(missing_ok=True)
            if isinstance(error, OSError | sqlite3.Error):
                raise StorageError(f"{self.path} could not be copied to {copy}: {error}") from error
            raise

    def compact(self) -> None:
        """Write the file anew without what deleted rows left behind; raise StorageError where there is no room."""
        try:
            with closing(_connect(self.path)) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StorageError(f"{self.path} could not be written anew: {error}") from error

    def close(self) -> None:
        """Let go of the file and delete a temporary one; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _beside(self, suffix: str) -> Path:
        return Path(f"{self.path}{suffix}")

    def _make(self) -> None:
        if not self.path.exists():  # telemetry may be personal data: for its owner's eyes only
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))

    def _locked(self) -> int:
        lock = self._beside(".lock")
        self._known = lock.exists()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._make()
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
