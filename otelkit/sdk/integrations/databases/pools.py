"""Connection pools: what they tell when metrics are collected, and how long callers wait for and keep a connection.

Pools are held weakly; several with one name are reported as one.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otelkit.mapping.metrics import Measurement
from otelkit.sdk.guard import guard
from otelkit.sdk.instruments import Instruments
from otelkit.semconv.attributes import Core, Database
from otelkit.semconv.metrics import DatabaseMetrics, MetricDef

__all__ = ["Levels", "Pools"]

_MOST_POOLS: Final = 100
_LONGEST_NAME: Final = 100
_MOST_TAKEN: Final = 10_000


class Levels(NamedTuple):
    """How a pool stands; None for what it does not tell."""

    used: int | None = None
    idle: int | None = None
    most: int | None = None
    pending: int | None = None


def _reference(owner: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(owner)
    except TypeError:  # asyncpg's; it says itself when it is closed
        return lambda: owner


class _Pool:
    """One watched pool."""

    __slots__ = ("labels", "read", "reference", "waiting")

    def __init__(self, owner: Any, name: str, system: str, read: Callable[[Any], Levels | None]) -> None:
        self.reference = _reference(owner)
        self.labels = {Database.POOL_NAME: name[:_LONGEST_NAME], Core.DB_SYSTEM: system}
        self.read = read
        self.waiting = 0


class Pools:
    """The pools of this process."""

    _known: ClassVar[dict[int, _Pool]] = {}  # by the owner's id
    _taken: ClassVar[dict[int, float]] = {}  # connection in use → since when; not all can be held weakly
    _lock = threading.Lock()
    _instruments: Instruments | None = None

    @classmethod
    def report_to(cls, meter: Meter, instruments: Instruments) -> None:
        """Report to these instruments from now on; a forked child has its own."""
        cls._lock = threading.Lock()
        cls._instruments = instruments
        for pool in cls._known.values():
            pool.waiting = 0
        for entry, read in (
            (DatabaseMetrics.CONNECTIONS, cls._connections),
            (DatabaseMetrics.CONNECTIONS_MAX, cls._most),
            (DatabaseMetrics.PENDING, cls._pending),
        ):
            meter.create_observable_up_down_counter(entry.name, [read], entry.unit, entry.description)

    @classmethod
    def add(cls, owner: Any, name: str, system: str, read: Callable[[Any], Levels | None]) -> None:
        """Watch a pool: ``read`` asks ``owner`` how it stands, and answers None when it is closed."""
        if cls._of(owner) is not None:
            return
        with guard, cls._lock:
            if len(cls._known) >= _MOST_POOLS:
                cls._known = {key: pool for key, pool in cls._known.items() if pool.reference() is not None}
            if len(cls._known) < _MOST_POOLS:
                cls._known[id(owner)] = _Pool(owner, name, system, read)
                cls._record(owner, DatabaseMetrics.TIMEOUTS, 0)  # so that the first one shows as an increase

    @classmethod
    def _of(cls, owner: Any) -> _Pool | None:
        pool = cls._known.get(id(owner))
        return pool if pool is not None and pool.reference() is owner else None

    @classmethod
    @contextmanager
    def waiting(cls, owner: Any, timeout: tuple[type[BaseException], ...]) -> Iterator[None]:
        """Around getting a connection: how long it takes, who waits, and how often it fails by one of ``timeout``."""
        pool = cls._of(owner)
        if pool is None:
            yield
            return
        with cls._lock:
            pool.waiting += 1
        began = time.perf_counter()
        try:
            yield
            cls._record(owner, DatabaseMetrics.WAIT_TIME, time.perf_counter() - began)
        except timeout:
            cls._record(owner, DatabaseMetrics.TIMEOUTS, 1)
            raise
        finally:
            with cls._lock:
                pool.waiting -= 1

    @classmethod
    def taken(cls, connection: Any) -> None:
        """A connection was handed out."""
        if len(cls._taken) >= _MOST_TAKEN:  # never given back
            cls._taken.clear()
        cls._taken[id(connection)] = time.perf_counter()

    @classmethod
    def returned(cls, owner: Any, connection: Any) -> None:
        """A connection came back."""
        began = cls._taken.pop(id(connection), None)
        if began is not None:
            cls._record(owner, DatabaseMetrics.USE_TIME, time.perf_counter() - began)

    @classmethod
    def created(cls, owner: Any, seconds: float) -> None:
        """A connection was opened, which took so long."""
        cls._record(owner, DatabaseMetrics.CREATE_TIME, seconds)

    @classmethod
    def _record(cls, owner: Any, metric: MetricDef, value: float) -> None:
        pool, instruments = cls._of(owner), cls._instruments
        if pool is not None and instruments is not None:
            with guard:
                instruments.record(Measurement(metric, value, pool.labels))

    # --- asked when metrics are collected

    @classmethod
    def _levels(cls) -> Iterator[tuple[_Pool, Levels]]:
        for key, pool in list(cls._known.items()):
            owner = pool.reference()
            levels = None
            with guard:
                levels = pool.read(owner) if owner is not None else None
            if levels is not None:
                yield pool, levels
            else:
                cls._known.pop(key, None)

    @classmethod
    def _connections(cls, options: CallbackOptions) -> list[Observation]:
        return _summed(
            ({**pool.labels, Database.CONNECTION_STATE: state}, count)
            for pool, levels in cls._levels()
            for state, count in (("used", levels.used), ("idle", levels.idle))
        )

    @classmethod
    def _most(cls, options: CallbackOptions) -> list[Observation]:
        return _summed((pool.labels, levels.most) for pool, levels in cls._levels())

    @classmethod
    def _pending(cls, options: CallbackOptions) -> list[Observation]:
        return _summed(
            (pool.labels, pool.waiting if levels.pending is None else levels.pending) for pool, levels in cls._levels()
        )


def _summed(counts: Iterator[tuple[dict[str, str], int | None]]) -> list[Observation]:
    sums: defaultdict[tuple[tuple[str, str], ...], int] = defaultdict(int)
    for labels, count in counts:
        if count is not None:
            sums[tuple(labels.items())] += count
    return [Observation(count, dict(labels)) for labels, count in sums.items()]
