"""Services and their steps."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights import services as insight
from otelkit.server.insights.budgets import budgets as against
from otelkit.server.insights.map import service_map
from otelkit.server.kinds import KINDS

__all__ = ["budgets", "mapped", "services", "steps"]


def services(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return insight.services(ask.connection, ask.period(params), params.scope())


def mapped(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return service_map(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def budgets(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return against(ask.connection, ask.period(params), params.scope())


def steps(ask: Ask) -> Json:
    params = ask.params("kind", ranged=True)
    return insight.steps(ask.connection, ask.period(params), params.scope(), params.choice("kind", KINDS))
