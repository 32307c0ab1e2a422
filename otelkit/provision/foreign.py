"""Metrics of the programs beside a service, for rules and dashboards: those of the Collector, Prometheus, Alertmanager.

They are scraped, not sent through the Collector: their labels are the program's own, ``job`` is the scrape's.
"""

from __future__ import annotations

from typing import Final

from otelkit.semconv.metrics import Instrument, MetricDef

__all__ = ["SIGNAL", "SIGNALS", "AlertmanagerMetrics", "CollectorMetrics", "PrometheusMetrics"]

SIGNAL: Final = "data_type"
"""The Collector's label for what a queue holds."""

SIGNALS: Final = ("traces", "logs", "metrics")
"""Its values, in the order in which :class:`CollectorMetrics` counts spans, log records and metric points."""

_EXPORTER: Final = ("exporter",)
_RECEIVER: Final = ("receiver", "transport")
_RECORDS: Final = ("spans", "log_records", "metric_points")


def _own(name: str, instrument: Instrument, unit: str, description: str, attributes: tuple[str, ...] = ()) -> MetricDef:
    """One of the Collector's own: its reader is told to append neither units nor ``_total`` (see its components)."""
    return MetricDef(f"otelcol.{name}", instrument, unit, description, attributes, scraped_as=f"otelcol_{name}")


def _records(name: str, description: str, attributes: tuple[str, ...]) -> tuple[MetricDef, ...]:
    """One counter each for spans, log records and metric points: the Collector gives them different names."""
    return tuple(
        _own(f"{name}_{records}", Instrument.COUNTER, "{record}", description, attributes) for records in _RECORDS
    )


class CollectorMetrics:
    """What the Collector says of itself (seen on 0.155 with the committed configuration)."""

    ACCEPTED: Final = _records("receiver_accepted", "Records taken.", _RECEIVER)
    REFUSED: Final = _records("receiver_refused", "Records not taken; the sender may try again.", _RECEIVER)
    SENT: Final = _records("exporter_sent", "Records the destination took.", _EXPORTER)
    FAILED: Final = _records("exporter_send_failed", "Records given up after all attempts.", _EXPORTER)
    NOT_QUEUED: Final = _records("exporter_enqueue_failed", "Records that found the queue full.", _EXPORTER)
    UPTIME: Final = _own("process_uptime", Instrument.COUNTER, "s", "Time since the Collector started.")
    CPU: Final = _own("process_cpu_seconds", Instrument.COUNTER, "s", "Processor time of the Collector.")
    MEMORY: Final = _own("process_memory_rss", Instrument.GAUGE, "By", "Physical memory of the Collector.")
    QUEUE: Final = _own(
        "exporter_queue_size",
        Instrument.GAUGE,
        "{record}",
        "What waits in an exporter's queue, in its own unit.",
        (*_EXPORTER, SIGNAL),
    )
    QUEUE_CAPACITY: Final = _own(
        "exporter_queue_capacity",
        Instrument.GAUGE,
        "{record}",
        "What an exporter's queue holds, in the same unit.",
        (*_EXPORTER, SIGNAL),
    )


class PrometheusMetrics:
    """What Prometheus says of its targets and itself."""

    UP: Final = MetricDef("up", Instrument.GAUGE, "", "1 while a target can be scraped, else 0.")
    ALERTS: Final = MetricDef(
        "ALERTS",
        Instrument.GAUGE,
        "",
        "1 while an alert is pending or firing.",
        ("alertname", "alertstate", "severity", "category"),
    )
    RULE_FAILURES: Final = MetricDef(
        "prometheus.rule_evaluation_failures",
        Instrument.COUNTER,
        "{evaluation}",
        "Rules that could not be evaluated.",
        ("rule_group",),
    )


class AlertmanagerMetrics:
    """What Alertmanager says of itself."""

    FAILED: Final = MetricDef(
        "alertmanager.notifications_failed",
        Instrument.COUNTER,
        "{notification}",
        "Messages that did not reach their channel.",
        ("integration",),
    )
