"""Database calls of every kind, run by name in a process of its own; values are planted that must never leave it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import time
from typing import Any

from opentelemetry import trace

PLANTED = "Xq7planted"
tracer = trace.get_tracer("shop")


def before() -> Any:
    """An engine made before telemetry starts, by a name that was imported before it."""
    from sqlalchemy import create_engine

    return create_engine(
        os.environ["PG"].replace("postgresql://", "postgresql+psycopg://"), pool_size=2, max_overflow=1
    )


EARLY = before() if "early" in sys.argv[1:] else None

import otelkit  # noqa: E402

otelkit.init(service="shop")


def _work(connection: Any) -> None:
    from sqlalchemy import text

    connection.execute(text("CREATE TABLE IF NOT EXISTS users (id int, email varchar(80) UNIQUE)"))
    connection.execute(text("INSERT INTO users (id, email) VALUES (:id, :email)"), {"id": 7391846, "email": PLANTED})
    connection.execute(text(f"SELECT id FROM users WHERE email = '{PLANTED}' AND id IN (7391846, 7391847)")).all()


def early() -> None:
    with EARLY.begin() as connection:
        _work(connection)
    options = EARLY.execution_options(isolation_level="AUTOCOMMIT")
    with options.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM users").all()


def sync_engine() -> None:
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://", echo=True)  # its lines hold the parameters
    with tracer.start_as_current_span("GET /users"), engine.begin() as connection:
        _work(connection)


def async_engine(driver: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    async def run() -> None:
        url = "sqlite+aiosqlite://" if driver == "aiosqlite" else os.environ["PG"].replace("ql://", f"ql+{driver}://")
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(_work)
        with contextlib.suppress(asyncio.TimeoutError):
            if driver != "aiosqlite":
                async with engine.connect() as connection:
                    from sqlalchemy import text

                    await asyncio.wait_for(connection.execute(text("SELECT pg_sleep(5)")), 0.2)
        await engine.dispose()

    with tracer.start_as_current_span("GET /users"):
        asyncio.run(run())


def aiosqlite_engine() -> None:
    async_engine("aiosqlite")


def asyncpg_engine() -> None:
    async_engine("asyncpg")


def psycopg_engine() -> None:
    async_engine("psycopg")


def drivers() -> None:
    """The drivers without SQLAlchemy."""
    import psycopg

    with psycopg.connect(os.environ["PG"]) as connection:
        connection.execute("CREATE TABLE things (id int, name varchar(80))")
        connection.execute(f"INSERT INTO things VALUES (%s, '{PLANTED}')", (7391846,))
    lite = sqlite3.connect(":memory:")
    lite.execute("CREATE TABLE lite (a)")
    lite.execute("INSERT INTO lite VALUES (?)", (PLANTED,))
    lite.execute(f'SELECT a FROM lite WHERE a = "{PLANTED}"')
    asyncio.run(_asyncpg())


async def _asyncpg() -> None:
    import asyncpg

    connection = await asyncpg.connect(os.environ["PG"])
    await connection.fetch(f"SELECT name FROM things WHERE name = $1 OR name = '{PLANTED}'", PLANTED)
    await connection.close()


def left_alone() -> None:
    """An engine that asks not to be looked at, and a file copied from one connection to another."""
    from sqlalchemy import create_engine

    from otelkit.server.config import TEMPORARY
    from otelkit.server.storage.database import Database

    with create_engine("sqlite://", execution_options={"otelkit.untraced": True}).begin() as connection:
        _work(connection)
    Database(TEMPORARY).close()
    source, target = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    source.backup(target)
    with source as same:
        assert same is source


def errors() -> None:
    """Errors quote what they were given: in spans of calls, of requests, in log lines."""
    import logging

    import psycopg
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["PG"].replace("ql://", "ql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (email text UNIQUE)"))
        connection.execute(text("INSERT INTO people VALUES (:e)"), {"e": PLANTED})

    def twice() -> None:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO people VALUES (:e)"), {"e": PLANTED})

    def unreadable() -> None:
        with psycopg.connect(os.environ["PG"]) as connection:
            connection.execute(f"SELECT '{PLANTED}'::int")

    def misspelt() -> None:
        sqlite3.connect(":memory:").execute(f"SELEC {PLANTED}")

    for fail in (twice, unreadable, misspelt):
        with contextlib.suppress(Exception), tracer.start_as_current_span(f"GET /{fail.__name__}"):
            try:
                fail()
            except Exception as error:
                logging.getLogger("shop").exception("could not save: %s", error)
                logging.getLogger("shop").error("could not save: %s", error)
                raise


def redis_calls() -> None:
    import redis
    import redis.asyncio

    client = redis.Redis.from_url(os.environ["REDIS"], max_connections=5)
    client.set(f"user:{PLANTED}", PLANTED)
    client.get(f"user:{PLANTED}")
    client.execute_command(f"HSET {PLANTED}", "a", PLANTED)
    client.config_get("maxmemory")
    with client.pipeline() as pipeline:
        pipeline.set(PLANTED, 1).incr(PLANTED).expire(PLANTED, 5).execute()
    client.blpop([f"{PLANTED}:queue"], timeout=1)
    with contextlib.suppress(redis.ResponseError):
        client.lpush(PLANTED, PLANTED)

    async def run() -> None:
        other = redis.asyncio.Redis.from_url(os.environ["REDIS"])
        await other.get(PLANTED)
        await other.aclose()

    asyncio.run(run())
    otelkit.flush()  # while the pools are there


def slow_and_repeated() -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["PG"].replace("ql://", "ql+psycopg://"))
    with tracer.start_as_current_span("GET /orders"), engine.begin() as connection:
        connection.execute(text("CREATE TABLE items (id int)"))
        for number in range(12):
            connection.execute(text(f"SELECT id FROM items WHERE id = {number}")).all()
    with tracer.start_as_current_span("GET /slow"), engine.begin() as connection:
        for seconds in (0.15, 0.16):
            connection.execute(text(f"SELECT pg_sleep({seconds}), '{PLANTED}'")).all()


def vectors() -> None:
    """A search by distance, which PostgreSQL's own points have as well, and sizes of indexes."""
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["PG"].replace("ql://", "ql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE places (spot point)"))
        connection.execute(text("INSERT INTO places SELECT point(n, n) FROM generate_series(1, 20) n"))
        nearest = "SELECT spot FROM places ORDER BY spot <-> point(7391846, 5) LIMIT 5"
        assert len(connection.execute(text(nearest)).all()) == 5
        connection.execute(text("SELECT spot <-> point(0, 0) FROM places LIMIT 1")).all()  # a distance, and no search

    def broken() -> int:
        raise OSError("away")

    otelkit.vector_index("handbook", 1200)
    otelkit.vector_index("asked", lambda: 7)
    otelkit.vector_index("unknown", lambda: None)
    otelkit.vector_index("broken", broken)


def pools() -> None:
    """Two connections in use of at most three, a third caller that waits in vain; the same for psycopg's own pool."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import TimeoutError as NoConnection

    url = os.environ["PG"]
    engine = create_engine(url.replace("ql://", "ql+psycopg://"), pool_size=1, max_overflow=1, pool_timeout=0.1)
    held = [engine.connect(), engine.connect()]
    with contextlib.suppress(NoConnection):
        engine.connect()
    held.pop().close()

    import psycopg_pool

    pool = psycopg_pool.ConnectionPool(url, min_size=1, max_size=1, timeout=10, name="own", open=True)
    with pool.connection():
        with contextlib.suppress(psycopg_pool.PoolTimeout):
            pool.getconn(timeout=0.1)
        time.sleep(0.05)
        otelkit.flush()
    asyncio.run(_asyncpg_pool(url))
    redis_calls()
    held.pop().close()


async def _asyncpg_pool(url: str) -> None:
    import asyncpg

    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        await connection.fetchval("SELECT 1")
        with contextlib.suppress(asyncio.TimeoutError):
            await pool.acquire(timeout=0.1)
        await asyncio.to_thread(otelkit.flush)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
    otelkit.flush()
    otelkit.shutdown()
