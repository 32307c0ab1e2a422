"""psycopg's pools, sync and async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import wrapt
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout, TooManyRequests

from otelkit.sdk.integrations.databases.pools import Levels, Pools

__all__ = ["watch"]

_FAILED: Final = (PoolTimeout, TooManyRequests)


def watch() -> None:
    """Look at every pool from its next use on."""
    wrapt.wrap_function_wrapper(ConnectionPool, "getconn", _get)
    wrapt.wrap_function_wrapper(AsyncConnectionPool, "getconn", _get_async)
    for kind in (ConnectionPool, AsyncConnectionPool):
        wrapt.wrap_function_wrapper(kind, "putconn", _put)


def _levels(pool: Any) -> Levels:
    stats = pool.get_stats()
    idle = stats.get("pool_available", 0)
    return Levels(max(0, stats.get("pool_size", 0) - idle), idle, pool.max_size, stats.get("requests_waiting", 0))


def _get(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.add(pool, pool.name, "postgresql", _levels)
    with Pools.waiting(pool, _FAILED):
        connection = wrapped(*args, **kwargs)
    Pools.taken(connection)
    return connection


async def _get_async(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.add(pool, pool.name, "postgresql", _levels)
    with Pools.waiting(pool, _FAILED):
        connection = await wrapped(*args, **kwargs)
    Pools.taken(connection)
    return connection


def _put(wrapped: Callable[..., Any], pool: Any, args: Any, kwargs: Any) -> Any:
    Pools.returned(pool, args[0] if args else kwargs.get("conn"))
    return wrapped(*args, **kwargs)
