"""The hop between: what a Collector says of itself, before and after the marked records."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from otelkit.cli.doctor.door import ClosedError, Door
from otelkit.cli.doctor.report import Line, Verdict

__all__ = ["Collector"]

_PER_SIGNAL: Final = {
    "the trace": "spans",
    "the metric": "metric_points",
    "the log": "log_records",
    "the event": "log_records",
}
_QUEUED: Final = {"spans": "traces", "metric_points": "metrics", "log_records": "logs"}
_FILTERED: Final = {"spans": "spans", "metric_points": "datapoints", "log_records": "logs"}

_Reading = Counter[tuple[str, str]]


class Collector:
    """Its own metrics, read at the beginning and whenever something is missing."""

    def __init__(self, address: str) -> None:
        self._door = None if address == "none" else Door(address)
        self._before = self._read()

    @property
    def answers(self) -> bool:
        """Whether a Collector's metrics are there."""
        return self._before is not None

    def line(self) -> Line:
        """Say what it accepted since the beginning."""
        grown = self._since(self._read() or Counter())
        accepted = sum(count for (name, _), count in grown.items() if name.startswith("receiver_accepted"))
        refused = sum(count for (name, _), count in grown.items() if name.startswith("receiver_refused"))
        if refused:
            return Line(
                "collector", Verdict.FAIL, f"it refused {refused} records",
                advice="its memory limit is reached or a queue is full: look at the dashboard Pipeline",
            )  # fmt: skip
        if not accepted:
            return Line(
                "collector", Verdict.WARN, "it received nothing",
                advice="the endpoint is another Collector or server; --collector names the metrics of the right one",
            )  # fmt: skip
        return Line("collector", Verdict.OK, f"accepted {accepted} records")

    def why_not(self, kind: str) -> str:
        """Say what to change when ``kind`` did not arrive."""
        now = self._read()
        if now is None:
            return "is it the backend that your Collector sends to? (--collector names the Collector's own metrics)"
        signal, grown = _PER_SIGNAL[kind], self._since(now)
        stuck = _of(grown, f"exporter_send_failed_{signal}") or _of(now, f"exporter_queue_size_{_QUEUED[signal]}")
        if stuck:
            return f"the Collector holds it: {stuck} cannot deliver. Check that exporter's address and token in its log"
        sent = _of(grown, f"exporter_sent_{signal}")
        filtered = _of(grown, f"processor_filter_{_FILTERED[signal]}_filtered")
        said = f"the Collector took it, sent {signal.replace('_', ' ')} to {sent or 'nobody'}"
        if filtered:
            said += f" and dropped some in {filtered}"
        return f"{said}: does an exporter point at this backend, and does a filter or a sampler take it out?"

    def _since(self, now: _Reading) -> _Reading:
        before = self._before or Counter()
        return Counter({key: count - before[key] for key, count in now.items()})

    def _read(self) -> _Reading | None:
        """Return counts by name (without prefix and suffix) and exporter or filter, and by name alone."""
        if self._door is None:
            return None
        try:
            return _counts(self._door.ask("/metrics").text)
        except (ClosedError, ValueError, OverflowError):  # nobody, or something else, has the port
            return None


def _counts(text: str) -> _Reading | None:
    counts: _Reading = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("otelcol_").removesuffix("_total")
            if "data_type" in sample.labels:
                name += f"_{sample.labels['data_type']}"
            of = sample.labels.get("exporter") or sample.labels.get("filter", "")
            value = 0 if math.isnan(sample.value) else int(sample.value)
            for key in {of, ""}:
                counts[name, key] += value
    return counts if any(name.startswith(("receiver_", "process_")) for name, _ in counts) else None


def _of(grown: _Reading, name: str) -> str:
    """Return who counted under that name, as a list in words."""
    return ", ".join(sorted(of for (counted, of), count in grown.items() if counted == name and of and count))
