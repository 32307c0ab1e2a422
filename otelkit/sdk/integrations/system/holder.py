"""One of many processes: who holds a locked file speaks for all; when it is gone, another one takes over."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from otelkit.sdk.guard import guard

__all__ = ["Holder"]

_open: Final[set[int]] = set()


def _forget_inherited() -> None:
    """In a forked child: the lock is the parent's, and must not outlive it in here."""
    for file in _open:
        with suppress(OSError):
            os.close(file)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)


class Holder:
    """Asks for the lock whenever it is asked; the system lets go of it however the process ends.

    Args:
        topic: processes with the same one share a lock, of one user on one machine.
    """

    def __init__(self, topic: str) -> None:
        user = os.getuid() if hasattr(os, "getuid") else 0
        name = blake2b(topic.encode(), digest_size=8).hexdigest()
        self._path = Path(tempfile.gettempdir()) / f"otelkit-{user}-{name}.lock"
        self._file: int | None = None

    def holds(self) -> bool:
        """Whether this process holds the lock now, or has just got it."""
        if self._file is None:
            with guard:
                self._file = self._locked()
                if self._file is not None:
                    _open.add(self._file)
        return self._file is not None

    def let_go(self) -> None:
        """Give it up."""
        file, self._file = self._file, None
        if file is not None and file in _open:  # not what a forked child has closed already
            _open.discard(file)
            os.close(file)

    def _locked(self) -> int | None:
        try:
            import fcntl
        except ImportError:  # no such locks on this system: everyone speaks
            return os.open(os.devnull, os.O_RDONLY)
        try:
            # Not through a link that somebody else put into the shared folder.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return file
