"""From a request's body to committed rows: one thread that decodes, stores, and only then acknowledges.

What waits when the thread comes round is stored in one transaction (group commit) and answered batch by batch after
COMMIT. What may wait is bounded in bytes, from the first one that is read until the answer; beyond that
:class:`BusyError` tells the sender to come back. What is unpacked at a time is bounded as well.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from otelkit.errors import DecodeError, OtelkitError, StorageError
from otelkit.mapping.otlp import DECODERS, Decoded
from otelkit.server.ages import without_old
from otelkit.server.delays import Delays, oldest
from otelkit.server.encodings import TooLargeError, decompress
from otelkit.server.storage.store import Batch, Store
from otelkit.server.wire import check_size

__all__ = ["Accepted", "BusyError", "Pipeline", "Progress"]

_log = logging.getLogger(__name__)
T = TypeVar("T")
_GROUP_BYTES: Final = 4 * 1024 * 1024
_GROUP_BATCHES: Final = 64
_STORED_AT_ONCE: Final = 32 * 1024 * 1024  # bytes of decompressed bodies in one transaction


class BusyError(OtelkitError):
    """Too much is waiting already; nothing was taken."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one stored batch: how many records were rejected, by reason."""

    rejected: dict[str, int]


@dataclass(slots=True)
class Progress:
    """What the receiver has done since it started; read by ``/api/status`` and ``/metrics``.

    ``rejected`` counts records by signal and reason, ``refused`` requests of which nothing was stored.
    """

    revision: int = 0
    last: float | None = None
    received: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    delays: Delays = field(default_factory=Delays)
    failure: StorageError | None = None
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=4096))

    def rate(self, now: float, seconds: float = 10.0) -> float:
        """Return the spans a second over the newest ``seconds``."""
        return sum(count for at, count in list(self.recent) if at >= now - seconds) / seconds


@dataclass(slots=True)
class _Waiting:
    signal: str
    body: bytes
    encoding: str
    json: bool
    future: Future[Accepted]


_Ready: TypeAlias = tuple[_Waiting, Decoded[Any]]


@dataclass(slots=True)
class _Order:
    work: Callable[[Connection], Any]
    future: Future[Any]


