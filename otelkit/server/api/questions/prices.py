"""Prices: which are set, setting one, forgetting one."""

from __future__ import annotations

from typing import Any, Final

from otelkit.mapping.cost import Rates
from otelkit.server.api.asking import Ask, Order, caller
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json, NotFoundError
from otelkit.server.insights import prices as insight
from otelkit.server.repricing import stored_prices
from otelkit.server.storage import audit

__all__ = ["prices", "remove_price", "set_price"]

_LONGEST: Final = 200
_DEAREST: Final = 1e6  # dollars per million tokens; more is a slip of the keyboard


def prices(ask: Ask) -> Json:
    ask.params()
    return insight.prices(ask.connection, ask.context.repricing.prices)


def set_price(order: Order) -> Json:
    body = order.fields(("provider", "model", "free", *Rates._fields))
    if body.get("free") is True:
        rates = Rates(0.0, 0.0)
    else:
        rates = Rates(**{name: _dollars(name, body.get(name)) for name in Rates._fields})
    if rates.input is None:
        raise BadParameterError("input", "needed are US dollars per million input tokens, or free: true")
    key = _key(body)
    before = stored_prices(order.connection).get(key)
    order.context.repricing.set(order.connection, key, rates)
    _note(order, "price.set", key, before, rates)
    return insight.prices(order.connection, order.context.repricing.prices)


def remove_price(order: Order) -> Json:
    key = _key(order.fields(("provider", "model")))
    before = stored_prices(order.connection).get(key)
    if not order.context.repricing.remove(order.connection, key):
        raise NotFoundError("there is no such price")
    _note(order, "price.removed", key, before, None)
    return insight.prices(order.connection, order.context.repricing.prices)


def _note(order: Order, action: str, key: tuple[str, str], before: Rates | None, after: Rates | None) -> None:
    old, new = (rates._asdict() if rates is not None else None for rates in (before, after))
    audit.note(
        order.connection, action, actor=caller(order.context), target=f"price:{key[0]}/{key[1]}", before=old, after=new
    )


def _key(body: Json) -> tuple[str, str]:
    for name in ("provider", "model"):
        value = body.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or not value.isprintable():
            raise BadParameterError(name, f"needed is a printable text of at most {_LONGEST} characters; * means any")
    return body["provider"].strip(), body["model"].strip()


def _dollars(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _DEAREST:
        raise BadParameterError(name, f"needed is a number of US dollars per million tokens, 0 … {_DEAREST:.0f}")
    return float(value)
