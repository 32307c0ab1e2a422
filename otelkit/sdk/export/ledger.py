"""What became of every record that did not simply arrive: counted by signal and reason."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

__all__ = ["DeliveryLedger", "Reason", "Signal"]


class Signal(StrEnum):
    """OTLP's three signals."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Reason(StrEnum):
    """Why a record was dropped."""

    QUEUE_FULL = "queue_full"  # more records than the worker could take
    BUFFER_FULL = "buffer_full"  # the backend was away longer than the buffer reaches
    REJECTED = "rejected"  # the backend said that it will never take it
    SHUTDOWN = "shutdown"  # the process ended first
    INVALID = "invalid"  # it could not be converted or encoded


class DeliveryLedger:
    """Thread-safe counts; read by the self-metrics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dropped: Counter[tuple[Signal, Reason]] = Counter()
        self._delivered: Counter[Signal] = Counter()

    def dropped(self, signal: Signal, reason: Reason, records: int = 1) -> None:
        """Count records that will never arrive."""
        with self._lock:
            self._dropped[signal, reason] += records

    def delivered(self, signal: Signal, records: int) -> None:
        """Count records the backend acknowledged."""
        with self._lock:
            self._delivered[signal] += records

    def drops(self) -> Mapping[tuple[Signal, Reason], int]:
        """Every signal and reason with its count, zeros included so that a first drop shows as an increase."""
        with self._lock:
            return {(signal, reason): self._dropped[signal, reason] for signal in Signal for reason in Reason}

    def deliveries(self) -> Mapping[Signal, int]:
        """Records acknowledged, by signal."""
        with self._lock:
            return {signal: self._delivered[signal] for signal in Signal}

    def total_dropped(self) -> int:
        """All drops of this process."""
        with self._lock:
            return self._dropped.total()
