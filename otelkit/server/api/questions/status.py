"""Whether the server lives, and what it does right now."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from otelkit.server.api.asking import Ask, Context
from otelkit.server.api.responses import Json, json_response

__all__ = ["healthz", "status"]


async def healthz(context: Context, request: Request) -> Response:
    """Answer without the store, which may be what is broken."""
    state = context.status.state()
    return json_response({"status": state}, 200 if state == "ok" else 503)


def status(ask: Ask) -> Json:
    ask.params()
    return ask.context.status.json(ask.connection, time.time())
