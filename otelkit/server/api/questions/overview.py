"""The first page."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights.overview import overview as answer

__all__ = ["overview"]


def overview(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return answer(ask.connection, ask.period(params), params.scope())
