"""What an entry of the catalogue says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Instrument", "MetricDef", "Profile", "prometheus_name"]


class Instrument(StrEnum):
    """OpenTelemetry instrument kinds that otelkit uses."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class Profile(StrEnum):
    """Which names of the churning GenAI metrics are recorded; ``OTELKIT_METRIC_PROFILE`` chooses."""

    ALWAYS = "always"
    CLASSIC = "classic"  # what released instrumentations and dashboards use today
    LATEST = "latest"  # the names on the convention's main branch


@dataclass(frozen=True, slots=True)
class MetricDef:
    """One instrument: UCUM ``unit``, histogram ``boundaries`` in that unit, and the attributes it may carry.

    ``scraped_as`` is the name in Prometheus of what other programs write by rules of their own.
    """

    name: str
    instrument: Instrument
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()
    profile: Profile = Profile.ALWAYS
    scraped_as: str = ""

    @property
    def prometheus_name(self) -> str:
        """The name in the service's own ``/metrics``, as OpenTelemetry's exporter for Python writes it."""
        derived = prometheus_name(self.name, self.unit, counter=self.instrument is Instrument.COUNTER)
        return self.scraped_as or derived

    @property
    def collected_name(self) -> str:
        """The name in Prometheus when it came through the Collector, which ends gauges of unit 1 with ``_ratio``."""
        ratio = self.unit == "1" and self.instrument is Instrument.GAUGE
        return f"{self.prometheus_name}_ratio" if ratio else self.prometheus_name


_UNIT_WORDS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "1": ""}


def prometheus_name(name: str, unit: str, *, counter: bool) -> str:
    """Translate an OpenTelemetry metric name: dots to underscores, unit and ``_total`` appended, ``{…}`` dropped."""
    result = name.replace(".", "_").replace("-", "_")
    word = "" if unit.startswith("{") else _UNIT_WORDS.get(unit, unit)
    if word and not result.endswith(f"_{word}"):
        result = f"{result}_{word}"
    return f"{result}_total" if counter else result
