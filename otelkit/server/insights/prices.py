"""The prices that were set, those of the file, and how far the recomputation of what is stored has come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from otelkit.mapping.cost import Rates
from otelkit.server.prices import Prices
from otelkit.server.repricing import read_state
from otelkit.server.storage import schema

__all__ = ["prices"]


def prices(connection: Connection, in_force: Prices) -> dict[str, Any]:
    """Return prices in US dollars per million tokens, and the state of the recomputation or None."""
    table = schema.price.c
    rows = connection.execute(select(schema.price).order_by(table.model, table.provider)).all()
    listed = [_shown(row.provider, row.model, row, "page", row.set_at / 1e6) for row in rows]
    of_page = {(row.provider, row.model) for row in rows}
    for key, rates in sorted(in_force.file.items()):
        listed.append({**_shown(*key, rates, "file", None), "overridden": key in of_page})
    state = read_state(connection)
    return {
        "prices": listed,
        "free_providers": list(in_force.free_providers),
        "recomputation": {
            "done": state["next"] / state["last"] if state["last"] else 0.0,
            "changed_calls": state["changed"],
        }
        if state is not None
        else None,
    }


def _shown(provider: str, model: str, rates: Any, source: str, set_at: float | None) -> dict[str, Any]:
    values = {name: getattr(rates, name) for name in Rates._fields}
    free = values["input"] == 0 and not any(values.values())
    shown = {"provider": provider, "model": model, **values, "free": free, "source": source, "set_at": set_at}
    return {**shown, "overridden": False}
