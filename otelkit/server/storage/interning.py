"""Row ids for strings that repeat: each distinct key is stored once and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, Table, func, select

from otelkit.server.storage.dialect import dialect_of

__all__ = ["Interned"]

K = TypeVar("K", bound=tuple[Any, ...])
_REMEMBERED: Final = 50_000


class Interned(Generic[K]):
    """Ids of the rows of a table whose columns are ``id`` followed by the key's parts; for the one writer thread.

    After a rolled-back transaction :meth:`forget` must be called, because ids given in it do not exist.
    """

    def __init__(self, connection: Connection, table: Table) -> None:
        self._table = table
        self._key = [column for column in table.columns if column.name != "id"]
        self._insert = dialect_of(connection).insert(table)
        self._next = (connection.execute(select(func.max(table.c.id))).scalar() or 0) + 1
        self._known: dict[K, int] = {}

    @property
    def count(self) -> int:
        """How many rows there are, at most."""
        return self._next - 1

    def ids(self, connection: Connection, keys: Iterable[K]) -> dict[K, int]:
        """Return the id of each key, making rows for new ones."""
        known = self._known
        wanted = dict.fromkeys(keys)
        missing = [key for key in wanted if key not in known]
        if missing:
            if len(known) + len(missing) > _REMEMBERED:
                known.clear()
                missing = list(wanted)
            self._find_or_make(connection, missing)
        return {key: known[key] for key in wanted}

    def admitted(self, connection: Connection, keys: Iterable[K], most: int, other: Callable[[K], K]) -> dict[K, K]:
        """Return what each key is kept as: itself, or ``other`` of it when there are ``most`` already and it is new.

        Names made of data would otherwise make a row each, in every table of sums.
        """
        wanted = dict.fromkeys(keys)
        if self.count < most:
            return {key: key for key in wanted}
        known = self._known_of(connection, wanted)
        return {key: key if key in known else other(key) for key in wanted}

    def _known_of(self, connection: Connection, wanted: dict[K, None]) -> set[K]:
        missing = [key for key in wanted if key not in self._known]
        if len(self._known) + len(missing) > _REMEMBERED:
            self._known.clear()
            missing = list(wanted)
        columns = [column.name for column in self._key]
        self._known.update(dialect_of(connection).find_ids(connection, self._table, columns, missing))
        return {key for key in wanted if key in self._known}

    def forget(self, connection: Connection) -> None:
        """Drop what is remembered and read the highest id again."""
        self._known.clear()
        self._next = (connection.execute(select(func.max(self._table.c.id))).scalar() or 0) + 1

    def _find_or_make(self, connection: Connection, missing: list[K]) -> None:
        columns = [column.name for column in self._key]
        self._known.update(dialect_of(connection).find_ids(connection, self._table, columns, missing))
        rows = []
        for key in missing:
            if key not in self._known:
                self._known[key] = self._next
                rows.append((self._next, *key))
                self._next += 1
        self._insert(connection, rows)
