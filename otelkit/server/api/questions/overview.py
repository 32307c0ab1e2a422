"""The first page: what it says, who is here, and what failed lately."""

from __future__ import annotations

import time

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights.failures import failures
from otelkit.server.insights.overview import overview as answer
from otelkit.server.insights.present import present as who_is_here

__all__ = ["errors", "overview", "present"]


def overview(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return answer(ask.connection, ask.period(params), params.scope())


def present(ask: Ask) -> Json:
    params = ask.params("service", "environment")
    return who_is_here(ask.connection, time.time(), params.scope())


def errors(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return failures(ask.connection, ask.period(params), params.scope())
