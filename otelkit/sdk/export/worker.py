"""The one queue and the one worker: on the caller's thread a finished span is an append, the rest happens here.

A busy caller that releases the interpreter lock in short calls can starve any worker thread; so past a backlog mark the
caller itself processes a bounded number of records. One lock makes processing single file, whoever does it: records are
always processed in the order they ended.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from otelkit.sdk.fork import quiet
from otelkit.sdk.guard import guard

__all__ = ["Record", "Worker"]

Record: TypeAlias = "ReadableSpan | ReadWriteLogRecord"

_BATCH: Final = 512
_ASSIST: Final = 16  # records a caller processes at most for each one it adds beyond the mark


class Worker:
    """Bounded queue, worker thread (started with the first record), assistance by callers, deadline-true flush.

    Args:
        process: takes up to 512 records in order; called by one thread at a time.
        refused: called with a record for which there is no room.
        warm_up: run on the worker thread before its first batch (loading prices takes a while).
    """

    def __init__(
        self,
        process: Callable[[Sequence[Record]], None],
        refused: Callable[[Record], None],
        *,
        queue_size: int,
        interval: float,
        warm_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._process = process
        self._refused = refused
        self._warm_up = warm_up
        self._limit = queue_size
        self._mark = max(_BATCH, queue_size // 4)
        self._interval = interval
        self._queue: deque[Record] = deque()
        self._single_file = threading.Lock()
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._warm = False
        self._stopping = False

    def submit(self, record: Record) -> None:
        """Hand over a record; never blocks and never raises."""
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._limit or self._stopping:
            self._refused(record)
            return
        queue.append(record)
        if self._thread is None:
            self._start()
        if waiting == _BATCH:
            self._wake.set()
        elif waiting >= self._mark:
            self._assist()

    def flush(self, deadline: float) -> bool:
        """Process everything that waits on this very thread, until ``deadline`` (monotonic seconds)."""
        while self._queue:
            left = deadline - time.monotonic()
            if left <= 0 or not self._single_file.acquire(timeout=left):
                return False
            try:
                self._take(_BATCH)
            finally:
                self._single_file.release()
        # Empty, but the worker may still hold the last records it took.
        if not self._single_file.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        self._single_file.release()
        return True

    def stop(self, deadline: float) -> bool:
        """Flush, then refuse everything."""
        done = self.flush(deadline)
        self._stopping = True
        self._wake.set()
        return done

    @property
    def waiting(self) -> int:
        """Records in the queue."""
        return len(self._queue)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="otelkit-worker", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        with guard, quiet:
            self._warm_up()
        self._warm = True
        while not self._stopping:
            self._wake.wait(self._interval)
            self._wake.clear()
            while self._queue and not self._stopping:
                with quiet, self._single_file:
                    self._take(_BATCH)

    def _assist(self) -> None:
        if not self._warm and len(self._queue) < self._limit * 3 // 4:
            return  # the worker is still loading; the caller does not do that for it unless records would be lost
        if self._single_file.acquire(blocking=False):
            try:
                self._take(_ASSIST)
            finally:
                self._single_file.release()

    def _take(self, most: int) -> None:
        """Process up to ``most`` records; the caller holds the lock."""
        queue = self._queue
        records: list[Record] = []
        while queue and len(records) < most:
            records.append(queue.popleft())
        if records:
            with guard:
                self._process(records)
