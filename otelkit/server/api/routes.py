"""The routes under ``/api`` and ``/healthz``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otelkit.errors import StorageError
from otelkit.server.api.params import BadParameterError, Params, parse_id
from otelkit.server.insights.logs import LogFilter, list_logs
from otelkit.server.insights.metrics import metric_names, metric_points
from otelkit.server.insights.models import models
from otelkit.server.insights.overview import overview
from otelkit.server.insights.ranges import Range, resolve
from otelkit.server.insights.services import facets, services, steps
from otelkit.server.insights.status import Status
from otelkit.server.insights.trace import one_span, one_trace
from otelkit.server.insights.traces import SORTS, TraceFilter, list_traces
from otelkit.server.kinds import KINDS
from otelkit.server.storage.database import Database
from otelkit.server.storage.logs import SEVERITIES
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["api_routes"]

Json = dict[str, Any]
Question = Callable[[Connection, Request], Json]
_RANGED: Final = frozenset({"range", "from", "to", "service", "environment"})
_TEXTS: Final = ("model", "tool", "user", "group", "conversation", "session", "name")


class NotFoundError(Exception):
    """Nothing of this id."""


def api_routes(database: Database, status: Status) -> list[Route]:
    """Return every route of the API."""
    answers = _Answers(database, status)
    questions: dict[str, Question] = {
        "/api/status": answers.status,
        "/api/facets": answers.facets,
        "/api/overview": answers.overview,
        "/api/traces": answers.traces,
        "/api/traces/{trace_id}": answers.trace,
        "/api/traces/{trace_id}/spans/{span_id}": answers.span,
        "/api/logs": answers.logs,
        "/api/models": answers.models,
        "/api/services": answers.services,
        "/api/steps": answers.steps,
        "/api/metrics": answers.metrics,
        "/api/metrics/points": answers.points,
    }
    routes = [Route(path, _endpoint(database, question), methods=["GET"]) for path, question in questions.items()]
    routes.append(Route("/healthz", answers.healthz, methods=["GET"]))
    routes.append(Route("/api/{rest:path}", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    return routes


def _endpoint(database: Database, question: Question) -> Callable[[Request], Any]:
    def ask(request: Request) -> Json:
        with database.reading() as connection:
            return question(connection, request)

    async def answer(request: Request) -> Response:
        try:
            return json_response(await run_in_threadpool(ask, request))
        except BadParameterError as bad:
            return json_response(bad.json(), 400)
        except NotFoundError as missing:
            return json_response(_error(str(missing)), 404)
        except StorageError as failure:
            return json_response(_error(str(failure)), 503)

    return answer


async def _unknown(request: Request) -> Response:
    return json_response(_error(f"there is no {request.method} {request.url.path[:200]}"), 404)


class _Answers:
    """One method per route."""

    def __init__(self, database: Database, status: Status) -> None:
        self._database = database
        self._status = status
        self._payloads = PayloadReader()

    async def healthz(self, request: Request) -> Response:
        state = self._status.state()
        return json_response({"status": state}, 200 if state == "ok" else 503)

    def status(self, connection: Connection, request: Request) -> Json:
        Params(request.query_params, ())
        return self._status.json(connection, time.time())

    def facets(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED)
        return facets(connection, _period(connection, params), params.scope())

    def overview(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED)
        return overview(connection, _period(connection, params), params.scope())

    def traces(self, connection: Connection, request: Request) -> Json:
        known = {"sort", "status", "kind", "min_duration_ms", "max_duration_ms", "q", "limit", "cursor", *_TEXTS}
        params = Params(request.query_params, _RANGED | known)
        wanted = TraceFilter(
            status=params.choice("status", ("ok", "error")),
            kind=params.choice("kind", KINDS),
            min_duration_ms=params.number("min_duration_ms"),
            max_duration_ms=params.number("max_duration_ms"),
            words=params.words("q"),
            **{name: params.text(name) for name in _TEXTS},
        )
        period = _period(connection, params, wide=wanted.narrow)
        return _paged(
            lambda: list_traces(
                connection,
                period,
                params.scope(),
                wanted,
                sort=params.choice("sort", SORTS) or "newest",
                limit=params.integer("limit", 50, 1, 200),
                cursor=params.text("cursor"),
            )
        )

    def trace(self, connection: Connection, request: Request) -> Json:
        Params(request.query_params, ())
        trace_id = parse_id("trace_id", request.path_params["trace_id"], 32)
        return _found(one_trace(connection, self._payloads, trace_id), "trace")

    def span(self, connection: Connection, request: Request) -> Json:
        Params(request.query_params, ())
        trace_id = parse_id("trace_id", request.path_params["trace_id"], 32)
        span_id = parse_id("span_id", request.path_params["span_id"], 16)
        return _found(one_span(connection, self._payloads, trace_id, span_id), "span")

    def logs(self, connection: Connection, request: Request) -> Json:
        known = {"severity", "q", "trace_id", "span_id", "logger", "event_name", "limit", "cursor"}
        params = Params(request.query_params, _RANGED | known)
        wanted = LogFilter(
            severity=params.choice("severity", SEVERITIES),
            words=params.words("q"),
            trace_id=params.hexadecimal("trace_id", 32),
            span_id=params.hexadecimal("span_id", 16),
            logger=params.text("logger"),
            event_name=params.text("event_name"),
        )
        period = _period(connection, params)
        limit, cursor = params.integer("limit", 100, 1, 500), params.text("cursor")
        return _paged(
            lambda: list_logs(connection, self._payloads, period, params.scope(), wanted, limit=limit, cursor=cursor)
        )

    def models(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED)
        return models(connection, _period(connection, params), params.scope())

    def services(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED)
        return services(connection, _period(connection, params), params.scope())

    def steps(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED | {"kind"})
        return steps(connection, _period(connection, params), params.scope(), params.choice("kind", KINDS))

    def metrics(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, {"service", "environment"})
        return metric_names(connection, params.scope())

    def points(self, connection: Connection, request: Request) -> Json:
        params = Params(request.query_params, _RANGED | {"name"})
        name = params.text("name")
        if name is None:
            raise BadParameterError("name", "the name of a metric is needed")
        return _found(metric_points(connection, _period(connection, params), params.scope(), name), "metric")


def _period(connection: Connection, params: Params, *, wide: bool = False) -> Range:
    label, start, end = params.period()
    return resolve(connection, time.time(), label or ("all" if wide else "auto"), start, end)


def _paged(question: Callable[[], Json]) -> Json:
    try:
        return question()
    except ValueError as error:
        raise BadParameterError("cursor", str(error)) from error


def _found(answer: Json | None, what: str) -> Json:
    if answer is None:
        raise NotFoundError(f"there is no such {what}")
    return answer


def _error(message: str) -> Json:
    return {"error": {"parameter": None, "message": message, "allowed": None}}


def json_response(content: Json, status: int = 200) -> Response:
    """Return JSON that every parser accepts: numbers that JSON lacks become texts."""
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    headers = {"Cache-Control": "no-store"}
    return Response(text.encode("utf-8", "replace"), status, headers, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
