"""Pipeline: telemetry on its way, from the services' own counts to the Collector's and the server's."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    SERVICES,
    WHOLE,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Step,
    Unit,
    at_least,
)
from otelkit.provision.foreign import SIGNAL, AlertmanagerMetrics, CollectorMetrics, PrometheusMetrics
from otelkit.provision.promql import JOB, share
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.semconv.metrics import MetricDef, Metrics, ServerMetrics

__all__ = ["BOARD"]

_SIGNALS: Final = ("spans", "log records", "metric points")
_WHY: Final = (Otelkit.SIGNAL, Otelkit.DROP_REASON)
_QUEUE: Final = ("exporter", SIGNAL)


def _each(metrics: tuple[MetricDef, ...], by: str, *, sure: bool = True) -> tuple[Ask, ...]:
    """Return the rate of each signal's counter, by who counted."""
    return tuple(
        Ask(WHOLE.rate(metric, by=(by,)), f"{signal} {{{{{by}}}}}", sure=sure)
        for metric, signal in zip(metrics, _SIGNALS, strict=True)
    )


_SERVICES: Final = Row(
    "Services",
    (
        Panel(
            title="Processes that report",
            says="Processes of each service whose metrics arrive.",
            asks=(Ask(SERVICES.now(Metrics.UPTIME, by=(Core.SERVICE_NAME,), how="count")),),
            unit=Unit.COUNT,
            width=6,
            alerts=("ServiceSilent",),
        ),
        Panel(
            title="Delivered by services",
            says="Records a second that the next hop acknowledged, by signal.",
            asks=(Ask(SERVICES.rate(Metrics.EXPORTED, by=(Otelkit.SIGNAL,))),),
            unit=Unit.EACH_SECOND,
            width=6,
        ),
        Panel(
            title="Dropped by services",
            says="Records a second that were not delivered, by signal and reason.",
            asks=(Ask(SERVICES.rate(Metrics.DROPPED, by=_WHY)),),
            unit=Unit.EACH_SECOND,
            width=6,
            steps=at_least(0.001, 1),
            alerts=("ServiceDropsTelemetry",),
        ),
        Panel(
            title="Who can be scraped",
            says="1 where Prometheus reaches the target, 0 where it does not.",
            asks=(Ask(WHOLE.now(PrometheusMetrics.UP, by=(JOB,), how="min")),),
            unit=Unit.NUMBER,
            kind=Kind.FIGURE,
            width=6,
            steps=(Step(0, "red"), Step(1, "green")),
            alerts=("TargetDown", "CollectorDown", "ServerDown"),
        ),
    ),
)
_COLLECTOR: Final = Row(
    "Collector",
    (
        Panel(
            title="Accepted",
            says="Records a second that the Collector took, by signal and receiver.",
            asks=_each(CollectorMetrics.ACCEPTED, "receiver"),
            unit=Unit.EACH_SECOND,
            alerts=("NoTelemetry",),
        ),
        Panel(
            title="Refused",
            says="Records a second that it did not take, such as for lack of memory; senders try again.",
            asks=_each(CollectorMetrics.REFUSED, "receiver"),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
        ),
        Panel(
            title="Delivered",
            says="Records a second that the next hop took, by signal and exporter.",
            asks=_each(CollectorMetrics.SENT, "exporter"),
            unit=Unit.EACH_SECOND,
            alerts=("ExporterFailing",),
        ),
        Panel(
            title="Given up",
            says="Records a second that an exporter gave up after all attempts.",
            asks=_each(CollectorMetrics.FAILED, "exporter", sure=False),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
            alerts=("CollectorDropsTelemetry",),
        ),
        Panel(
            title="Not queued",
            says="Records a second that found the queue full.",
            asks=_each(CollectorMetrics.NOT_QUEUED, "exporter", sure=False),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
            alerts=("CollectorDropsTelemetry",),
        ),
        Panel(
            title="Queues",
            says="Used share of the queue of each exporter and signal, of several Collectors' the fullest: one that "
            "fills has a next hop that is slow or away.",
            asks=(
                Ask(
                    share(
                        WHOLE.now(CollectorMetrics.QUEUE, by=_QUEUE, how="max"),
                        WHOLE.now(CollectorMetrics.QUEUE_CAPACITY, by=_QUEUE, how="max"),
                    )
                ),
            ),
            unit=Unit.SHARE,
            most=1,
            steps=at_least(0.5, 0.8),
            alerts=("QueueFilling",),
        ),
        Panel(
            title="Memory of the Collector",
            says="Physical memory: near the limit of memory_limiter it refuses.",
            asks=(Ask(WHOLE.now(CollectorMetrics.MEMORY, by=(JOB,), how="max"), "memory"),),
            unit=Unit.BYTES,
        ),
        Panel(
            title="Processor time of the Collector",
            says="Processors in use.",
            asks=(Ask(WHOLE.rate(CollectorMetrics.CPU), "processors"),),
            unit=Unit.NUMBER,
        ),
        Panel(
            title="Collector up",
            says="Time since the Collector started.",
            asks=(Ask(WHOLE.series(CollectorMetrics.UPTIME).max(JOB)),),
            unit=Unit.AGE,
            kind=Kind.FIGURE,
        ),
    ),
)
_SERVER: Final = Row(
    "Server",
    (
        Panel(
            title="Stored",
            says="Records a second that the otelkit server committed, by signal.",
            asks=(Ask(WHOLE.rate(ServerMetrics.RECEIVED, by=(Otelkit.SIGNAL,))),),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Rejected records",
            says="Records a second that were dropped for what they are, by reason.",
            asks=(Ask(WHOLE.rate(ServerMetrics.REJECTED, by=_WHY)),),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
        ),
        Panel(
            title="Refused requests",
            says="Requests a second of which nothing was stored, by reason; most of their senders try again.",
            asks=(Ask(WHOLE.rate(ServerMetrics.REFUSED, by=_WHY)),),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
        ),
        Panel(
            title="Delay from end to end",
            says="From the time of a request's oldest record to its commit in the server, 95th percentile by signal.",
            asks=(Ask(WHOLE.quantile(0.95, ServerMetrics.DELAY, by=(Otelkit.SIGNAL,))),),
            unit=Unit.SECONDS,
            steps=at_least(30, 300),
        ),
        Panel(
            title="Waiting",
            says="Bytes of bodies that wait to be stored; beyond 96 MiB senders are told to come again.",
            asks=(Ask(WHOLE.now(ServerMetrics.QUEUE_SIZE), "bytes"),),
            unit=Unit.BYTES,
            steps=at_least(48 * 2**20, 96 * 2**20),
        ),
        Panel(
            title="Requests waiting",
            says="Requests that wait to be stored.",
            asks=(Ask(WHOLE.now(ServerMetrics.QUEUE_LENGTH), "requests"),),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Database",
            says="Size of the server's database.",
            asks=(Ask(WHOLE.now(ServerMetrics.STORE_SIZE, how="max"), "size"),),
            unit=Unit.BYTES,
        ),
        Panel(
            title="Writing",
            says="1 while the server can write, 0 while its disk is full or the database away.",
            asks=(Ask(WHOLE.now(ServerMetrics.WRITABLE, how="min")),),
            unit=Unit.NUMBER,
            kind=Kind.FIGURE,
            steps=(Step(0, "red"), Step(1, "green")),
        ),
        Panel(
            title="Server up",
            says="Time since the server started.",
            asks=(Ask(WHOLE.now(ServerMetrics.UPTIME, how="min")),),
            unit=Unit.AGE,
            kind=Kind.FIGURE,
        ),
    ),
)

_ALERTING: Final = Row(
    "Alerting",
    (
        Panel(
            title="Alerts",
            says="How many alerts are pending and firing.",
            asks=(Ask(WHOLE.now(PrometheusMetrics.ALERTS, by=("alertstate",), how="count"), sure=False),),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Rules that failed",
            says="Evaluations a second that failed, by group of rules.",
            asks=(Ask(WHOLE.rate(PrometheusMetrics.RULE_FAILURES, by=("rule_group",)), sure=False),),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
            alerts=("RuleFailing",),
        ),
        Panel(
            title="Messages that failed",
            says="Notifications a second that did not reach their channel.",
            asks=(Ask(WHOLE.rate(AlertmanagerMetrics.FAILED, by=("integration",))),),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.001, 1),
            alerts=("NotificationsFailing",),
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-pipeline",
    title="Pipeline",
    says="Telemetry on its way: accepted, refused, queued, dropped by reason, and how long it takes.",
    rows=(_SERVICES, _COLLECTOR, _SERVER, _ALERTING),
)
