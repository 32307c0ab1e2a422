"""Who reports what: every process itself, one process of a machine the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.system.holder import Holder
from otelkit.sdk.integrations.system.readings import MachineReader, ProcessReader, Readings
from otelkit.semconv.metrics import ContainerMetrics, HostMetrics, Instrument, MetricDef, ProcessMetrics

__all__ = ["Machine"]

_FRESH: Final = 0.5  # seconds in which one reading serves all metrics, and several readers


class Machine:
    """Reads when metrics are collected, once for all of them.

    Args:
        meter: where the instruments are made.
        topic: processes that send to the same place share one: one of them reports the machine.
    """

    def __init__(self, meter: Meter, topic: str) -> None:
        self._holder = Holder(topic)
        self._process = _Kept(ProcessReader().read, lambda: True)
        self._machine = _Kept(_Growth(MachineReader().read), self._holder.holds)
        for subject, kept in (
            (ProcessMetrics, self._process),
            (HostMetrics, self._machine),
            (ContainerMetrics, self._machine),
        ):
            for entry in vars(subject).values():
                if isinstance(entry, MetricDef) and entry.instrument is not Instrument.HISTOGRAM:
                    _observe(meter, entry, kept)

    def stop(self) -> None:
        """Report nothing more, and let another process report the machine."""
        self._process.on = self._machine.on = False
        self._holder.let_go()


class _Growth:
    """Counters from when this process began to report: what the machine had counted since its start is no growth."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read
        self._first: dict[tuple[str, str], float] = {}

    def __call__(self) -> Readings:
        readings = self._read()
        return {
            entry: [self._grown(entry, one) for one in observations]
            if entry.instrument is Instrument.COUNTER
            else observations
            for entry, observations in readings.items()
        }

    def _grown(self, entry: MetricDef, one: Observation) -> Observation:
        first = self._first.setdefault((entry.name, str(one.attributes)), one.value)
        return Observation(max(0, one.value - first), one.attributes)


class _Kept:
    """A reading that serves for a moment."""

    def __init__(self, read: Callable[[], Readings], wanted: Callable[[], bool]) -> None:
        self.on = True
        self._read = read
        self._wanted = wanted
        self._readings: Readings = {}
        self._until = 0.0

    def of(self, entry: MetricDef) -> list[Observation]:
        """What was read of one metric."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + _FRESH
            self._readings = {}
            with guard:
                if self.on and self._wanted():
                    self._readings = self._read()
        return self._readings.get(entry, [])


def _observe(meter: Meter, entry: MetricDef, kept: _Kept) -> None:
    create = {
        Instrument.COUNTER: meter.create_observable_counter,
        Instrument.UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
        Instrument.GAUGE: meter.create_observable_gauge,
    }[entry.instrument]

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        return kept.of(entry)

    create(entry.name, [observe], entry.unit, entry.description)
