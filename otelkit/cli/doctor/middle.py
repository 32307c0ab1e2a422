"""The hop between: what a Collector says of itself, before and after the marked records."""

from __future__ import annotations

import math
import urllib.request
from collections import Counter
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from otelkit.cli.doctor.report import Line, Verdict

__all__ = ["Collector"]

_ANSWER_SECONDS: Final = 5.0
_PER_SIGNAL: Final = {
    "the trace": "spans",
    "the metric": "metric_points",
    "the log": "log_records",
    "the event": "log_records",
}

_Reading = Counter[tuple[str, str]]


class Collector:
    """Its own metrics, read at the beginning and whenever something is missing."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._before = self._read()

    @property
    def answers(self) -> bool:
        """Whether a Collector's metrics are there."""
        return self._before is not None

    def line(self) -> Line:
        """Say what it accepted since the beginning."""
        grown = self._grown()
        accepted = sum(count for (name, _), count in grown.items() if name.startswith("receiver_accepted"))
        refused = sum(count for (name, _), count in grown.items() if name.startswith("receiver_refused"))
        if refused:
            return Line(
                "collector", Verdict.FAIL, f"it refused {refused} records",
                advice="its memory limit is reached or a queue is full: look at the dashboard Pipeline",
            )  # fmt: skip
        if not accepted:
            return Line(
                "collector", Verdict.WARN, f"the one at {self._url} received nothing",
                advice="the endpoint is another Collector or server; --collector names the metrics of the right one",
            )  # fmt: skip
        return Line("collector", Verdict.OK, f"accepted {accepted} records")

    def why_not(self, kind: str) -> str:
        """Say what to change when ``kind`` did not arrive."""
        now, grown = self._read(), self._grown()
        if now is None:
            return "is it the backend that your Collector sends to? (--collector names the Collector's own metrics)"
        signal = _PER_SIGNAL[kind]
        failing = {of for (name, of), count in grown.items() if name == f"exporter_send_failed_{signal}" and count}
        waiting = {of for (name, of), size in now.items() if name == "exporter_queue_size" and size}
        if failing or waiting:
            names = ", ".join(sorted(failing | waiting))
            return f"the Collector holds it: {names} cannot deliver. Check that exporter's address and token in its log"
        if any(name.startswith("processor_filter") and count for (name, _), count in grown.items()):
            return "a filter in the Collector drops it: look at the filter processors of the pipeline"
        if grown[f"exporter_sent_{signal}", ""]:
            return (
                "the Collector delivered it elsewhere: does its exporter point at this backend? Or a sampler dropped it"
            )
        return "the Collector sent nothing on: a filter or a sampler dropped it, or no pipeline has that exporter"

    def _grown(self) -> _Reading:
        now, before = self._read() or Counter(), self._before or Counter()
        return Counter({key: count - before[key] for key, count in now.items()})

    def _read(self) -> _Reading | None:
        """Return counts by name (without prefix and suffix) and exporter, and by name alone."""
        try:
            with urllib.request.urlopen(f"{self._url}/metrics", timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
                text = answer.read().decode()
        except OSError:
            return None
        counts: _Reading = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("otelcol_").removesuffix("_total")
                of = sample.labels.get("exporter", "")
                value = 0 if math.isnan(sample.value) else int(sample.value)
                for key in {of, ""}:
                    counts[name, key] += value
        return counts if any(name.startswith(("receiver_", "process_")) for name, _ in counts) else None
