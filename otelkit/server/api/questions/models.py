"""Models and what they cost."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights.models import models as answer

__all__ = ["models"]


def models(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return answer(ask.connection, ask.period(params), params.scope())
