"""Metrics that arrived."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.params import BadParameterError, Params
from otelkit.server.api.responses import Json, found
from otelkit.server.insights.metrics import metric_names, metric_points
from otelkit.server.insights.plots import WAYS, plot, stepped

__all__ = ["metrics", "plotted", "points"]


def metrics(ask: Ask) -> Json:
    return metric_names(ask.connection, ask.params("service", "environment").scope())


def points(ask: Ask) -> Json:
    params = ask.params("name", ranged=True)
    return found(metric_points(ask.connection, ask.period(params), params.scope(), _name(params)), "metric")


def plotted(ask: Ask) -> Json:
    params = ask.params("name", "way", "by", "where", ranged=True)
    _, start, end = params.period()
    answer = plot(
        ask.connection,
        stepped(ask.period(params), start, end),
        params.scope(),
        _name(params),
        way=params.choice("way", WAYS),
        by=params.text("by"),
        where=dict(_pair(text) for text in ask.request.query_params.getlist("where")),
    )
    return found(answer, "metric")


def _name(params: Params) -> str:
    name = params.text("name")
    if name is None:
        raise BadParameterError("name", "the name of a metric is needed")
    return name


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text[:1000].partition(":")
    if not colon or not key:
        raise BadParameterError("where", "not an attribute and its value", ["attribute:value"])
    return key, value
