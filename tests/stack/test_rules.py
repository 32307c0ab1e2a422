"""The alert rules on the real pipeline: what they read is there under its name, and nothing fires that should not."""

from __future__ import annotations

from pathlib import Path

import pytest

from otelkit.provision.alerts.definition import HEARTBEAT, AlertRule, Category
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.foreign import CollectorMetrics, PrometheusMetrics
from otelkit.provision.promql import INSTANCE, JOB, SERVICE, label
from otelkit.semconv.metrics import (
    ContainerMetrics,
    DatabaseMetrics,
    Instrument,
    JobMetrics,
    MetricDef,
    Metrics,
    RequestMetrics,
    SecurityMetrics,
)
from otelkit.testing.otlp_sink import Answer
from tests.stack.collector_support import rig
from tests.stack.pipeline import Load, Pipeline
from tests.stack.running import until

UNSEEN = {
    *(RequestMetrics.WEBSOCKETS, RequestMetrics.WEBSOCKET_DISCONNECTS, SecurityMetrics.EVENTS),
    *(Metrics.INFERENCE_DURATION, Metrics.INFERENCE_TIME_TO_FIRST_CHUNK),  # names of the other profile
    *(
        DatabaseMetrics.WAIT_TIME,
        DatabaseMetrics.TIMEOUTS,
        DatabaseMetrics.CONNECTIONS,
        DatabaseMetrics.CONNECTIONS_MAX,
    ),
    *(JobMetrics.SYNC_FAILURES, JobMetrics.QUEUE_LENGTH, JobMetrics.QUEUE_OLDEST),
    *(ContainerMetrics.WORKING_SET, ContainerMetrics.MEMORY_LIMIT),  # where a container has a limit
    *(*CollectorMetrics.FAILED, *CollectorMetrics.NOT_QUEUED),  # counters that begin with the first loss
    PrometheusMetrics.RULE_FAILURES,  # Prometheus does not scrape itself here
}
"""What a healthy demo has no series of."""


def series(pipeline: Pipeline, metric: MetricDef) -> list[dict[str, str]]:
    """The labels of a metric's series in Prometheus."""
    suffix = "_count" if metric.instrument is Instrument.HISTOGRAM else ""
    return [entry["metric"] for entry in pipeline.prometheus.query(f"{metric.collected_name}{suffix}")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_a_rule_reads_is_there_with_the_labels_it_is_kept_apart_by(
    rule: AlertRule, pipeline: Pipeline, load: Load
) -> None:
    for metric in set(rule.expr.reads) - UNSEEN:
        found = until(lambda metric=metric: series(pipeline, metric), 60, metric.collected_name)
        there = {name for labels in found for name in labels}
        carried = {*metric.attributes, *SERVICE, JOB, INSTANCE} & set(rule.by)
        assert {label(attribute) for attribute in carried} <= there, metric.name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_prometheus_evaluates_a_rule(rule: AlertRule, pipeline: Pipeline) -> None:
    pipeline.prometheus.query(rule.expr.text)  # an error has status 400


def test_of_a_healthy_pipeline_only_the_heartbeat_says_anything(pipeline: Pipeline, load: Load) -> None:
    until(lambda: series(pipeline, Metrics.UPTIME), 60, "the service's metrics")
    about = [rule for rule in RULES if rule.category is Category.PIPELINE]

    def saying() -> list[str]:
        return [rule.name for rule in about if pipeline.prometheus.query(rule.expr.text)]

    until(lambda: saying() == [HEARTBEAT], 60, "nothing but the heartbeat")  # rules wait for minutes; so may this


def test_the_collector_counts_what_a_destination_refuses_under_the_name_the_rule_reads(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        running.loki.script(then=Answer(400))
        running.client().logger.emit(body="too old")
        name = CollectorMetrics.FAILED[1].collected_name
        until(lambda: running.collector.own(name) >= 1, 20, name)
