"""Every instrument otelkit records, once: one :class:`MetricDef` each, a module a subject.

An entry drives the instrument, its Prometheus name, the reference page and a test; later the dashboard panel and alert.
"""

from __future__ import annotations

from typing import Final

from otelkit.semconv.metrics.databases import DatabaseMetrics
from otelkit.semconv.metrics.definition import Instrument, MetricDef, Profile, prometheus_name
from otelkit.semconv.metrics.errors import ErrorMetrics
from otelkit.semconv.metrics.jobs import JobMetrics
from otelkit.semconv.metrics.requests import RequestMetrics
from otelkit.semconv.metrics.security import SecurityMetrics
from otelkit.semconv.metrics.server import ServerMetrics
from otelkit.semconv.metrics.service import Metrics
from otelkit.semconv.metrics.system import ContainerMetrics, HostMetrics, ProcessMetrics

__all__ = [
    "CATALOGUE",
    "SERVER",
    "ContainerMetrics",
    "DatabaseMetrics",
    "ErrorMetrics",
    "HostMetrics",
    "Instrument",
    "JobMetrics",
    "MetricDef",
    "Metrics",
    "ProcessMetrics",
    "Profile",
    "RequestMetrics",
    "SecurityMetrics",
    "ServerMetrics",
    "prometheus_name",
]

_SUBJECTS: Final = (
    Metrics,
    DatabaseMetrics,
    ErrorMetrics,
    JobMetrics,
    HostMetrics,
    ContainerMetrics,
    ProcessMetrics,
    RequestMetrics,
    SecurityMetrics,
)


def _entries(*subjects: type) -> tuple[MetricDef, ...]:
    return tuple(entry for subject in subjects for entry in vars(subject).values() if isinstance(entry, MetricDef))


CATALOGUE: Final = _entries(*_SUBJECTS)
"""All that services record, in reading order."""

SERVER: Final = _entries(ServerMetrics)
"""What ``otelkit serve`` lets Prometheus scrape."""
