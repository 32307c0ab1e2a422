"""Prices set while the server runs, and what stored calls cost by them, worked out again.

A changed price asks for a recomputation, in the same transaction. It is done by the writer in small steps between
batches, each of which notes how far it came, so that a restart goes on there. A step looks at the spans of some traces,
corrects those whose cost is another now, and takes every sum that holds them along by the difference. Sums whose spans
have been deleted by age stay as they were.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.errors import OtelkitError
from otelkit.mapping.cost import Rates
from otelkit.mapping.providers import canonical_provider
from otelkit.model import Span
from otelkit.semconv.attributes import Operation
from otelkit.server.prices import Key, Prices
from otelkit.server.storage import schema
from otelkit.server.storage.costs import correct_costs
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.text import OTHER

__all__ = ["Repricing"]

Order = Callable[[Callable[[Connection], bool]], "Future[bool]"]

_log = logging.getLogger(__name__)
_STATE: Final = "repricing"
_TRACES: Final = 150  # of one step
_SHARE: Final = 0.5  # a step is followed by a pause of so many times its length, which senders have for themselves
_AGAIN: Final = 5.0  # seconds until a step that failed is tried again
_price: Final = schema.price.c


class Repricing:
    """Keeps prices in the store, in force, and in what is stored.

    ``cost_of`` says what a stored call costs by the prices in force; ``order`` has the writer do something in a
    transaction of its own.
    """

    def __init__(self, prices: Prices, cost_of: Callable[[Span], float | None], order: Order) -> None:
        self.prices = prices
        self._cost_of = cost_of
        self._order = order
        self._payloads = PayloadReader()
        self._pause = 0.0
        self._stopped = threading.Event()

    def load(self, connection: Connection) -> None:
        """Bring the stored prices in force."""
        self.prices.use(stored_prices(connection))

    def start(self) -> None:
        """Go on with a recomputation that a stop has interrupted."""
        self._go_on()

    def stop(self) -> None:
        """Begin no further step."""
        self._stopped.set()

    def set(self, connection: Connection, key: Key, rates: Rates) -> None:
        """Store a price inside the writer's transaction; it is in force, and stored calls follow, once that ends."""
        self._delete(connection, key)
        row = {"provider": key[0], "model": key[1], **rates._asdict(), "set_at": time.time_ns()}
        connection.execute(schema.price.insert().values(row))
        self._ask(connection, key)

    def remove(self, connection: Connection, key: Key) -> bool:
        """Forget a price inside the writer's transaction; False where none is set."""
        found = self._delete(connection, key)
        if found:
            self._ask(connection, key)
        return found

    def _delete(self, connection: Connection, key: Key) -> bool:
        same = (_price.provider == key[0], _price.model == key[1])
        return bool(connection.execute(schema.price.delete().where(*same)).rowcount)

    def _ask(self, connection: Connection, key: Key) -> None:
        state = read_state(connection) or {"keys": [], "changed": 0}
        keys = [*(known for known in state["keys"] if tuple(known) != key), list(key)]
        _write_state(connection, {"keys": keys, "changed": state["changed"], "next": 0, "last": None})
        self._go_on()

    def _go_on(self) -> None:
        if self._stopped.is_set():
            return
        try:
            self._order(self._step).add_done_callback(self._stepped)
        except OtelkitError:  # the server is stopping: the next start goes on
            return

    def _stepped(self, future: Future[bool]) -> None:
        error = future.exception()
        if error is not None:
            _log.warning("working out costs again was interrupted (%s); it goes on", type(error).__name__)
            self._after(_AGAIN)
        elif future.result():
            self._after(self._pause)

    def _after(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._go_on)
        timer.daemon = True
        timer.start()

    def _step(self, connection: Connection) -> bool:
        """Do some of what is asked for; True while there is more."""
        began = time.perf_counter()
        state = read_state(connection)
        if state is None:
            return False
        if state["last"] is None:  # asked for since the last step
            self.load(connection)
            state["last"] = connection.execute(select(func.max(schema.trace.c.id))).scalar() or 0
        first, upto = state["next"] + 1, min(state["next"] + _TRACES, state["last"])
        series = _affected(connection, [tuple(key) for key in state["keys"]])
        if series and first <= upto:
            state["changed"] += correct_costs(connection, self._payloads, self._cost_of, series, first, upto)
        state["next"] = upto
        more = bool(series) and upto < state["last"]
        _write_state(connection, state if more else None)
        self._pause = (time.perf_counter() - began) * _SHARE
        return more


def stored_prices(connection: Connection) -> dict[Key, Rates]:
    """Return the prices that were set."""
    rows = connection.execute(select(schema.price))
    return {(row.provider, row.model): Rates(*(getattr(row, name) for name in Rates._fields)) for row in rows}


def read_state(connection: Connection) -> dict[str, Any] | None:
    """Return what the running recomputation has noted, None while none runs."""
    query = select(schema.meta.c.value).where(schema.meta.c.key == _STATE)
    found = connection.execute(query).scalar()
    return json.loads(found) if found is not None else None


def _write_state(connection: Connection, state: dict[str, Any] | None) -> None:
    connection.execute(schema.meta.delete().where(schema.meta.c.key == _STATE))
    if state is not None:
        connection.execute(schema.meta.insert().values(key=_STATE, value=json.dumps(state)))


def _affected(connection: Connection, keys: list[Any]) -> list[int]:
    """Return the series of calls whose price may be another now."""
    table = schema.series.c
    calls = table.operation.in_([*Operation.INFERENCE, Operation.EMBEDDINGS])
    rows = connection.execute(select(table.id, table.provider, table.model).where(calls))
    return [row.id for row in rows if any(_meant(key, row.provider, row.model) for key in keys)]


def _meant(key: Key, provider: str, model: str) -> bool:
    provider_fits = key[0] == "*" or canonical_provider(key[0]) == canonical_provider(provider)
    return provider_fits and (key[1] in ("*", model) or model == OTHER or len(model) >= 200)
