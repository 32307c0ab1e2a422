"""Taking out one environment of some services, sums included: made-up data must not stay in anybody's figures."""

from __future__ import annotations

from sqlalchemy import Connection, Select, Table, delete, select

from otelkit.server.storage import schema
from otelkit.server.storage.deletion import delete_error_groups, delete_logs, delete_traces
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["delete_records", "delete_sums"]


def delete_records(connection: Connection, environment: str, services: str, limit: int) -> dict[str, int]:
    """Delete about ``limit`` of the environment's spans and logs; return how many of each kind went, {} at the end.

    ``services`` is how the names of its services begin: what shares the environment's name alone is somebody's own.
    """
    blocks = PayloadReader()
    inside = (schema.trace.c.environment == environment, schema.trace.c.service.startswith(services, autoescape=True))
    spans, traces = delete_traces(connection, inside[0] & inside[1], limit, blocks)
    series = _series(schema.log_series, environment, services)
    logs = delete_logs(connection, schema.log.c.series.in_(series), limit, blocks)
    gone = {name: count for name, count in (("spans", spans), ("traces", traces), ("logs", logs)) if count}
    dialect_of(connection).add(schema.tally)(connection, [(name, -count) for name, count in gone.items()])
    return gone


def delete_sums(connection: Connection, environment: str, services: str, people: str) -> None:
    """Delete the environment's sums, and those of the users whose ids begin with ``people``."""
    steps = _series(schema.series, environment, services)
    for table in (*schema.ROLL.values(), *schema.HIST.values()):
        connection.execute(delete(table).where(table.c.series.in_(steps)))
    for table in schema.LOGS.values():
        series = _series(schema.log_series, environment, services)
        connection.execute(delete(table).where(table.c.series.in_(series)))
    for table in schema.KIND.values():
        inside = (table.c.environment == environment, table.c.service.startswith(services, autoescape=True))
        connection.execute(delete(table).where(*inside))
    errors = connection.execute(_series(schema.error_group, environment, services)).all()
    delete_error_groups(connection, [row[0] for row in errors])
    theirs = select(schema.actor.c.id).where(schema.actor.c.user.startswith(people, autoescape=True))
    connection.execute(delete(schema.actor_hour).where(schema.actor_hour.c.actor.in_(theirs)))


def _series(table: Table, environment: str, services: str) -> Select[tuple[int]]:
    inside = (table.c.environment == environment, table.c.service.startswith(services, autoescape=True))
    return select(table.c.id).where(*inside)
