"""When the application imports a database library: its instrumentation on, its pools watched, no call seen twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, Final

import wrapt

from otelkit.sdk.guard import guard

__all__ = ["IMPORTED", "watch"]

IMPORTED: Final = frozenset({"sqlalchemy", "asyncpg", "psycopg", "sqlite3", "redis"})
"""Instrumentations, by their entry point, that are switched on by the import of the module of that name."""

# What is done besides: imported module → the instrumentation without which it is left alone, and whose ``watch`` it is.
_BESIDES: Final[Mapping[str, tuple[str, str]]] = {
    "sqlalchemy": ("sqlalchemy", "engines"),
    "sqlite3": ("sqlite3", "sqlite"),
    "aiosqlite": ("sqlite3", "aiosqlite"),
    "psycopg_pool": ("psycopg", "psycopg_pools"),
    "asyncpg": ("asyncpg", "asyncpg_pools"),
    "redis": ("redis", "redis_pools"),
}
_watched: Final[set[tuple[str, str]]] = set()  # an import hook is for good


def watch(chosen: Mapping[str, EntryPoint], switch_on: Callable[[EntryPoint], bool]) -> None:
    """Switch on ``chosen`` instrumentations and what goes with them, each when its library is imported.

    Args:
        chosen: by their names, which are in :data:`IMPORTED`.
        switch_on: loads and applies one; never raises.
    """
    for name, point in chosen.items():
        if name != "sqlalchemy":  # which its own part switches on
            _once_imported(name, "spans", partial(switch_on, point))
    for module, (name, part) in _BESIDES.items():
        if name in chosen:
            _once_imported(module, part, partial(_watch_besides, part))


def _watch_besides(part: str) -> None:
    import_module(f"{__package__}.{part}").watch()


def _once_imported(module: str, what: str, act: Callable[[], Any]) -> None:
    if (module, what) in _watched:
        return
    _watched.add((module, what))

    def imported(_: object) -> None:
        with guard:
            act()

    wrapt.register_post_import_hook(imported, module)
