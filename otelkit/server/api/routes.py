"""The routes under ``/api`` and ``/healthz``: one table that says what each answers and which permission it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from otelkit.server.api.asking import Answer, Context, asks, does, orders
from otelkit.server.api.questions import (
    access,
    audit,
    conversations,
    demo,
    errors,
    filters,
    logs,
    metrics,
    models,
    overview,
    people,
    prices,
    sections,
    services,
    status,
    trace,
    traces,
)
from otelkit.server.api.responses import error_response
from otelkit.server.permissions import Permission, PermittedRoute

__all__ = ["ROUTES", "ApiRoute", "api_routes"]


class ApiRoute(NamedTuple):
    """One line of the table.

    ``answer`` is ``asks(question)`` for what reads, ``orders(order)`` for what changes the store, ``does(deed)`` else.
    """

    method: str
    path: str
    answer: Answer
    permission: Permission


ROUTES: Final = (
    ApiRoute("GET", "/healthz", status.healthz, "open"),
    ApiRoute("GET", "/api/access", access.whoami, "open"),
    ApiRoute("POST", "/api/login", access.log_in, "read"),
    ApiRoute("POST", "/api/logout", access.log_out, "open"),
    ApiRoute("GET", "/api/status", asks(status.status), "read"),
    ApiRoute("GET", "/api/facets", asks(filters.facets), "read"),
    ApiRoute("GET", "/api/filter", asks(filters.filters), "read"),
    ApiRoute("GET", "/api/overview", asks(overview.overview), "read"),
    ApiRoute("GET", "/api/present", asks(overview.present), "read"),
    ApiRoute("GET", "/api/errors", asks(overview.errors), "read"),
    ApiRoute("GET", "/api/errors/groups", asks(errors.groups), "read"),
    ApiRoute("GET", "/api/errors/groups/{group}", asks(errors.group), "read"),
    ApiRoute("POST", "/api/errors/groups/{group}/resolve", orders(errors.resolve), "write"),
    ApiRoute("POST", "/api/errors/groups/{group}/reopen", orders(errors.reopen), "write"),
    ApiRoute("GET", "/api/traces", asks(traces.traces), "read"),
    ApiRoute("GET", "/api/traces/{trace_id}", asks(trace.trace), "read"),
    ApiRoute("GET", "/api/traces/{trace_id}/search", asks(trace.search), "read"),
    ApiRoute("GET", "/api/traces/{trace_id}/spans/{span_id}", asks(trace.span), "read"),
    ApiRoute("GET", "/api/traces/{trace_id}/transcript", asks(trace.conversation), "read"),
    ApiRoute("GET", "/api/conversations", asks(conversations.conversations), "read"),
    ApiRoute("GET", "/api/conversations/{conversation:path}", asks(conversations.conversation), "read"),
    ApiRoute("GET", "/api/top", asks(conversations.top), "read"),
    ApiRoute("GET", "/api/logs", asks(logs.logs), "read"),
    ApiRoute("GET", "/api/models", asks(models.models), "read"),
    ApiRoute("GET", "/api/prices", asks(prices.prices), "read"),
    ApiRoute("PUT", "/api/prices", orders(prices.set_price), "write"),
    ApiRoute("DELETE", "/api/prices", orders(prices.remove_price), "write"),
    ApiRoute("POST", "/api/demo", does(demo.load_demo), "write"),
    ApiRoute("DELETE", "/api/demo", does(demo.remove_demo), "write"),
    ApiRoute("POST", "/api/demo/trace", does(demo.send_sample), "write"),
    ApiRoute("POST", "/api/people", does(people.look), "audit"),
    ApiRoute("GET", "/api/audit", asks(audit.entries), "audit"),
    ApiRoute("GET", "/api/audit/verify", asks(audit.verify), "audit"),
    ApiRoute("GET", "/api/audit/export", audit.export, "audit"),
    ApiRoute("GET", "/api/services", asks(services.services), "read"),
    ApiRoute("GET", "/api/services/map", asks(services.mapped), "read"),
    ApiRoute("GET", "/api/budgets", asks(services.budgets), "read"),
    ApiRoute("GET", "/api/steps", asks(services.steps), "read"),
    ApiRoute("GET", "/api/retrieval", asks(sections.retrieval), "read"),
    ApiRoute("GET", "/api/tools", asks(sections.tools), "read"),
    ApiRoute("GET", "/api/databases", asks(sections.databases), "read"),
    ApiRoute("GET", "/api/system", asks(sections.system), "read"),
    ApiRoute("GET", "/api/jobs", asks(sections.jobs), "read"),
    ApiRoute("GET", "/api/metrics", asks(metrics.metrics), "read"),
    ApiRoute("GET", "/api/metrics/plot", asks(metrics.plotted), "read"),
    ApiRoute("GET", "/api/metrics/points", asks(metrics.points), "read"),
)


def api_routes(context: Context) -> list[PermittedRoute]:
    """Return every route of the API."""
    routes = [
        PermittedRoute(path, _endpoint(answer, context), methods=[method], permission=permission)
        for method, path, answer, permission in ROUTES
    ]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [*routes, PermittedRoute("/api/{rest:path}", _unknown, methods=methods, permission="open")]


def _endpoint(answer: Answer, context: Context) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer(context, request)

    return endpoint


async def _unknown(request: Request) -> Response:
    return error_response(f"there is no {request.method} {request.url.path[:200]}", 404)
