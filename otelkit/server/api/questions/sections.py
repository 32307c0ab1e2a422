"""The sections of the page that are about one kind of step."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.responses import Json
from otelkit.server.insights import jobs as running
from otelkit.server.insights import retrieval as retrieving
from otelkit.server.insights import tools as using

__all__ = ["jobs", "retrieval", "tools"]


def jobs(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return running.jobs(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def retrieval(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return retrieving.retrieval(ask.connection, ask.context.payloads, ask.period(params), params.scope())


def tools(ask: Ask) -> Json:
    params = ask.params(ranged=True)
    return using.tools(ask.connection, ask.context.payloads, ask.period(params), params.scope())
