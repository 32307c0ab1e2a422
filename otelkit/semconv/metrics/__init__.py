"""Every instrument otelkit records, once: one :class:`MetricDef` each, a module a subject.

An entry drives the instrument, its Prometheus name, the reference page and a test; later the dashboard panel and alert.
"""

from __future__ import annotations

from typing import Final

from otelkit.semconv.metrics.databases import DatabaseMetrics
from otelkit.semconv.metrics.definition import Instrument, MetricDef, Profile, prometheus_name
from otelkit.semconv.metrics.errors import ErrorMetrics
from otelkit.semconv.metrics.jobs import JobMetrics
from otelkit.semconv.metrics.service import Metrics

__all__ = [
    "CATALOGUE",
    "DatabaseMetrics",
    "ErrorMetrics",
    "Instrument",
    "JobMetrics",
    "MetricDef",
    "Metrics",
    "Profile",
    "prometheus_name",
]

_SUBJECTS: Final = (
    Metrics,
    DatabaseMetrics,
    ErrorMetrics,
    JobMetrics,
)

CATALOGUE: Final[tuple[MetricDef, ...]] = tuple(
    entry for subject in _SUBJECTS for entry in vars(subject).values() if isinstance(entry, MetricDef)
)
"""All entries in reading order."""
