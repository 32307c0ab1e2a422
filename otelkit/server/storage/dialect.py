"""The seam between the store and the database product under it.

Tables and most queries are SQLAlchemy Core and the same everywhere. What a product does in its own way is a method
here, implemented by ``sqlite`` and ``postgres``; whoever holds a connection asks :func:`dialect_of` for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Engine, Table

from otelkit.errors import StorageError

__all__ = ["ENGINE_OPTION", "Dialect", "Row", "Write", "dialect_of"]

Row = tuple[Any, ...]
Write = Callable[[Connection, Sequence[Row]], int]
"""Writes whole rows, as plain tuples in the order of the table's columns, and returns how many rows that changed."""

K = TypeVar("K", bound=Row)
ENGINE_OPTION: Final = "otelkit_dialect"


class Dialect(Protocol):
    """An opened database of one product.

    ``location`` says where it is as people may read it, never with a password; ``notice`` is what its owner must be
    told about it, None for nothing.
    ``writer`` has a single connection, whose transactions exclude every other writer of the same database; ``reader``
    has a few, whose transactions see one moment.
    """

    location: str
    notice: str | None
    writer: Engine
    reader: Engine

    def create(self, connection: Connection) -> None:
        """Make the tables and indexes that are missing."""

    def back_up(self, name: str) -> Path | None:
        """Copy everything committed so far beside the original and return where; None where that is not our job."""

    def copy_to(self, target: Path) -> None:
        """Copy everything committed to a new file, also while a server writes.

        Raises:
            StorageError: that failed, or is not our job.
        """

    def compact(self) -> None:
        """Give back all the room that deleted rows left behind; nothing else may use the database meanwhile."""

    def sizes(self, connection: Connection) -> dict[str, int | None]:
        """Return the bytes on disk by table, its indexes included; None where that is not known."""

    def replace(self, error: BaseException) -> bool:
        """Where the error says that the database is damaged, set it aside and begin an empty one; say whether."""

    def insert(self, table: Table, *, ignore: bool = False) -> Write:
        """Return what inserts rows; with ``ignore`` a row whose key exists changes nothing."""

    def upsert(self, table: Table) -> Write:
        """Return what inserts rows or replaces the ones with the same primary key; a key may come once."""

    def add(self, table: Table) -> Write:
        """Return what inserts rows or adds them to the ones with the same primary key; a key may come once.

        NULL adds nothing, NULL + n is n, and bytes are packed counts (see ``buckets``).
        """

    def find_ids(self, connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[K]) -> dict[K, int]:
        """Return the ``id`` of each row whose unique ``columns`` are one of the keys; others are left out."""

    def existing_spans(self, connection: Connection, keys: Sequence[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
        """Return those of the (trace, span id) pairs that are stored."""

    def set_text(self, connection: Connection, table: str, changes: Sequence[tuple[int, str | None, str]]) -> None:
        """Index texts as (row id, text indexed before or None, text now)."""

    def matches(self, column: ColumnElement[int], table: str, words: Sequence[str]) -> ColumnElement[bool]:
        """Say that the row numbered by ``column`` has every word in its text; the last one may be unfinished."""

    def holds(self, column: ColumnElement[str], value: str) -> ColumnElement[bool]:
        """Say that a JSON list of strings has this value."""

    def taken_over(self, connection: Connection) -> bool:
        """Say whether another writer has written since this one did: what is remembered of its rows is out of date."""

    def size(self, connection: Connection) -> int:
        """Return the bytes on disk."""

    def used(self, connection: Connection) -> int:
        """Return the bytes on disk that hold something: what deleted rows leave behind is not counted."""

    def unused(self, connection: Connection) -> bool:
        """Say whether so much is left behind by deleted rows that :meth:`shrink` has something to do."""

    def shrink(self, connection: Connection) -> None:
        """Give a little of it back, in a few milliseconds."""

    def error(self, error: BaseException, doing: str) -> StorageError:
        """Say in our own terms what a driver's error means; the words never hold stored values."""

    def close(self) -> None:
        """Close every connection and let go of everything; may be called twice."""


def dialect_of(connection: Connection) -> Dialect:
    """Return the dialect whose engine made the connection."""
    return cast(Dialect, connection.get_execution_options()[ENGINE_OPTION])
