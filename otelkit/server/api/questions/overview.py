"""The first page, and what failed lately."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights.failures import failures
from otelkit.server.insights.overview import overview as answer

__all__ = ["errors", "overview"]


def overview(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return answer(ask.connection, ask.period(params), params.scope())


def errors(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return failures(ask.connection, ask.period(params), params.scope())
