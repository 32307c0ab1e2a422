"""Reading many rows without holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select

__all__ = ["chunks"]


def chunks(connection: Connection, query: Select[Any], key: Any, size: int) -> Iterator[list[Row[Any]]]:
    """Give the rows of a query by the order of a unique column, without holding them all."""
    last: int | None = None
    while True:
        more = query if last is None else query.where(key > last)
        rows = list(connection.execute(more.order_by(key).limit(size)).all())
        if not rows:
            return
        yield rows
        last = getattr(rows[-1], key.name)
