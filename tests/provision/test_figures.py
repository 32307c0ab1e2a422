"""Dashboards show what is there: figures that agree with alerts, and every service whatever it calls its metrics."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from otelkit.provision.alerts.definition import AlertRule
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.dashboards.boards import BOARDS, Query, queries
from otelkit.provision.dashboards.definition import MODELS, Source
from otelkit.provision.dashboards.llm import failed_calls, first_token, latency, latency_heat
from otelkit.provision.promql import Expr, Scope, differs, label, seconds
from otelkit.semconv.attributes import Core, GenAI, Operation
from otelkit.semconv.metrics import MetricDef, Metrics
from tests.provision.alert_cases import CASES, Case
from tests.provision.evaluation import Evaluation, evaluate

RULE = {rule.name: rule for rule in RULES}


def asked(expr: Expr, shown: str = "1h") -> str:
    """The query as Grafana asks it for every service."""
    query = Query("", "", Source.PROMETHEUS, expr.text, at_once=True, logs=False, sure=True)
    return query.filled(window="5m", shown=shown)


# --- what counts from nothing ------------------------------------------------------------------------------------


def counting(rule: AlertRule) -> list[Expr]:
    """What panels that name an alert count of its figures, over the time shown or as recorded."""
    asks = [ask.query for board in BOARDS for panel in board.panels if rule.name in panel.alerts for ask in panel.asks]
    found = [query for query in asks if isinstance(query, Expr) and "increase" in query.text]
    return [query for query in found if query.reads[0] in rule.expr.reads]


BEGUN = [
    case
    for case in CASES
    if case.says and counting(RULE[case.rule]) and any(values.startswith("_") for values in case.series.values())
]
"""Alerts that fire on a series which begins with its first value, and that panels name."""


@pytest.mark.stack
@pytest.mark.parametrize("case", BEGUN, ids=lambda case: f"{case.rule}: {case.why}")
def test_a_panel_that_names_an_alert_shows_what_the_alert_fires_on(case: Case, tmp_path: Path) -> None:
    rule = RULE[case.rule]
    window = max(re.findall(r"\[(\d+[smhd])\]", rule.expr.text), key=lambda window: int(seconds(window)))
    shown = [asked(query, window) for query in counting(rule)]
    evaluate(tmp_path, Evaluation(case.series, case.at, {f"sum({text}) > bool 0": 1.0 for text in shown}, case.why))


def test_there_are_such_alerts() -> None:
    assert {case.rule for case in BEGUN} >= {"UnpricedModel", "SyncFailures"}


def test_nothing_that_is_counted_over_a_time_begins_with_nothing() -> None:
    counted = [query for query in queries() if "increase(" in query.text]
    assert len(counted) > 15
    assert [query.panel for query in counted if "last_over_time(" not in query.text] == []


# --- two names for one metric --------------------------------------------------------------------------------------


def calls(metric: MetricDef, service: str, place: int, operation: str = Operation.CHAT) -> dict[str, str]:
    """Six calls a minute that take as long as one of the metric's buckets holds."""
    labels = {Core.SERVICE_NAME: service, "job": service, "instance": "one", Core.ERROR_TYPE: "refused"}
    labels |= {GenAI.OPERATION: operation}
    inside = ", ".join(f'{label(key)}="{value}"' for key, value in labels.items())
    bounds = {f"{metric.boundaries[place - 1]}": "0x30", f"{metric.boundaries[place]}": "0+6x30", "+Inf": "0+6x30"}
    name = metric.prometheus_name
    buckets = {f'{name}_bucket{{{inside}, le="{bound}"}}': values for bound, values in bounds.items()}
    return {**buckets, f"{name}_count{{{inside}}}": "0+6x30"}


NAMES = (
    (Metrics.OPERATION_DURATION, Metrics.INFERENCE_DURATION),
    (Metrics.TIME_TO_FIRST_CHUNK, Metrics.INFERENCE_TIME_TO_FIRST_CHUNK),
)


@pytest.mark.stack
@pytest.mark.parametrize(("ask", "names"), [(latency, NAMES[0]), (first_token, NAMES[1])])
def test_a_quantile_holds_services_of_either_name(
    ask: Callable[[float], Expr], names: tuple[MetricDef, MetricDef], tmp_path: Path
) -> None:
    classic, latest = names
    series = calls(classic, "old", 3) | calls(latest, "new", 8)
    expected = {asked(ask(0.5)): classic.boundaries[3], asked(ask(1)): latest.boundaries[8]}
    evaluate(tmp_path, Evaluation(series, "20m", expected))


@pytest.mark.stack
def test_a_call_that_is_recorded_by_both_names_counts_once(tmp_path: Path) -> None:
    classic, latest = NAMES[0]
    old, new = calls(classic, "old", 3), calls(latest, "new", 3)
    both = calls(classic, "both", 3, "") | calls(latest, "both", 3)
    failed = asked(failed_calls(MODELS, differs(Core.ERROR_TYPE, ""), ()))
    heat = f"max({asked(latency_heat())})"
    evaluate(
        tmp_path,
        Evaluation(old | new | both, "20m", {heat: 0.3, failed: 0.3}, "three services"),
        Evaluation(both, "20m", {heat: 0.1, failed: 0.1}, "a service of both names"),
        Evaluation(new, "20m", {heat: 0.1, failed: 0.1}, "a service of the latest name"),
    )


def test_names_of_one_metric_have_the_same_boundaries() -> None:
    with pytest.raises(ValueError, match="other boundaries"):
        Scope("5m").buckets(Metrics.OPERATION_DURATION, instead=Metrics.HTTP_DURATION)
