"""SQLAlchemy, sync and async: one span a statement, whatever driver is below; pools; no engine is missed.

An engine is found where it connects: those made before ``otelkit.init``, or by a name imported before it, too. While a
statement runs, the driver's own instrumentation is quiet, for it would record the same call again.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final

import sqlalchemy
import sqlalchemy.engine.create
import sqlalchemy.ext.asyncio
import wrapt
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.instrumentation.utils import suppress_instrumentation, unwrap
from opentelemetry.metrics import NoOpMeterProvider
from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.databases.pools import Levels, Pools
from otelkit.semconv.attributes import Core, Database, Otelkit

__all__ = ["watch"]

_OPENED: Final = "otelkit.opened"  # in a connection's record: when its opening began
_engines: Final[weakref.WeakSet[Engine]] = weakref.WeakSet()
_SYSTEMS: Final = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}


class _State:
    tracer: trace.Tracer | None = None  # None where the application instruments SQLAlchemy itself


def watch() -> None:
    """Look at every engine of this process from its next connection on."""
    instrumentor = SQLAlchemyInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        # Of it only the engine's tracer is used, which works with later versions than it admits (tests run 2.1): what
        # it wraps misses engines, and adds a span for each checkout.
        instrumentor.instrument(skip_dep_check=True)
        for owner, name in (
            *((module, "create_engine") for module in (sqlalchemy, sqlalchemy.engine, sqlalchemy.engine.create)),
            (sqlalchemy.ext.asyncio, "create_async_engine"),
            (Engine, "connect"),
        ):
            unwrap(owner, name)
        _State.tracer = trace.get_tracer("opentelemetry.instrumentation.sqlalchemy")
    wrapt.wrap_function_wrapper(Engine, "raw_connection", _raw_connection)


def _raw_connection(wrapped: Callable[..., Any], engine: Any, args: Any, kwargs: Any) -> Any:
    """Around each checkout; what a driver asks on a new connection is no call of the application."""
    root = engine
    while (proxied := getattr(root, "_proxied", None)) is not None:  # engine.execution_options(…)
        root = proxied
    with guard:
        if root not in _engines:
            _engines.add(root)
            _adopt(root)
    with Pools.waiting(root, (PoolTimeoutError,)), suppress_instrumentation():
        return wrapped(*args, **kwargs)


def _adopt(engine: Engine) -> None:
    untraced = bool(engine.get_execution_options().get(Otelkit.UNTRACED))
    if not untraced:
        # Before the tracer's own listeners, which end the span.
        event.listen(engine, "handle_error", _name_error)
        event.listen(engine, "after_cursor_execute", _count_rows)
        if _State.tracer is not None:
            counter = NoOpMeterProvider().get_meter("otelkit").create_up_down_counter("unused")
            EngineTracer(_State.tracer, engine, counter)  # type: ignore[no-untyped-call]
        _watch_pool(engine)
    event.listen(engine, "before_cursor_execute", _quiet_driver)
    event.listen(engine, "after_cursor_execute", _driver_done)
    event.listen(engine, "handle_error", _driver_failed)


# --- one span a statement


def _quiet_driver(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    if context is not None:
        quiet = otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True)
        context._otelkit_token = otel_context.attach(quiet)


def _driver_done(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    _speak_again(context)


def _driver_failed(failure: Any) -> None:
    _speak_again(failure.execution_context)


def _speak_again(context: Any) -> None:
    token = getattr(context, "_otelkit_token", None)
    if token is not None:
        context._otelkit_token = None
        otel_context.detach(token)


def _span(context: Any) -> trace.Span | None:
    """Where the tracer keeps a statement's span."""
    return getattr(context, "_otel_span", None)


def _name_error(failure: Any) -> None:
    span, error = _span(failure.execution_context), failure.original_exception
    if span is not None:
        with guard:
            span.set_attribute(Core.ERROR_TYPE, type(error).__name__)
            state = getattr(error, "sqlstate", None)
            if isinstance(state, str):
                span.set_attribute(Database.RESPONSE_STATUS, state)


def _count_rows(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    span = _span(context)
    if span is not None:
        with guard:
            rows = cursor.rowcount if cursor.description else None
            if isinstance(rows, int) and rows >= 0:
                span.set_attribute(Database.RETURNED_ROWS, rows)


# --- pools


def _watch_pool(engine: Engine) -> None:
    if not isinstance(engine.pool, QueuePool):
        return  # the others keep no connections that callers could wait for
    system = _SYSTEMS.get(engine.dialect.name, engine.dialect.name)
    Pools.add(engine, _name(engine), system, _levels)
    reference = weakref.ref(engine)  # listeners live as long as the pool, which lives as long as its engine
    event.listen(engine, "do_connect", _opening)
    event.listen(engine, "connect", lambda _, record: _opened(reference, record))
    event.listen(engine, "checkout", lambda _, record, __: Pools.taken(record))
    event.listen(engine, "checkin", lambda _, record: Pools.returned(reference(), record))


def _name(engine: Engine) -> str:
    """Product and database; no address, which is not the metric's business."""
    database = engine.url.database or ""
    shown = PurePath(database).name if engine.dialect.name == "sqlite" else database
    return engine.pool.logging_name or f"{engine.dialect.name}/{shown}"


def _levels(engine: Engine) -> Levels:
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return Levels()
    overflow = getattr(pool, "_max_overflow", None)  # said nowhere else; -1 is no limit
    limited = isinstance(overflow, int) and overflow >= 0 and pool.size() > 0
    most = pool.size() + overflow if limited and overflow is not None else None
    return Levels(pool.checkedout(), pool.checkedin(), most)


def _opening(dialect: Any, record: Any, args: Any, kwargs: Any) -> None:
    if record is not None:
        record.info[_OPENED] = time.perf_counter()


def _opened(reference: weakref.ref[Engine], record: Any) -> None:
    began, engine = record.info.pop(_OPENED, None), reference()
    if began is not None and engine is not None:
        Pools.created(engine, time.perf_counter() - began)
