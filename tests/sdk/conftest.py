"""Spans of the code under test, as an ordinary OpenTelemetry SDK sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.sdk import context
from otelkit.sdk.processors import ContextProcessor
from otelkit.sdk.steps import State
from tests.postgres_support import PostgresServer, running_postgres
from tests.sdk.redis_support import RedisServer, running_redis

_exporter = InMemorySpanExporter()


@pytest.fixture(scope="session", autouse=True)
def tracing() -> None:
    """One provider for all tests of this folder: OpenTelemetry lets the global one be set once."""
    provider = TracerProvider()
    provider.add_span_processor(ContextProcessor())
    provider.add_span_processor(SimpleSpanProcessor(_exporter))
    trace.set_tracer_provider(provider)


@pytest.fixture(scope="session")
def logger_provider() -> LoggerProvider:
    """One provider of logs for all tests of this folder that look at records in this process."""
    provider = LoggerProvider(shutdown_on_exit=False)
    _logs.set_logger_provider(provider)
    return provider


@pytest.fixture
def spans() -> Iterator[Callable[[], list[ReadableSpan]]]:
    """The spans finished since the test began."""
    _exporter.clear()
    yield lambda: list(_exporter.get_finished_spans())
    _exporter.clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL, for the session."""
    yield from running_postgres()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Redis for all tests of this folder; ``redis`` is the same, empty."""
    yield from running_redis()


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """An empty Redis."""
    redis_server.empty()
    return redis_server


@pytest.fixture
def pseudonyms() -> Iterator[Pseudonymiser]:
    """Sessions on, with a known salt."""
    made = Pseudonymiser(b"salt of the tests")
    context.configure(made, "consent")
    yield made
    context.configure(None, "consent")


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content capture on."""
    monkeypatch.setattr(State, "capture_content", True)
