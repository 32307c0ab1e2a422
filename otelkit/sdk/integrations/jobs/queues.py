"""How many jobs wait in a queue, and how long the oldest has: asked of the broker now and then, on a thread of its own.

Workers watch the queues they take from, and so does whoever puts jobs into one: a queue grows when no worker is left to
say so. Of all of them one reports, whoever holds a key in the broker (``otelkit:watch:…``, gone by itself soon after
its holder).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit.sdk.fork import on_fork, quiet
from otelkit.sdk.guard import log_sparsely
from otelkit.sdk.observed import Values, observe
from otelkit.semconv.attributes import Core, Messaging
from otelkit.semconv.metrics import JobMetrics

__all__ = ["Probe", "QueueLook", "every", "redis_probe", "stop_watching", "watch"]

_MOST_QUEUES: Final = 64
_PATIENCE: Final = 2.0  # seconds a broker gets to answer
_FRESH: Final = 2.5  # intervals a reading holds, and a holder's key lives


class QueueLook(NamedTuple):
    """One look at a queue: jobs that wait, and since when the oldest does (seconds since 1970, None if unknown)."""

    length: int
    oldest: float | None


Probe: TypeAlias = Callable[[str, float], QueueLook | None]
"""(who asks, seconds its turn lasts) → a look, or None while another process reports this queue."""


class _Watch:
    """What this process watches; a forked child begins with nothing."""

    seconds = 0.0
    owner = ""
    opening: ClassVar[dict[tuple[str, str], Callable[[], Probe]]] = {}
    probes: ClassVar[dict[tuple[str, str], Probe]] = {}
    looks: ClassVar[dict[tuple[str, str], tuple[QueueLook, float]]] = {}
    thread: threading.Thread | None = None
    stopped = threading.Event()


def every(seconds: float) -> None:
    """Say how often queues are looked at; 0 is never."""
    _forget()
    _Watch.seconds = seconds
    observe(JobMetrics.QUEUE_LENGTH, _lengths)
    observe(JobMetrics.QUEUE_OLDEST, _ages)


def watch(system: str, queue: str, opening: Callable[[], Probe]) -> None:
    """Watch a queue from now on; cheap when it is watched already. ``opening`` is called on the watching thread."""
    key = (system, queue)
    if key in _Watch.opening or not _Watch.seconds or not queue or len(_Watch.opening) >= _MOST_QUEUES:
        return
    _Watch.opening = {**_Watch.opening, key: opening}  # a new one: the thread may be walking the old one
    if _Watch.thread is None:
        _Watch.thread = threading.Thread(target=_run, args=(_Watch.stopped,), name="otelkit-queues", daemon=True)
        _Watch.thread.start()


def stop_watching() -> None:
    """Watch nothing in this process any more."""
    _forget()
    _Watch.seconds = 0.0


def _forget() -> None:
    _Watch.stopped.set()
    _Watch.stopped = threading.Event()
    _Watch.owner = uuid.uuid4().hex
    _Watch.opening, _Watch.probes, _Watch.looks, _Watch.thread = {}, {}, {}, None


on_fork(_forget)


def _run(stopped: threading.Event) -> None:
    while not stopped.is_set():
        for key, opening in _Watch.opening.items():
            with quiet, suppress_instrumentation():
                _look(key, opening)
        stopped.wait(_Watch.seconds)


def _look(key: tuple[str, str], opening: Callable[[], Probe]) -> None:
    try:
        probe = _Watch.probes.get(key)
        if probe is None:
            probe = _Watch.probes[key] = opening()
        look = probe(_Watch.owner, _Watch.seconds * _FRESH)
    except Exception as error:  # noqa: BLE001  whatever a client library raises; the next look may go well
        log_sparsely(f"queue {key}", "the queue %s of %s cannot be looked at: %s", key[1], key[0], type(error).__name__)
        look = None
    if look is None:
        _Watch.looks.pop(key, None)
    else:
        _Watch.looks[key] = (look, time.monotonic())


def _fresh() -> Iterable[tuple[QueueLook, dict[str, str]]]:
    for (system, queue), (look, at) in list(_Watch.looks.items()):
        if time.monotonic() - at <= _Watch.seconds * _FRESH:
            yield look, {Core.MESSAGING_SYSTEM: system, Messaging.DESTINATION: queue}


def _lengths() -> Values:
    return [(look.length, labels) for look, labels in _fresh()]


def _ages() -> Values:
    now = time.time()
    for look, labels in _fresh():
        if not look.length:
            yield 0.0, labels
        elif look.oldest is not None:
            yield max(0.0, now - look.oldest), labels


# --- Redis ---------------------------------------------------------------------------------------------------

_CONNECTING: Final = ("host", "port", "db", "username", "password", "path")


def redis_probe(system: str, queue: str, pool: Any, look: Callable[[Any], QueueLook]) -> Probe:
    """A probe with a connection of its own, made as those of ``pool`` (of redis-py, sync or async) are.

    ``look`` gets the client.
    """
    client = _own_client(pool)
    key = f"otelkit:watch:{system}:{queue}"

    def probe(owner: str, seconds: float) -> QueueLook | None:
        life = max(1, int(seconds * 1000))
        if not client.set(key, owner, nx=True, px=life):
            if client.get(key) != owner.encode():
                return None
            client.pexpire(key, life)
        return look(client)

    return probe


def _own_client(pool: Any) -> Any:
    """The library's own clients may wait for ever, belong to an event loop, or decode what is read."""
    import redis

    given = pool.connection_kwargs
    kept: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if (name in _CONNECTING or name.startswith("ssl_")) and value is not None
    }
    kinds = redis.connection
    if "path" in kept:
        kind: Any = kinds.UnixDomainSocketConnection
    else:
        kind = kinds.SSLConnection if pool.connection_class.__name__ == "SSLConnection" else kinds.Connection
    kept |= {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=kind, **kept))
