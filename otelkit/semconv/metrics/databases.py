"""Databases, caches and vector stores, as the service sees them."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Core, Database, GenAI
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["DatabaseMetrics"]

_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_CALL: Final = (Core.DB_SYSTEM, Database.OPERATION, Database.COLLECTION)
_POOL: Final = (Database.POOL_NAME, Core.DB_SYSTEM)


class DatabaseMetrics:
    """Calls, slow and repeated ones, connection pools, vector search."""

    DURATION: Final = MetricDef(
        "db.client.operation.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one database call.",
        (*_CALL, Core.ERROR_TYPE),
        _SECONDS,
    )
    SLOW: Final = MetricDef(
        "otelkit.db.slow_queries",
        Instrument.COUNTER,
        "{query}",
        "Database calls that took longer than OTELKIT_SLOW_QUERY_SECONDS.",
        _CALL,
    )
    REPEATED: Final = MetricDef(
        "otelkit.db.repeated_queries",
        Instrument.COUNTER,
        "{request}",
        "Requests that ran one statement OTELKIT_REPEATED_QUERIES times or more (N+1).",
        (Core.HTTP_ROUTE,),
    )
    CONNECTIONS: Final = MetricDef(
        "db.client.connection.count",
        Instrument.UP_DOWN_COUNTER,
        "{connection}",
        "Connections of a pool by state: idle or used.",
        (*_POOL, Database.CONNECTION_STATE),
    )
    CONNECTIONS_MAX: Final = MetricDef(
        "db.client.connection.max",
        Instrument.UP_DOWN_COUNTER,
        "{connection}",
        "Connections a pool may open; absent where it sets no limit.",
        _POOL,
    )
    PENDING: Final = MetricDef(
        "db.client.connection.pending_requests",
        Instrument.UP_DOWN_COUNTER,
        "{request}",
        "Callers that wait for a connection of the pool now.",
        _POOL,
    )
    TIMEOUTS: Final = MetricDef(
        "db.client.connection.timeouts",
        Instrument.COUNTER,
        "{timeout}",
        "Callers that got no connection of the pool in time.",
        _POOL,
    )
    WAIT_TIME: Final = MetricDef(
        "db.client.connection.wait_time",
        Instrument.HISTOGRAM,
        "s",
        "Time until the pool gave a connection, opening one included.",
        _POOL,
        _SECONDS,
    )
    USE_TIME: Final = MetricDef(
        "db.client.connection.use_time",
        Instrument.HISTOGRAM,
        "s",
        "Time between taking a connection and giving it back.",
        _POOL,
        _SECONDS,
    )
    CREATE_TIME: Final = MetricDef(
        "db.client.connection.create_time",
        Instrument.HISTOGRAM,
        "s",
        "Time to open a connection.",
        _POOL,
        _SECONDS,
    )
    VECTOR_SEARCH: Final = MetricDef(
        "otelkit.vector.search.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one vector search in a database, by the statement's distance operator (pgvector).",
        (Core.DB_SYSTEM, Database.COLLECTION),
        _SECONDS,
    )
    VECTOR_RESULTS: Final = MetricDef(
        "otelkit.vector.search.results",
        Instrument.HISTOGRAM,
        "{document}",
        "Rows a vector search gave back, where the driver says so.",
        (Core.DB_SYSTEM, Database.COLLECTION),
        (0.0, 1.0, 5.0, 10.0, 20.0, 50.0),
    )
    VECTOR_INDEX: Final = MetricDef(
        "otelkit.vector.index.size",
        Instrument.GAUGE,
        "{vector}",
        "Vectors in an index, as otelkit.vector_index was told.",
        (GenAI.DATA_SOURCE_ID,),
    )
