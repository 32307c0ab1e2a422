"""Logging in and out, and what the caller may do."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from otelkit.server.access import COOKIE, SESSION_SECONDS, bearer_token
from otelkit.server.api.asking import Context
from otelkit.server.api.responses import error_response, json_response
from otelkit.server.permissions import MAY, PERMISSIONS

__all__ = ["log_in", "log_out", "whoami"]


async def whoami(context: Context, request: Request) -> Response:
    """Say whether a token is needed at all, and what may be done without another one."""
    may = [permission for permission in PERMISSIONS if permission in request.scope[MAY]]
    return json_response({"login": context.access.required, "may": may})


async def log_in(context: Context, request: Request) -> Response:
    """Give a browser a session for the token it sends, so that the token itself need not be kept there."""
    session = context.access.open_session(bearer_token(request.headers.get("authorization", "")) or "")
    if session is None:
        return error_response("send the token as: Authorization: Bearer …", 400)
    response = json_response({"login": True})
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, session, SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
    return response


async def log_out(context: Context, request: Request) -> Response:
    """Take the session away from the browser."""
    response = json_response({"login": context.access.required})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