class Pipeline:
    """The writer thread and the queue before it; ``start`` and ``stop`` may each be called more than once.

    ``on_stored`` is called by the writer's thread after every COMMIT that changed something.
    """

    def __init__(self, store: Store, *, max_waiting: int, max_decoded: int, keep: int = 0) -> None:
        self.progress = Progress()
        self.on_stored: Callable[[], None] = _nobody
        self._store = store
        self._max_waiting = max_waiting
        self._max_decoded = max_decoded
        self._keep_seconds = keep
        self._queue: deque[_Waiting | _Order] = deque()
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of bodies are being read, wait or are being stored."""
        return self._waiting_bytes

    @property
    def waiting(self) -> int:
        """How many requests wait to be stored."""
        return len(self._queue)

    def start(self) -> None:
        """Start the writer thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="otelkit-writer", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Store what waits, then end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def hold(self, size: int) -> None:
        """Make room for bytes of a body that is being read, before they are kept.

        Raises:
            BusyError: there is none; nothing is held.
        """
        with self._wake:
            if self._stopping or self._waiting_bytes + size > self._max_waiting:
                raise BusyError("the server is stopping" if self._stopping else "too much is waiting to be stored")
            self._waiting_bytes += size

    def release(self, size: int) -> None:
        """Give back what was held for a body that will not be submitted."""
        with self._wake:
            self._waiting_bytes -= size

    def refused(self, signal: str, reason: str) -> None:
        """Count a request of which nothing was stored, whoever refused it."""
        with self._wake:
            self.progress.refused[signal, reason] += 1

    def submit(self, signal: str, body: bytes, *, encoding: str, json: bool) -> Future[Accepted]:
        """Queue one request's body, for which room is held, and return what will become of it.

        ``signal`` is spans, logs or points, ``encoding`` one of ``encodings.ENCODINGS``. The future raises DecodeError,
        TooLargeError, StorageFullError, StorageError, or :class:`BusyError` where the server stops before.
        """
        future: Future[Accepted] = Future()
        future.set_running_or_notify_cancel()  # from here on a sender that hangs up cannot cancel it
        with self._wake:
            if self._stopping:
                self._waiting_bytes -= len(body)
                future.set_exception(BusyError("the server is stopping"))
            else:
                self._queue.append(_Waiting(signal, body, encoding, json, future))
                self._wake.notify()
        return future

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue something to be done inside a transaction of the writer, and return what it will return.

        It is done between two groups of batches, alone; what it raises rolls it back and is raised by the future.

        Raises:
            BusyError: the server is stopping.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._wake:
            if self._stopping:
                raise BusyError("the server is stopping")
            self._queue.append(_Order(work, future))
            self._wake.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait()
                if not self._queue:
                    return
                group = self._next_group()
            if isinstance(group, _Order):
                self._obey(group)
                continue
            try:
                self._work(group)
            except Exception as error:  # noqa: BLE001  a bug must not end the thread: senders get 503 and keep their data
                _log.exception("storing a group of batches failed")
                _fail(group, StorageError(f"internal error: {type(error).__name__}"))
            finally:
                with self._wake:
                    self._waiting_bytes -= sum(len(item.body) for item in group)

    def _next_group(self) -> list[_Waiting] | _Order:
        group: list[_Waiting] = []
        size = 0
        while self._queue and len(group) < _GROUP_BATCHES and size < _GROUP_BYTES:
            item = self._queue[0]
            if isinstance(item, _Order):
                if group:
                    break
                self._queue.popleft()
                return item
            self._queue.popleft()
            group.append(item)
            size += len(item.body)
        return group

    def _obey(self, order: _Order) -> None:
        try:
            with self._store.database.writing() as connection:
                self._store.take_turn(connection)
                answer = order.work(connection)
        except Exception as error:  # noqa: BLE001  whoever gave the order is told
            order.future.set_exception(error)
            return
        self.progress.revision += 1
        self.on_stored()
        order.future.set_result(answer)

    def _work(self, group: Sequence[_Waiting]) -> None:
        ready: list[_Ready] = []
        size = 0
        floor = time.time_ns() - self._keep_seconds * 10**9 if self._keep_seconds else 0
        for item in group:
            try:
                body = decompress(item.body, item.encoding, self._max_decoded)
                check_size(body, json=item.json)
                decoded = DECODERS[item.signal](body, json=item.json)
                ready.append((item, without_old(item.signal, decoded, floor)))
            except (DecodeError, TooLargeError) as error:
                item.future.set_exception(error)
                continue
            size += len(body)
            if size >= _STORED_AT_ONCE:
                self._keep(ready)
                ready, size = [], 0
        if ready:
            self._keep(ready)

    def _keep(self, ready: Sequence[_Ready]) -> None:
        try:
            refused = self._store.write([Batch(item.signal, decoded.records) for item, decoded in ready])
        except StorageError as error:
            self.progress.failure = error
            _log.warning("nothing stored: %s", error)
            _fail([item for item, _ in ready], error)
            return
        self._count(ready)
        self.progress.rejected.update(refused)
        self.on_stored()
        for item, decoded in ready:
            item.future.set_result(Accepted(decoded.rejected))

    def _count(self, ready: Sequence[_Ready]) -> None:
        progress = self.progress
        progress.failure = None
        progress.revision += 1
        progress.last = time.time()
        spans = 0
        for item, decoded in ready:
            progress.received[item.signal] += len(decoded.records)
            spans += len(decoded.records) if item.signal == "spans" else 0
            if (since := oldest(item.signal, decoded.records)) is not None:
                progress.delays.note(item.signal, progress.last - since)
            for reason, count in decoded.rejected.items():
                progress.rejected[item.signal, reason] += count
        if spans:
            progress.recent.append((progress.last, spans))


def _nobody() -> None:
    """Nobody listens."""


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for item in group:
        if not item.future.done():
            item.future.set_exception(error)
