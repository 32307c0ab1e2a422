"""aiosqlite runs sqlite3 on a thread of its own, where no span of the caller is known.

The calls would be traces of one span each, and second spans where SQLAlchemy is above; so its connections are plain
ones. SQLAlchemy's spans are the ones to have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wrapt
from aiosqlite.core import Connection

__all__ = ["watch"]


def watch() -> None:
    """Hand out untraced connections from now on."""
    wrapt.wrap_function_wrapper(Connection, "__init__", _init)


def _init(wrapped: Callable[..., None], connection: Any, args: Any, kwargs: Any) -> None:
    def untraced(connector: Callable[[], Any]) -> Callable[[], Any]:
        def connect() -> Any:
            found = connector()
            while hasattr(found, "__wrapped__"):
                found = found.__wrapped__
            return found

        return connect

    if args:
        wrapped(untraced(args[0]), *args[1:], **kwargs)
    else:
        wrapped(**{**kwargs, "connector": untraced(kwargs["connector"])})
