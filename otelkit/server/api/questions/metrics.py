"""Metrics that arrived."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json, found
from otelkit.server.insights.metrics import metric_names, metric_points

__all__ = ["metrics", "points"]


def metrics(ask: Ask) -> Json:
    return metric_names(ask.connection, ask.params("service", "environment").scope())


def points(ask: Ask) -> Json:
    params = ask.params("name", ranged=True)
    name = params.text("name")
    if name is None:
        raise BadParameterError("name", "the name of a metric is needed")
    return found(metric_points(ask.connection, ask.period(params), params.scope(), name), "metric")
