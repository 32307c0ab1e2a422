"""sqlite3's ``connection.execute`` makes its own cursor, and the instrumentation sees only those that are asked for."""

from __future__ import annotations

import sqlite3
import sqlite3.dbapi2
from collections.abc import Callable
from typing import Any

import wrapt

__all__ = ["watch"]


class _Connection(wrapt.ObjectProxy[Any]):
    """A connection whose shortcuts go through a cursor that is looked at."""

    def execute(self, *args: Any) -> Any:
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> Any:
        return self.cursor().executemany(*args)

    def backup(self, target: Any, **options: Any) -> None:
        _plain(self).backup(_plain(target), **options)  # which takes nothing that only looks like a connection

    def __enter__(self) -> Any:
        self.__wrapped__.__enter__()
        return self


def _plain(connection: Any) -> Any:
    while hasattr(connection, "__wrapped__"):
        connection = connection.__wrapped__
    return connection


def watch() -> None:
    """Hand out such connections from now on."""
    for module in (sqlite3, sqlite3.dbapi2):
        wrapt.wrap_function_wrapper(module, "connect", _connect)


def _connect(wrapped: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
    connection = wrapped(*args, **kwargs)
    return _Connection(connection) if hasattr(connection, "__wrapped__") else connection
