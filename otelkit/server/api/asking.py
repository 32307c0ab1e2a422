"""How a question is asked: in a thread, on one view of the store; and an order given: on the writer's thread.

A question is a function of an :class:`Ask`, an order one of an :class:`Order`, and what needs neither a view nor the
writer's transaction one of a :class:`Deed`; all return what becomes JSON.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from otelkit.errors import StorageError
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor
from otelkit.server.access import Access
from otelkit.server.api.params import BadParameterError, Params
from otelkit.server.api.responses import Json, NotFoundError, error_response, json_response
from otelkit.server.insights.ranges import Range, resolve
from otelkit.server.insights.status import Status
from otelkit.server.pipeline import BusyError, Pipeline
from otelkit.server.repricing import Repricing
from otelkit.server.storage.database import Database
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["RANGED", "Answer", "Ask", "Context", "Deed", "Order", "asks", "caller", "does", "orders", "paged"]

RANGED: Final = frozenset({"range", "from", "to", "service", "environment"})
_MOST_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    """What every question and order may use."""

    database: Database
    pipeline: Pipeline
    status: Status
    repricing: Repricing
    access: Access = field(default_factory=Access)
    payloads: PayloadReader = field(default_factory=PayloadReader)
    pseudonym: Pseudonymiser | None = None
    redactor: Redactor = field(default_factory=Redactor)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for something that is stored; ``connection`` is one consistent view, for reading only."""

    context: Context
    connection: Connection
    request: Request

    def params(self, *known: str, ranged: bool = False) -> Params:
        """Return the query's parameters; any but the ``known`` ones (and those of a range) are refused."""
        return Params(self.request.query_params, RANGED.union(known) if ranged else known)

    def period(self, params: Params, *, wide: bool = False) -> Range:
        """Return the stretch of time that is asked about; with ``wide`` all of it unless another one is named."""
        label, start, end = params.period()
        return resolve(self.connection, time.time(), label or ("all" if wide else "auto"), start, end)


@dataclass(frozen=True, slots=True)
class Deed:
    """One request for something to be done, in a thread of its own."""

    context: Context
    request: Request
    body: Json

    def fields(self, known: Iterable[str]) -> Json:
        """Return the body; raise :class:`BadParameterError` where it has a field that means nothing here."""
        names = sorted(known)
        for name in self.body:
            if name not in names:
                raise BadParameterError(name[:100], f"there is no field {name[:100]!r} here", names)
        return self.body


@dataclass(frozen=True, slots=True)
class Order(Deed):
    """One request for a change; ``connection`` is the writer's transaction, committed when the order returns."""

    connection: Connection


def caller(context: Context) -> str:
    """Return who asked for a change, as the audit trail knows them: whoever may is an admin, or at this machine."""
    return "admin" if context.access.required else "local"


Answer = Callable[[Context, Request], Awaitable[Response]]


def asks(question: Callable[[Ask], Json]) -> Answer:
    """Return the answer to a question, asked in a thread of its own."""

    async def answer(context: Context, request: Request) -> Response:
        def ask() -> Json:
            with context.database.reading() as connection:
                return question(Ask(context, connection, request))

        return await _answered(run_in_threadpool(ask))

    return answer


def orders(order: Callable[[Order], Json]) -> Answer:
    """Return the answer to an order, carried out by the writer's thread between two batches.

    Only JSON is taken: a form on a foreign page cannot send that without asking the browser, which asks us first.
    """

    async def obey(context: Context, request: Request, body: Json) -> Json:
        given = context.pipeline.run(lambda connection: order(Order(context, request, body, connection)))
        return await asyncio.wrap_future(given)

    return _told(obey)


def does(deed: Callable[[Deed], Json]) -> Answer:
    """Return the answer to what is done in a thread of its own; it may wait for the writer. Only JSON is taken."""

    async def do(context: Context, request: Request, body: Json) -> Json:
        return await run_in_threadpool(deed, Deed(context, request, body))

    return _told(do)


def _told(act: Callable[[Context, Request, Json], Awaitable[Json]]) -> Answer:
    """Return the answer to a request whose body says what to do."""

    async def answer(context: Context, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return error_response("send application/json", 415)
        try:
            body = await _body(request)
        except BadParameterError as bad:
            return json_response(bad.json(), 400)
        except ClientDisconnect:
            return Response(status_code=400)
        return await _answered(act(context, request, body))

    return answer


def paged(question: Callable[[], Json]) -> Json:
    """Ask; a ValueError is a cursor that is not one of this list."""
    try:
        return question()
    except ValueError as error:
        raise BadParameterError("cursor", str(error)) from error


async def _answered(asked: Awaitable[Json]) -> Response:
    try:
        return json_response(await asked)
    except BadParameterError as bad:
        return json_response(bad.json(), 400)
    except NotFoundError as missing:
        return error_response(str(missing), 404)
    except (StorageError, BusyError) as failure:
        return error_response(str(failure), 503)


async def _body(request: Request) -> Json:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _MOST_BODY:
            raise BadParameterError("body", f"longer than {_MOST_BODY} bytes")
    try:
        body: Any = json.loads(received or b"{}")
    except (ValueError, RecursionError):
        raise BadParameterError("body", "not JSON") from None
    if not isinstance(body, dict):
        raise BadParameterError("body", "not a JSON object")
    return body
