"""One signal's way out: a bounded buffer of encoded batches and a thread that delivers them in order, with backoff."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import Final, NamedTuple

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit.sdk.export.ledger import DeliveryLedger, Reason, Signal
from otelkit.sdk.export.transport import Outcome, Transport
from otelkit.sdk.guard import guard, log_sparsely

__all__ = ["Batch", "Lane"]

_FIRST_PAUSE: Final = 0.25  # seconds; doubles up to the longest
_LONGEST_PAUSE: Final = 30.0
_LONGEST_OBEYED_RETRY_AFTER: Final = 300.0


class Batch(NamedTuple):
    """Encoded bytes and how many records they hold."""

    body: bytes
    records: int


class Lane:
    """Bounded by bytes: when the backend is away for long the oldest batches go first, counted.

    Only its thread waits for the network; putting a batch never blocks. The thread is a daemon, so that it never holds
    up the exit of the process.
    """

    def __init__(
        self, signal: Signal, transport: Transport, ledger: DeliveryLedger, *, limit_bytes: int, timeout: float
    ) -> None:
        self.signal = signal
        self._transport = transport
        self._ledger = ledger
        self._limit = limit_bytes
        self._timeout = timeout
        self._condition = threading.Condition()
        self._waiting: deque[Batch] = deque()
        self._bytes = 0
        self._in_flight: Batch | None = None
        self._thread: threading.Thread | None = None
        self._closing_at: float | None = None
        self._failures = 0
        self._nudges = 0

    def start(self) -> None:
        """Start delivering; what was put before waits until then."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"otelkit-send-{self.signal}", daemon=True)
            self._thread.start()

    def put(self, batch: Batch) -> None:
        """Take a batch; drops the oldest ones where the buffer is full."""
        with self._condition:
            if self._closing_at is not None:
                self._ledger.dropped(self.signal, Reason.SHUTDOWN, batch.records)
                return
            self._waiting.append(batch)
            self._bytes += len(batch.body)
            dropped = 0
            while self._bytes > self._limit and len(self._waiting) > 1:
                oldest = self._waiting.popleft()
                self._bytes -= len(oldest.body)
                dropped += oldest.records
            self._condition.notify_all()
        if dropped:
            self._ledger.dropped(self.signal, Reason.BUFFER_FULL, dropped)

    def flush(self, deadline: float) -> bool:
        """Wait until everything that waits now is delivered or dropped, at most until ``deadline`` (monotonic)."""
        with self._condition:
            self._nudges += 1  # a flush does not sit out a pause between retries
            self._condition.notify_all()
            return self._condition.wait_for(
                lambda: not self._waiting and self._in_flight is None, max(0.0, deadline - time.monotonic())
            )

    def close(self, deadline: float) -> bool:
        """Deliver what waits until ``deadline``, giving up at the first failure; what is left is counted as dropped."""
        with self._condition:
            self._closing_at = deadline
            self._condition.notify_all()
        delivered = self.flush(deadline)
        with self._condition:
            left = sum(batch.records for batch in self._waiting) + (self._in_flight.records if self._in_flight else 0)
            self._waiting.clear()
            self._bytes = 0
        if left:
            self._ledger.dropped(self.signal, Reason.SHUTDOWN, left)
        return delivered

    @property
    def waiting_records(self) -> int:
        """Records that wait for delivery."""
        with self._condition:
            return sum(batch.records for batch in self._waiting)

    def _run(self) -> None:
        with suppress_instrumentation():  # our own requests are not the application's
            while (batch := self._next()) is not None:
                outcome = Outcome("rejected", "internal error")
                with guard:
                    outcome = self._transport.send(batch.body, self._attempt_seconds())
                self._settle(batch, outcome)
        with guard:
            self._transport.close()

    def _next(self) -> Batch | None:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closing_at is not None)
            if not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._bytes -= len(batch.body)
            self._in_flight = batch
            return batch

    def _attempt_seconds(self) -> float:
        if self._closing_at is None:
            return self._timeout
        return max(0.05, min(self._timeout, self._closing_at - time.monotonic()))

    def _settle(self, batch: Batch, outcome: Outcome) -> None:
        if outcome.verdict == "retry":
            self._put_back(batch, outcome)
            return
        if outcome.verdict == "accepted":
            self._failures = 0
            self._ledger.delivered(self.signal, batch.records - outcome.refused_records)
        refused = outcome.refused_records if outcome.verdict == "accepted" else batch.records
        if refused:
            self._ledger.dropped(self.signal, Reason.REJECTED, refused)
            log_sparsely(
                f"rejected {self.signal}",
                "%s refused %d %s records (%s); they are dropped",
                self._transport.address,
                refused,
                self.signal,
                outcome.detail or "partial success",
            )
        with self._condition:
            self._in_flight = None
            self._condition.notify_all()

    def _put_back(self, batch: Batch, outcome: Outcome) -> None:
        self._failures += 1
        with self._condition:
            self._waiting.appendleft(batch)
            self._bytes += len(batch.body)
            self._in_flight = None
            if self._closing_at is not None:
                self._give_up()
                return
            waiting = sum(item.records for item in self._waiting)
        log_sparsely(
            f"away {self._transport.address}",
            "%s cannot be reached (%s); %d %s records wait, %d dropped so far. "
            "Is a Collector or `otelkit serve` running there?",
            self._transport.address,
            outcome.detail,
            waiting,
            self.signal,
            self._ledger.total_dropped(),
        )
        pause = _pause(self._failures, outcome.retry_after)
        with self._condition:
            nudges = self._nudges
            self._condition.wait_for(lambda: self._closing_at is not None or self._nudges != nudges, pause)

    def _give_up(self) -> None:
        """At the end of the process one refusal is enough; called with the condition held."""
        left = sum(item.records for item in self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._ledger.dropped(self.signal, Reason.SHUTDOWN, left)
        self._condition.notify_all()


def _pause(failures: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return min(retry_after, _LONGEST_OBEYED_RETRY_AFTER)
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, no secret
