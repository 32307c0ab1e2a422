"""Whoever is told of an alert finds its runbook, and it says what to do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from otelkit.provision.alertmanager.options import Intervals
from otelkit.provision.alerts.definition import Category
from otelkit.provision.alerts.rules import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")
RUNBOOKS = {
    found[1]: found[2]
    for found in re.finditer(r"^### (\w+)\n(.*?)(?=^#|\Z)", PAGE.partition("\n# Runbooks\n")[2], re.M | re.S)
}
PARTS = ("Means", "Look first", "Do")


def test_every_rule_has_a_runbook_and_no_runbook_is_of_a_rule_that_is_gone() -> None:
    assert sorted(RUNBOOKS) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_says_what_it_means_what_to_look_at_first_and_what_to_do(name: str) -> None:
    parts = dict(re.findall(r"^- \*\*([\w ]+):\*\* (.+)$", RUNBOOKS[name], re.M))
    assert tuple(parts) == PARTS
    assert all(text.endswith((".", "?")) for text in parts.values())
    assert len(parts["Means"].split()) > 8
    assert min(len(parts["Do"].split()), len(parts["Look first"].split())) > 4


def test_every_category_is_named_where_severities_are_explained() -> None:
    section = PAGE.partition("\n## Who is told")[2].partition("\n## ")[0]
    assert all(category.value in section for category in Category)


def test_the_times_that_are_told_are_the_ones_that_are_committed() -> None:
    times = Intervals()
    rows = {line.split(" | ")[0].strip("| "): line.rstrip(" |").split(" | ")[4:7] for line in PAGE.splitlines()}
    critical = (times.critical_gather, times.critical_quiet, times.critical_repeat)
    assert rows["critical"] == [_words(text) for text in critical]
    assert times.repeat == "230m", "told at the first multiple of an hour after it, the fourth"
    assert rows["warning"] == rows["info"] == [_words(times.gather), _words(times.quiet), "4 h"]


def _words(text: str) -> str:
    return f"{text[:-1]} {text[-1]}"


def test_the_changelog_knows_how_many_rules_there_are() -> None:
    assert f"**Alerts**: {len(RULES)} rules" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_example_of_choices_writes_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
    (tmp_path / "provision.toml").write_text(code)
    command = [sys.executable, "-m", "otelkit.cli", "provision"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "with the choices of provision.toml" in done.stdout
    written = yaml.safe_load((tmp_path / "collector" / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    kinds = {receiver["name"]: sorted(set(receiver) - {"name"}) for receiver in written["receivers"]}
    assert kinds == {
        "heartbeat": ["webhook_configs"],
        "critical": ["email_configs", "slack_configs"],
        "warning": ["slack_configs"],
        "info": [],
        **{f"security, {severity}": ["webhook_configs"] for severity in ("critical", "warning", "info")},
    }
    rules = (tmp_path / "collector" / "prometheus" / "rules" / "alerts-requests.yaml").read_text("utf-8")
    assert "> 0.02" in rules
    assert "runbook: https://docs.shop.example/alerts#higherrorrate" in rules
