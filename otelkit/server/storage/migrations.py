"""Bringing a store of an earlier version forward, in one transaction: it is as it was, or as it should be.

Whoever changes the tables raises ``schema.SCHEMA_VERSION`` and adds what must be done to :data:`STEPS`. New tables and
indexes are made without a step, and indexes that the schema no longer has are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from otelkit.errors import StorageError
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import Dialect, dialect_of

__all__ = ["STEPS", "check", "prepare"]

_log = logging.getLogger(__name__)


def _nothing(_: Connection) -> None:
    """Blocks of the first version are read as they are (see ``payloads``)."""


STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {2: _nothing}
"""What leads to each version from the one before."""


def prepare(connection: Connection) -> None:
    """Make the tables of an empty store, or bring an earlier one forward after keeping a copy of it.

    Raises:
        StorageError: it is newer than this program, not a store, or could not be copied first.
    """
    dialect = dialect_of(connection)
    found = _version(connection, dialect)
    if found == schema.SCHEMA_VERSION:
        return
    if found is not None and found > schema.SCHEMA_VERSION:
        raise StorageError(f"{dialect.location} was written by a newer otelkit (schema {found}): upgrade otelkit")
    if found is not None:
        _forward(connection, dialect, found)
    dialect.create(connection)
    connection.execute(schema.meta.delete().where(schema.meta.c.key == "schema"))
    connection.execute(schema.meta.insert().values(key="schema", value=str(schema.SCHEMA_VERSION)))


def check(connection: Connection) -> None:
    """Raise StorageError for what is no store of this version."""
    dialect = dialect_of(connection)
    found = _version(connection, dialect)
    if found is None:
        raise StorageError(f"{dialect.location} holds no telemetry yet")
    if found != schema.SCHEMA_VERSION:
        what = "run `otelkit serve` once to bring it forward" if found < schema.SCHEMA_VERSION else "upgrade otelkit"
        raise StorageError(f"{dialect.location} has schema {found}, this is {schema.SCHEMA_VERSION}: {what}")


def _version(connection: Connection, dialect: Dialect) -> int | None:
    """Return the version of the store, None where there is none yet."""
    tables = set(inspect(connection).get_table_names())
    if "meta" in tables:
        found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "schema")).scalar()
        if found is not None:
            return int(found)
    # A file is for one program; a database on a server may hold others' tables, as long as their names are not ours.
    foreign = tables if connection.dialect.name == "sqlite" else tables & set(schema.metadata.tables)
    if foreign:
        raise StorageError(
            f"{dialect.location} holds tables of another program ({', '.join(sorted(foreign))}): choose another place"
        )
    return None


def _forward(connection: Connection, dialect: Dialect, found: int) -> None:
    copy = dialect.back_up(f"v{found}")
    try:
        for version in range(found + 1, schema.SCHEMA_VERSION + 1):
            STEPS[version](connection)
        _bring_indexes_forward(connection)
    except BaseException:
        if copy is not None:
            copy.unlink()  # the original stays as it is
        raise
    kept = f"; the file as it was is {copy}" if copy is not None else ""
    _log.warning("%s brought forward from schema %d to %d%s", dialect.location, found, schema.SCHEMA_VERSION, kept)


def _bring_indexes_forward(connection: Connection) -> None:
    present = inspect(connection)
    names = set(present.get_table_names())
    for table in schema.metadata.tables.values():
        if table.name not in names:
            continue
        wanted = {str(index.name): index for index in table.indexes}
        found = [index for index in present.get_indexes(table.name) if "duplicates_constraint" not in index]
        there = {str(index["name"]) for index in found}
        for name in there - set(wanted):
            connection.execute(text(f'DROP INDEX "{name}"'))
        for name in set(wanted) - there:
            wanted[name].create(connection)  # or not, where it is for another product
