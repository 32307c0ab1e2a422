"""redis-py's pools, sync and async; they tell little, and what they keep is not public."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
import redis.asyncio
import wrapt

from otelkit.sdk.integrations.databases.pools import Levels, Pools

__all__ = ["watch"]

_NO_LIMIT: Final = 2**31
_FAILED: Final = tuple(filter(None, [getattr(redis.exceptions, "MaxConnectionsError", None)]))


def watch() -> None:
    """Look at every pool from its next use on."""
    for kind in (redis.ConnectionPool, redis.BlockingConnectionPool):
        wrapt.wrap_function_wrapper(kind, "get_connection", _get)
    for asynchronous in (redis.asyncio.ConnectionPool, redis.asyncio.BlockingConnectionPool):
        wrapt.wrap_function_wrapper(asynchronous, "get_connection", _get_async)


def _name(pool: Any) -> str:
    return f"redis/{pool.connection_kwargs.get('db') or 0}"


def _levels(pool: Any) -> Levels:
    used, idle = getattr(pool, "_in_use_connections", None), getattr(pool, "_available_connections", None)
    most = pool.max_connections if pool.max_connections < _NO_LIMIT else None
    return Levels(len(used) if used is not None else None, len(idle) if idle is not None else None, most)


def _get(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.add(pool, _name(pool), "redis", _levels)
    with Pools.waiting(pool, _FAILED):
        return wrapped(*args, **kwargs)


async def _get_async(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.add(pool, _name(pool), "redis", _levels)
    with Pools.waiting(pool, _FAILED):
        return await wrapped(*args, **kwargs)
