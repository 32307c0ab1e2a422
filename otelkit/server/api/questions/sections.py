"""The sections of the page that are about one kind of step."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights import databases as keeping
from otelkit.server.insights import jobs as running
from otelkit.server.insights import retrieval as retrieving
from otelkit.server.insights import system as standing
from otelkit.server.insights import tools as using
from otelkit.server.insights.plots import stepped

__all__ = ["databases", "jobs", "retrieval", "system", "tools"]


def databases(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return keeping.databases(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def jobs(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return running.jobs(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def retrieval(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return retrieving.retrieval(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def system(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    _, start, end = params.period()
    return standing.system(ask.connection, stepped(ask.period(params), start, end), params.scope())


def tools(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return using.tools(ask.connection, ask.context.payloads, ask.period(params), params.scope())
