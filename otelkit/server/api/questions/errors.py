"""Errors: the list of groups, one of them; resolving and reopening it."""

from __future__ import annotations

import time
from typing import Final

from otelkit.mapping.failures import CATEGORIES
from otelkit.server.api.asking import Ask, Order, paged
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json, NotFoundError, found
from otelkit.server.insights.errors import SORTS, STATES, Wanted, error_group, list_groups
from otelkit.server.storage.errors import set_state

__all__ = ["group", "groups", "reopen", "resolve"]

_MOST_DIGITS: Final = 18


def groups(ask: Ask) -> Json:
    params = ask.params("state", "category", "q", "sort", "limit", "cursor", ranged=True)
    wanted = Wanted(params.choice("state", STATES), params.choice("category", CATEGORIES), params.text("q"))
    return paged(
        lambda: list_groups(
            ask.connection,
            ask.period(params),
            params.scope(),
            wanted,
            sort=params.choice("sort", SORTS) or "last",
            limit=params.integer("limit", 50, 1, 200),
            cursor=params.text("cursor"),
        )
    )


def group(ask: Ask) -> Json:
    params = ask.params("range", "from", "to")
    number = _number(ask.request.path_params["group"])
    return found(error_group(ask.connection, ask.period(params), number), "error")


def resolve(order: Order) -> Json:
    return _set(order, time.time_ns())


def reopen(order: Order) -> Json:
    return _set(order, None)


def _set(order: Order, resolved_at: int | None) -> Json:
    order.fields(())
    number = _number(order.request.path_params["group"])
    if not set_state(order.connection, number, resolved_at):
        raise NotFoundError("there is no such error")
    return {"id": number, "resolved": resolved_at / 1e6 if resolved_at is not None else None}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise BadParameterError("group", "not an error's number")
    return int(text)
