"""Rules for what model calls cost: calls without a price, and budgets of money and tokens for an environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from otelkit.provision.alerts.definition import ON, AlertRule, Category, Dashboard, Severity, figure, told
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.promql import SERVICE, Expr, Match, Scope, label, matches
from otelkit.semconv.attributes import Core, GenAI
from otelkit.semconv.metrics import MetricDef, Metrics

__all__ = ["rules"]

_ENVIRONMENT: Final = (Core.DEPLOYMENT_ENVIRONMENT,)
_MODEL: Final = (*SERVICE, GenAI.PROVIDER, GenAI.REQUEST_MODEL)
_EVERYTHING: Final = f"All services{{{{ with $labels.{label(_ENVIRONMENT[0])} }}}} of {{{{ . }}}}{{{{ end }}}}"
_COUNTED_ONCE: Final = matches(GenAI.TOKEN_TYPE, "input|output")  # the other types are part of these


@dataclass(frozen=True, slots=True)
class _Budget:
    """What an environment may use in a window; ``shown`` is how the used part is written."""

    name: str
    metric: MetricDef
    where: tuple[Match, ...]
    window: str
    allowed: float
    shown: str
    unit: str

    def used(self, window: str = "") -> Expr:
        scope = Scope(window=window or self.window, by=_ENVIRONMENT)
        return scope.happened(self.metric, *self.where)

    @property
    def words(self) -> str:
        return self.unit.format(f"{self.allowed:,.12g}")


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return them; a budget of 0 is none."""
    money = 'printf "%.2f"'
    cost = ("$" + figure(money), "${}")
    tokens = (figure("humanize") + " tokens", "{} tokens")
    day = _Budget("DailyCost", Metrics.LLM_COST, (), "1d", limits.daily_cost_usd, *cost)
    month = _Budget("MonthlyCost", Metrics.LLM_COST, (), "30d", limits.monthly_cost_usd, *cost)
    used = _Budget("DailyTokens", Metrics.LLM_TOKENS, (_COUNTED_ONCE,), "1d", limits.daily_tokens, *tokens)
    found = [_unpriced()]
    for budget in (day, month, used):
        found += _levels(budget, limits.near) if budget.allowed else ()
    for name, budget in (("CostBurn", day), ("TokenBurn", used)):
        found += [_burn(name, budget, limits.burn)] if budget.allowed else []
    return tuple(found)


def _levels(budget: _Budget, near: float) -> Iterator[AlertRule]:
    span = {"1d": "a day", "30d": "30 days"}[budget.window]
    for level, share, severity in (("Near", near, Severity.WARNING), ("Over", 1.0, Severity.CRITICAL)):
        yield AlertRule(
            name=f"{budget.name}{level}Budget",
            category=Category.COST,
            severity=severity,
            expr=budget.used() > budget.allowed * share,
            wait="0s",
            by=_ENVIRONMENT,
            summary=f"{_EVERYTHING}: {budget.shown} in {span}, of {budget.words}",
            description=f"Model calls of all services together have used {share:.0%} of the budget.",
            words=f"more than {share:.0%} of {budget.words} in {span}, all services of an environment together",
            dashboard=Dashboard.LLM,
            explained_by=(f"{budget.name}OverBudget",) if level == "Near" else (),
        )


def _burn(name: str, budget: _Budget, share: float) -> AlertRule:
    return AlertRule(
        name=name,
        category=Category.COST,
        severity=Severity.WARNING,
        expr=budget.used("1h") > budget.allowed * share,
        wait="0s",
        by=_ENVIRONMENT,
        summary=f"{_EVERYTHING}: {budget.shown} in one hour, of {budget.words} a day",
        description="At this pace the day's budget is gone long before the day is over.",
        words=f"more than {share:.0%} of a day's budget ({budget.words}) in one hour",
        dashboard=Dashboard.LLM,
        explained_by=(f"{budget.name}OverBudget",),
    )


def _unpriced() -> AlertRule:
    unpriced = Scope(window="1h", by=_MODEL).happened(Metrics.LLM_UNPRICED).named("round")
    return AlertRule(
        name="UnpricedModel",
        category=Category.COST,
        severity=Severity.INFO,
        expr=unpriced > 0,
        wait="0s",
        by=_MODEL,
        summary=f"{ON}: the cost of {figure()} calls of {told(GenAI.REQUEST_MODEL)} is unknown",
        description="Costs and cost budgets do not hold these calls: no price is known, or no tokens were reported.",
        words="any call in an hour whose cost is unknown",
        dashboard=Dashboard.LLM,
    )
