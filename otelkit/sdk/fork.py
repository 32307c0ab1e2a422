"""Forking a process that has background threads: what they hold at that moment would stay held in the child for ever.

An import lock is the worst of it: a child forked while a thread imports pydantic can never import pydantic. So
background threads hold :data:`quiet` while they import or touch what a child shares; a fork waits for it, a second at
most.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["on_fork", "quiet"]

_LONGEST_WAIT: Final = 1.0


class _Quiet:
    """A re-entrant lock that is new in every forked child."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    def before(self) -> None:
        self._held = self._lock.acquire(timeout=_LONGEST_WAIT)

    def after_in_parent(self) -> None:
        if self._held:
            self._lock.release()

    def after_in_child(self) -> None:
        self._lock = threading.RLock()


quiet: Final = _Quiet()
"""Hold it in background threads: ``with quiet: …``."""


def on_fork(in_child: Callable[[], None]) -> None:
    """Call ``in_child`` in every forked child, with no background thread in the middle of something."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=quiet.before, after_in_parent=quiet.after_in_parent, after_in_child=quiet.after_in_child
        )
        os.register_at_fork(after_in_child=in_child)  # after the lock's: in a child they run in this order
