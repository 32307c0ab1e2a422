"""Databases, as a service uses them: real PostgreSQL, SQLite and Redis, and what arrives at an OTLP endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otelkit.mapping import databases
from otelkit.model import Span
from otelkit.testing.otlp_sink import OtlpSink
from tests.postgres_support import PostgresServer
from tests.sdk.redis_support import RedisServer

HERE = Path(__file__).parent
PLANTED = "Xq7planted"  # as in database_calls, which starts telemetry where it is imported
Run = Callable[..., OtlpSink]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run named calls of ``database_calls`` in a fresh process and return what it sent."""
    with OtlpSink() as sink:

        def act(*names: str, **environment: str) -> OtlpSink:
            told = {**os.environ, "OTELKIT_ENDPOINT": sink.address, "OTELKIT_SALT": "salt of the tests", **environment}
            done = subprocess.run(
                [sys.executable, str(HERE / "database_calls.py"), *names],
                env=told, cwd=tmp_path, capture_output=True, text=True, timeout=40, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "internal error" not in done.stderr, done.stderr
            return sink

        yield act
        for record in (*sink.spans, *sink.logs, *sink.points):
            shown = str(record)
            assert PLANTED not in shown, shown[max(0, shown.find(PLANTED) - 300) :][:500]
            assert "7391846" not in str(record)


def calls(sink: OtlpSink) -> list[Span]:
    return [span for span in sink.spans if "db.system.name" in span.attributes]


def names(sink: OtlpSink) -> Counter[str]:
    return Counter(span.name for span in calls(sink))


STATEMENTS = Counter(["CREATE users", "INSERT users", "SELECT users"])


@pytest.mark.parametrize("engine", ["sync_engine", "aiosqlite_engine"])
def test_one_span_a_statement_on_sqlite(run: Run, engine: str) -> None:
    sink = run(engine)
    assert names(sink) == STATEMENTS
    request = sink.span("GET /users")
    assert {span.parent_id for span in calls(sink)} == {request.span_id}
    select = sink.span("SELECT users").attributes
    assert select["db.system.name"] == "sqlite"
    assert select["db.query.text"] == "SELECT id FROM users WHERE email = ? AND id IN (?)"
    assert (select["db.operation.name"], select["db.collection.name"]) == ("SELECT", "users")
    assert "db.statement" not in select
    assert request.attributes["otelkit.db.calls"] == 3


@pytest.mark.parametrize("engine", ["asyncpg_engine", "psycopg_engine"])
def test_one_span_a_statement_on_postgres(run: Run, engine: str, postgres: PostgresServer) -> None:
    sink = run(engine, PG=postgres.new_database())
    found = names(sink)
    found.pop("COMMIT", None)  # which asyncpg sends as a statement
    assert found == STATEMENTS + Counter(["SELECT"])  # the last one is cancelled
    assert {span.attributes["db.system.name"] for span in calls(sink)} == {"postgresql"}
    assert {span.parent_id for span in calls(sink)} == {sink.span("GET /users").span_id}


def test_engines_from_before_and_views_of_them(run: Run, postgres: PostgresServer) -> None:
    sink = run("early", PG=postgres.new_database())
    assert names(sink) == STATEMENTS + Counter(["SELECT users"])


def test_drivers_alone(run: Run, postgres: PostgresServer) -> None:
    sink = run("drivers", PG=postgres.new_database())
    assert names(sink) == Counter(
        ["CREATE things", "INSERT things", "SELECT things", "CREATE lite", "INSERT lite", "SELECT lite"]
    )
    by_operation = {
        (str(p.attributes["db.operation.name"]), str(p.attributes["db.collection.name"])): p.samples
        for p in sink.latest("db.client.operation.duration")
    }
    assert by_operation[("SELECT", "lite")] == by_operation[("INSERT", "things")] == 1
    assert all("db.namespace" not in p.attributes for p in sink.latest("db.client.operation.duration"))


def test_what_asks_for_it_is_left_alone_and_files_can_be_copied(run: Run) -> None:
    assert not names(run("left_alone"))


def test_errors_by_type_and_never_what_they_quote(run: Run, postgres: PostgresServer) -> None:
    sink = run("errors", PG=postgres.new_database())
    failed = {span.name: span for span in calls(sink) if span.status == 2}
    assert failed["INSERT people"].attributes["error.type"] == "UniqueViolation"
    assert failed["INSERT people"].attributes["db.response.status_code"] == "23505"
    assert failed["SELECT"].attributes["error.type"] == "InvalidTextRepresentation"
    assert "OperationalError" in {span.attributes["error.type"] for span in failed.values()}
    assert {span.status_message for span in failed.values()} == {""}
    lines = [str(record.body) for record in sink.logs]
    assert any("UNIQUE" in line or "unique constraint" in line for line in lines), lines
    errors = {str(p.attributes.get("error.type")) for p in sink.latest("db.client.operation.duration")}
    assert errors >= {"UniqueViolation", "InvalidTextRepresentation", "None"}


def test_redis_by_the_commands_name(run: Run, redis_server: RedisServer) -> None:
    redis_server.empty()
    sink = run("redis_calls", REDIS=redis_server.url(), OTELKIT_SLOW_QUERY_SECONDS="0.3")
    found = names(sink)
    assert found >= Counter(["SET", "GET", "GET", "HSET", "CONFIG GET", "PIPELINE", "BLPOP", "LPUSH"]), found
    pipeline = sink.span("PIPELINE").attributes
    assert pipeline["db.query.text"] == "PIPELINE SET INCRBY EXPIRE"
    assert pipeline["db.operation.batch.size"] == 3
    assert sink.span("SET").attributes["db.query.text"] == "SET"
    assert sink.span("LPUSH").attributes["error.type"] == "ResponseError"
    assert not [record for record in sink.logs if record.event_name == "db.query.slow"]  # BLPOP waits, and may


def test_slow_and_repeated_statements_are_told(run: Run, postgres: PostgresServer) -> None:
    sink = run("slow_and_repeated", PG=postgres.new_database(), OTELKIT_SLOW_QUERY_SECONDS="0.1")
    (slow,) = [record for record in sink.logs if record.event_name == "db.query.slow"]  # the second is not told
    assert slow.attributes["db.query.text"] == "SELECT pg_sleep(?), ?"
    assert 0.15 <= float(str(slow.attributes["otelkit.db.duration"])) < 1
    assert slow.trace_id == sink.span("GET /slow").trace_id
    (count,) = [p.value for p in sink.latest("otelkit.db.slow_queries") if "db.collection.name" not in p.attributes]
    assert count == 2

    (repeated,) = [record for record in sink.logs if record.event_name == "db.query.repeated"]
    request = sink.span("GET /orders")
    assert repeated.trace_id == request.trace_id
    assert repeated.attributes["otelkit.db.repeated.count"] == request.attributes["otelkit.db.repeated.count"] == 12
    assert request.attributes["otelkit.db.repeated.summary"] == "SELECT items"
    assert request.attributes["otelkit.db.calls"] == 13
    assert "otelkit.db.repeated.count" not in sink.span("GET /slow").attributes
    (point,) = sink.latest("otelkit.db.repeated_queries")
    assert point.value == 1


def test_vector_searches_and_sizes_of_indexes(run: Run, postgres: PostgresServer) -> None:
    sink = run("vectors", PG=postgres.new_database())
    (search,) = sink.latest("otelkit.vector.search.duration")
    assert search.samples == 1
    assert search.attributes == {"db.system.name": "postgresql", "db.collection.name": "places"}
    (found,) = sink.latest("otelkit.vector.search.results")
    assert (found.samples, found.total) == (1, 5)
    sizes = {str(p.attributes["gen_ai.data_source.id"]): p.value for p in sink.latest("otelkit.vector.index.size")}
    assert sizes == {"handbook": 1200, "asked": 7}


def test_pools_as_they_stand(run: Run, postgres: PostgresServer, redis_server: RedisServer) -> None:
    url = postgres.new_database()
    redis_server.empty()
    sink = run("pools", PG=url, REDIS=redis_server.url())
    name = f"postgresql/{url.rpartition('/')[2]}"
    counts = {
        (str(p.attributes["db.client.connection.pool.name"]), str(p.attributes["db.client.connection.state"]), p.value)
        for p in sink.points
        if p.name == "db.client.connection.count"
    }
    assert counts >= {(name, "used", 1), (name, "idle", 1), ("own", "used", 1), ("asyncpg", "used", 1)}, counts
    assert any(pool.startswith("redis/") for pool, _, _ in counts)

    def latest(metric: str) -> dict[str, float | None]:
        return {str(p.attributes["db.client.connection.pool.name"]): p.value for p in sink.latest(metric)}

    assert latest("db.client.connection.max") == {name: 2, "own": 1, "asyncpg": 1, "redis/0": 5}
    assert latest("db.client.connection.timeouts") == {name: 1, "own": 1, "asyncpg": 1, "redis/0": 0}
    samples = {
        (p.name.rpartition(".")[2], str(p.attributes["db.client.connection.pool.name"])): p.samples
        for metric in ("wait_time", "use_time", "create_time")
        for p in sink.latest(f"db.client.connection.{metric}")
    }
    assert samples[("wait_time", name)] == 2
    assert samples[("use_time", name)] == 2
    assert samples[("create_time", name)] == 2
    assert samples[("use_time", "own")] == 1


@pytest.mark.parametrize("key", ["db.statement", "db.query.text"])
@pytest.mark.parametrize("system", [{}, {"db.system": ""}, {"db.system": 5}])
def test_a_statement_without_its_product_loses_its_values_too(key: str, system: dict[str, str]) -> None:
    select = normalised(f"SELECT * FROM t WHERE a = '{PLANTED}'", key, system)
    assert (select.name, select.attributes["db.query.text"]) == ("SELECT t", "SELECT * FROM t WHERE a = ?")
    assert select.attributes["db.system.name"] == "other_sql"
    command = normalised(f"SET {PLANTED} {PLANTED}", key, system)  # which only looks like SQL
    assert command.name == "db"
    for span in (select, command):
        assert PLANTED not in str(span)
        assert databases.normalise(span) == span


def normalised(statement: str, key: str, system: dict[str, str]) -> Span:
    said = {"db.sql.parameters": PLANTED, "db.vector.query": PLANTED, key: statement, **system}
    return databases.normalise(Span(b"1" * 16, b"1" * 8, b"", statement, 3, 1, 2, attributes=said))


def test_a_span_of_something_else_stays_the_same_object() -> None:
    span = Span(b"1" * 16, b"1" * 8, b"", "GET /", 2, 1, 2, attributes={"http.route": "/", "url.path": "/"})
    assert databases.normalise(span) is span
