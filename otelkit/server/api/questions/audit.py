"""Who did what: the audit trail, whether it is whole, and all of it as a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from otelkit.errors import StorageError
from otelkit.server.api.asking import Ask, Context, caller, paged
from otelkit.server.api.params import BadParameterError, Params
from otelkit.server.api.responses import Json, error_response, json_response
from otelkit.server.insights import audit as insight
from otelkit.server.pipeline import BusyError
from otelkit.server.storage import audit as trail

__all__ = ["entries", "export", "verify"]

_ASKED: Final = (*insight.FIELDS, "q", "from", "to")
_MOST: Final = 500


def entries(ask: Ask) -> Json:
    params = ask.params(*_ASKED, "limit", "cursor")
    limit, cursor = params.integer("limit", 50, 1, _MOST), params.text("cursor")
    return paged(lambda: insight.list_entries(ask.connection, _wanted(params), limit=limit, cursor=cursor))


def verify(ask: Ask) -> Json:
    ask.params()
    return insight.checked(ask.connection)


async def export(context: Context, request: Request) -> Response:
    """Answer with JSON lines, oldest first; that somebody took them out is an entry of its own."""
    try:
        wanted = _wanted(Params(request.query_params, _ASKED))
    except BadParameterError as bad:
        return json_response(bad.json(), 400)
    asked = {name: context.redactor.text(value) for name, value in request.query_params.items()}
    actor = caller(context)
    try:
        noted = context.pipeline.run(
            lambda connection: trail.note(connection, "audit.exported", actor=actor, after=asked)
        )
        await asyncio.wrap_future(noted)
    except (StorageError, BusyError) as failure:
        return error_response(str(failure), 503)

    def lines() -> Iterator[bytes]:
        with context.database.reading() as connection:
            for entry in insight.every_entry(connection, wanted):
                yield json.dumps(entry, separators=(",", ":")).encode() + b"\n"

    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(lines(), headers=headers, media_type="application/x-ndjson")


def _wanted(params: Params) -> ColumnElement[bool]:
    values = {name: value for name in insight.FIELDS if (value := params.text(name)) is not None}
    start, end = (_nanoseconds(params.number(name)) for name in ("from", "to"))
    return insight.entries(values, start, end, params.text("q") or "")


def _nanoseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else int(milliseconds * 1e6)
