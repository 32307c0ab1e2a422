"""The file of a SQLite store: where it lies, who has it, what it takes on disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from otelkit.errors import StorageError
from otelkit.server.config import TEMPORARY

__all__ = ["StoreFile"]


class StoreFile:
    """A database file that no other server process has, made if it is not there.

    Raises :class:`StorageError` where it is in use or cannot be made.
    """

    def __init__(self, location: str) -> None:
        self._temporary = tempfile.mkdtemp(prefix="otelkit-") if location == TEMPORARY else None
        self.path = Path(self._temporary, "otelkit.db") if self._temporary else Path(location).expanduser()
        self._lock = self._locked()

    def size(self) -> int:
        """Return the bytes on disk, the write-ahead log included."""
        return sum(path.stat().st_size for suffix in ("", "-wal") if (path := Path(f"{self.path}{suffix}")).exists())

    def close(self) -> None:
        """Let go of the file and delete a temporary one; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
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
