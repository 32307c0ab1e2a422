"""asyncpg's pools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import wrapt
from asyncpg.pool import Pool

from otelkit.sdk.integrations.databases.pools import Levels, Pools

__all__ = ["watch"]


def watch() -> None:
    """Look at every pool from its next use on; there is no public place where all ways to a connection meet."""
    if hasattr(Pool, "_acquire"):
        wrapt.wrap_function_wrapper(Pool, "_acquire", _acquire)
        wrapt.wrap_function_wrapper(Pool, "release", _release)


def _levels(pool: Any) -> Levels | None:
    if pool.is_closing():
        return None
    idle = pool.get_idle_size()
    return Levels(pool.get_size() - idle, idle, pool.get_max_size())


async def _acquire(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.add(pool, "asyncpg", "postgresql", _levels)
    with Pools.waiting(pool, (asyncio.TimeoutError,)):
        connection = await wrapped(*args, **kwargs)
    Pools.taken(connection)
    return connection


async def _release(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.returned(pool, args[0] if args else kwargs.get("connection"))
    return await wrapped(*args, **kwargs)
