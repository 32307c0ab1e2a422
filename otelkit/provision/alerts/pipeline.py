"""Rules for what carries telemetry: services that fall silent, the Collector, Prometheus, Alertmanager, the server."""

from __future__ import annotations

from typing import Final

from otelkit.provision.alerts.definition import HEARTBEAT, ON, AlertRule, Category, Dashboard, Severity, figure, told
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.foreign import SIGNAL, SIGNALS, AlertmanagerMetrics, CollectorMetrics, PrometheusMetrics
from otelkit.provision.prometheus.scrape import COLLECTOR, SERVER, SERVICES
from otelkit.provision.promql import INSTANCE, JOB, SERVICE, Expr, Match, Scope, equals, matches, number, together
from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import MetricDef, Metrics, ServerMetrics

__all__ = ["rules"]

_ALL: Final = Scope(window="5m")
_EXPORTER: Final = ("exporter",)


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return them."""
    return (_heartbeat(), *_down(), *_silent(), *_exporting(limits), *_losing(), *_server(limits), *_alerting())


def _heartbeat() -> AlertRule:
    return AlertRule(
        name=HEARTBEAT,
        category=Category.PIPELINE,
        severity=Severity.NONE,
        expr=number(1).named("vector"),
        wait="0s",
        keep="",
        by=(),
        summary="Alerting works",
        description="This always fires. Whoever no longer hears it knows that alerts do not arrive.",
        words="always: whoever no longer hears it knows that alerting is broken",
        dashboard=Dashboard.PIPELINE,
    )


def _up(job: Match) -> Expr:
    return _ALL.now(PrometheusMetrics.UP, job, by=(JOB,), how="max")


def _down() -> tuple[AlertRule, ...]:
    collector = equals(JOB, COLLECTOR)
    gone = _ALL.series(PrometheusMetrics.UP, collector).named("absent")
    return (
        AlertRule(
            name="CollectorDown",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=(_up(matches(JOB, f"{COLLECTOR}|{SERVICES}")) < 1) | gone,
            wait="2m",
            by=(JOB,),
            summary="The Collector does not answer Prometheus",
            description="Nothing is known of any service. Services keep telemetry for a while and then drop it.",
            words="no Collector can be scraped for 2 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="ServerDown",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=_up(equals(JOB, SERVER)) < 1,
            wait="2m",
            by=(JOB,),
            summary="otelkit's server does not answer Prometheus",
            description="Product events wait in the Collector's queue; the page and its figures are not there.",
            words="otelkit's server, where there is one, cannot be scraped for 2 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="TargetDown",
            category=Category.PIPELINE,
            severity=Severity.WARNING,
            expr=_ALL.now(PrometheusMetrics.UP, by=(JOB, INSTANCE), how="max") < 1,
            by=(JOB, INSTANCE),
            summary=f"{told(JOB)} at {told(INSTANCE)} does not answer Prometheus",
            description="A part of the pipeline is down, or its address in targets/ is wrong.",
            words="any target of Prometheus cannot be scraped for 5 minutes",
            dashboard=Dashboard.PIPELINE,
            explained_by=("CollectorDown", "ServerDown"),
        ),
    )


def _silent() -> tuple[AlertRule, ...]:
    each = Scope(window="1h", by=SERVICE)
    gone = each.seen(Metrics.UPTIME).unless(each.over("2m").seen(Metrics.UPTIME))
    nothing = _total(CollectorMetrics.ACCEPTED, "10m") < 1
    return (
        AlertRule(
            name="ServiceSilent",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=gone,
            wait="2m",
            keep="",
            summary=f"{ON} sends nothing any more",
            description="Every process of the service is gone or cannot reach the Collector.",
            words="a service that was there within the last hour sends no metrics any more, for 4 minutes",
            dashboard=Dashboard.PIPELINE,
            explained_by=("CollectorDown", "NoTelemetry"),
        ),
        AlertRule(
            name="NoTelemetry",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=nothing & (_total(CollectorMetrics.ACCEPTED, "1d") >= 1),
            by=(),
            summary="The Collector receives nothing",
            description="No service reaches the Collector: a network, a token or an address has changed.",
            words="the Collector took nothing for 15 minutes, but did within the day before",
            dashboard=Dashboard.PIPELINE,
            explained_by=("CollectorDown",),
        ),
    )


def _exporting(limits: Thresholds) -> tuple[AlertRule, ...]:
    # Neither a signal that flows nor another Collector may hide a queue that is stuck.
    each = Scope(window="5m", by=(*_EXPORTER, SIGNAL, INSTANCE))
    share = each.now(CollectorMetrics.QUEUE) / each.now(CollectorMetrics.QUEUE_CAPACITY)
    traces, logs, metrics = (_stuck(each, *both) for both in zip(SIGNALS, CollectorMetrics.SENT, strict=True))
    exporter = f"The exporter {told('exporter')} of the Collector at {told(INSTANCE)}"
    return (
        AlertRule(
            name="ExporterFailing",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=traces | logs | metrics,
            by=each.by,
            summary=f"{exporter} gets rid of no {told(SIGNAL)}",
            description="The destination is away or asks to wait. What arrives stays in the queue until that is full.",
            words="an exporter of a Collector has traces, logs or metrics to send and sent none of them for 10 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="QueueFilling",
            category=Category.PIPELINE,
            severity=Severity.WARNING,
            expr=share > limits.queue_share,
            by=each.by,
            summary=f"{exporter}: its queue of {told(SIGNAL)} is {figure('humanizePercentage')} full",
            description="When it is full, what arrives is refused or dropped.",
            words=f"a queue of a Collector's exporter more than {limits.queue_share:.0%} full for 5 minutes",
            dashboard=Dashboard.PIPELINE,
            explained_by=("ExporterFailing",),
        ),
    )


def _stuck(each: Scope, signal: str, sent: MetricDef) -> Expr:
    moves = Scope(each.window, by=(*_EXPORTER, INSTANCE)).increase(sent) > 0
    return (each.now(CollectorMetrics.QUEUE, equals(SIGNAL, signal)) > 0).unless(moves, *_EXPORTER, INSTANCE)


def _losing() -> tuple[AlertRule, ...]:
    each = Scope(window="15m", by=_EXPORTER)
    lost = (*CollectorMetrics.FAILED, *CollectorMetrics.NOT_QUEUED)
    dropped = Scope(window="15m", by=(*SERVICE, Otelkit.SIGNAL, Otelkit.DROP_REASON))
    return (
        AlertRule(
            name="CollectorDropsTelemetry",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=together(*(each.happened(metric, uptime=CollectorMetrics.UPTIME) for metric in lost)).named("round")
            > 0,
            wait="0s",
            by=_EXPORTER,
            summary=f"The Collector's exporter {told('exporter')} dropped {figure()} records in 15 minutes",
            description="They are lost: the queue was full, or the destination refused them.",
            words="any record that an exporter of the Collector gave up in 15 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="ServiceDropsTelemetry",
            category=Category.PIPELINE,
            severity=Severity.WARNING,
            expr=dropped.happened(Metrics.DROPPED).named("round") > 0,
            wait="0s",
            by=dropped.by,
            summary=f"{ON} dropped {figure()} {told(Otelkit.SIGNAL)} records: {told(Otelkit.DROP_REASON)}",
            description="The service makes more than it can send, or the Collector was away for too long.",
            words="any record that a service dropped in 15 minutes",
            dashboard=Dashboard.PIPELINE,
            explained_by=("CollectorDown",),
        ),
    )


def _server(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(window="10m", by=(Otelkit.SIGNAL,))
    return (
        AlertRule(
            name="ServerNotWriting",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=_ALL.now(ServerMetrics.WRITABLE, by=(INSTANCE,), how="min") < 1,
            wait="2m",
            by=(INSTANCE,),
            summary=f"otelkit's server at {told(INSTANCE)} cannot write",
            description="Its database is full, read-only or away. Senders keep what they have and come again.",
            words="otelkit's server cannot write to its database for 2 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="SlowPipeline",
            category=Category.PIPELINE,
            severity=Severity.WARNING,
            expr=each.quantile(0.95, ServerMetrics.DELAY) > limits.delay_p95,
            by=each.by,
            summary=f"p95 of the way of {told(Otelkit.SIGNAL)} to the server is {figure('humanizeDuration')}",
            description="What the page shows is old; queues before the server are full or their senders were away.",
            words=f"p95 of the time from a span's end to its commit in the server above {limits.delay_p95:g} s "
            "for 5 minutes",
            dashboard=Dashboard.PIPELINE,
            explained_by=("ExporterFailing", "ServerNotWriting"),
        ),
    )


def _alerting() -> tuple[AlertRule, ...]:
    channel, group = ("integration",), ("rule_group",)
    return (
        AlertRule(
            name="NotificationsFailing",
            category=Category.PIPELINE,
            severity=Severity.CRITICAL,
            expr=Scope(window="15m", by=channel).increase(AlertmanagerMetrics.FAILED) > 0,
            by=channel,
            summary=f"Alertmanager's messages by {told('integration')} do not arrive",
            description="Somebody is not told of alerts: a token or an address is wrong, or the receiver is away.",
            words="any message of Alertmanager failed in 15 minutes, for 5 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
        AlertRule(
            name="RuleFailing",
            category=Category.PIPELINE,
            severity=Severity.WARNING,
            expr=Scope(window="15m", by=group).increase(PrometheusMetrics.RULE_FAILURES) > 0,
            by=group,
            summary=f"Prometheus cannot evaluate rules of {told('rule_group')}",
            description="These alerts do not fire and these recorded series stand still.",
            words="any rule that could not be evaluated in 15 minutes, for 5 minutes",
            dashboard=Dashboard.PIPELINE,
        ),
    )


def _sum(scope: Scope, metrics: tuple[MetricDef, ...]) -> Expr:
    return together(*(scope.increase(metric) for metric in metrics))


def _total(metrics: tuple[MetricDef, ...], window: str) -> Expr:
    return _sum(Scope(window=window, by=()), metrics)
