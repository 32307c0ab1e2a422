"""Every alert rule fires on what it is for and is quiet beside it: Prometheus evaluates the committed files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.provision import tree
from otelkit.provision.alerts import rules
from otelkit.provision.alerts.definition import HEARTBEAT, AlertRule, Dashboard, Severity
from otelkit.provision.alerts.rules import RULES, Links
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.promql import label
from tests.provision.alert_cases import CASES, Case
from tests.stack.parts import program

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "collector" / "prometheus" / "rules").glob("alerts-*.yaml"))
BY_NAME = {rule.name: rule for rule in RULES}


def committed(name: str) -> dict[str, Any]:
    groups = [group for path in FILES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    return next(rule for group in groups for rule in group["rules"] if rule["alert"] == name)


def promtool(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program("promtool")), *map(str, words)], capture_output=True, text=True)


@pytest.mark.stack
def test_prometheus_takes_every_file() -> None:
    checked = promtool("check", "rules", *FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert len(RULES) == sum(int(count) for count in re.findall(r"(\d+) rules found", checked.stdout))


@pytest.mark.stack
@pytest.mark.parametrize("name", BY_NAME)
def test_the_rule_fires_when_it_should_and_only_then(name: str, tmp_path: Path) -> None:
    tests = [unit_test(case) for case in CASES if case.rule == name]
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(path) for path in FILES], "tests": tests}))
    ran = promtool("test", "rules", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def unit_test(case: Case) -> dict[str, Any]:
    expected = {"eval_time": case.at, "alertname": case.rule, "exp_alerts": [_fired(case)] if case.says else []}
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    return {"name": f"{case.rule}: {case.why}", "interval": "1m", "input_series": series, "alert_rule_test": [expected]}


def _fired(case: Case) -> dict[str, Any]:
    rule = committed(case.rule)
    about = {label(name): value for name, value in case.about.items()}
    return {
        "exp_labels": {**rule["labels"], **about},
        "exp_annotations": {**rule["annotations"], "summary": case.says},
    }


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires = {case.rule for case in CASES if case.says}
    quiet = {case.rule for case in CASES if not case.says}
    assert fires == set(BY_NAME)
    assert quiet == set(BY_NAME) - {HEARTBEAT}, "the heartbeat always fires"


@pytest.mark.parametrize("case", [case for case in CASES if case.says], ids=lambda case: f"{case.rule}: {case.why}")
def test_an_alert_has_the_labels_its_rule_names(case: Case) -> None:
    assert set(case.about) == set(BY_NAME[case.rule].by)


def test_names_are_unique_and_what_explains_a_rule_is_another_one_as_bad_or_worse() -> None:
    assert len(BY_NAME) == len(RULES)
    order = list(Severity)
    for rule in RULES:
        for name in rule.explained_by:
            assert name != rule.name
            assert name in BY_NAME
            assert rule.name not in BY_NAME[name].explained_by, "two rules would silence one another"
            assert order.index(BY_NAME[name].severity) <= order.index(rule.severity), (name, rule.name)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is_with_the_labels_that_it_has(rule: AlertRule) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", rule.summary))
    assert used <= {label(attribute) for attribute in rule.by}
    assert "{{" not in rule.description
    assert rule.description.endswith(".")
    assert rule.words


def test_thresholds_and_links_are_what_is_asked_for() -> None:
    made = rules.files(Thresholds(error_share=0.03), Links(grafana="https://g.example", runbooks="https://d.example/a"))
    text = made["prometheus/rules/alerts-requests.yaml"]
    rule = yaml.safe_load(text)["groups"][0]["rules"][0]
    assert rule["alert"] == "HighErrorRate"
    assert "> 0.03" in rule["expr"]
    assert rule["annotations"]["dashboard"].startswith("https://g.example/d/")
    assert rule["annotations"]["runbook"] == "https://d.example/a#higherrorrate"


def test_every_link_to_a_dashboard_leads_to_one() -> None:
    made = {path.stem for path in (ROOT / "collector" / "grafana" / "dashboards").glob("*.json")}
    assert {dashboard.value for dashboard in Dashboard} <= made


def test_a_budget_of_nothing_has_no_rules() -> None:
    names = {rule.name for rule in rules.rules(Thresholds(daily_cost_usd=0, daily_tokens=0))}
    gone = {"DailyCostNearBudget", "DailyCostOverBudget", "CostBurn"}
    gone |= {"DailyTokensNearBudget", "DailyTokensOverBudget", "TokenBurn"}
    assert set(BY_NAME) - names == gone


def test_the_rules_are_in_the_folder_that_is_written() -> None:
    assert {f"prometheus/rules/{path.name}" for path in FILES} == set(rules.files()) <= set(tree.files())
