"""``prometheus/rules/alerts-*.yaml``: all alert rules, a file a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otelkit.provision import kinds
from otelkit.provision.alerts import cost, models, pipeline, requests, work
from otelkit.provision.alerts.definition import RUNBOOKS_PAGE, AlertRule, Category
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.documents import as_yaml

__all__ = ["RULES", "Links", "files", "rules"]

_SAYS: Final = "When somebody is told: {}. docs/alerts.md says what each alert means and what to do."
_SLOWLY: Final = {Category.COST: "5m"}  # sums over 30 days; nobody needs them every 15 seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where messages point."""

    grafana: str = kinds.address("http://localhost:3000", "Grafana, as whoever reads the message reaches it")
    runbooks: str = kinds.place(RUNBOOKS_PAGE, "docs/alerts.md: its address, or its path where people have the sources")


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return all rules with these thresholds."""
    return tuple(rule for room in (requests, models, cost, work, pipeline) for rule in room.rules(limits))


RULES: Final = rules(Thresholds())
"""All rules with the thresholds that are committed."""


def files(limits: Thresholds | None = None, links: Links | None = None) -> Mapping[str, str]:
    """Return a file for each category."""
    made = RULES if limits is None else rules(limits)
    found = {}
    for category in Category:
        group: dict[str, Any] = {"name": f"otelkit-alerts-{category.value}"}
        if category in _SLOWLY:
            group["interval"] = _SLOWLY[category]
        group["rules"] = [_rendered(rule, links or Links()) for rule in made if rule.category is category]
        text = as_yaml({"groups": [group]}, says=_SAYS.format(category.value))
        found[f"prometheus/rules/alerts-{category.value}.yaml"] = text
    return found


def _rendered(rule: AlertRule, links: Links) -> Mapping[str, Any]:
    held = {"for": rule.wait, "keep_firing_for": rule.keep}
    return {
        "alert": rule.name,
        "expr": rule.expr.text,
        **{key: value for key, value in held.items() if value and value != "0s"},
        "labels": {"severity": rule.severity.value, "category": rule.category.value},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "dashboard": f"{links.grafana}/d/{rule.dashboard.value}",
            "runbook": f"{links.runbooks}#{rule.name.lower()}",
        },
    }
