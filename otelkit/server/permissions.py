"""What a route asks of whoever calls it; every route of the application says it where it is declared.

:class:`~otelkit.server.security.Guard` puts what the caller may do into the scope; the routes here ask for it before
anything else happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

__all__ = ["MAY", "PERMISSIONS", "Permission", "PermittedMount", "PermittedRoute", "PermittedWebSocket", "may"]

Permission = Literal["open", "read", "write", "ingest", "audit"]
# open: shows nothing that is stored · read: shows it · write: changes data or settings · ingest: sends telemetry ·
# audit: shows who did what
PERMISSIONS: Final[tuple[Permission, ...]] = ("open", "read", "write", "ingest", "audit")
MAY: Final = "otelkit.may"
"""The scope's key for what the caller may do, a set of permissions."""

Refuse = Callable[[Request, int, str], Response]


def may(scope: Scope, permission: Permission) -> bool:
    """Say whether the caller has a permission; where nobody has said what it may do, it may nothing."""
    return permission in scope.get(MAY, ())


def _refused(_request: Request, status: int, message: str) -> Response:
    return JSONResponse({"error": {"parameter": None, "message": message, "allowed": None}}, status)


class PermittedRoute(Route):
    """A route that says which permission it needs, and how it refuses."""

    def __init__(
        self, path: str, endpoint: Any, *, methods: list[str], permission: Permission, refused: Refuse = _refused
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.permission: Permission = permission
        self._refused = refused

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if may(scope, self.permission):
            await super().handle(scope, receive, send)
            return
        known = may(scope, "read") or may(scope, "ingest")
        message = f"this token may not {self.permission} here" if known else "a token is needed: log in, or send it"
        response = self._refused(Request(scope), 403 if known else 401, message)
        if not known:
            response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)


class PermittedWebSocket(WebSocketRoute):
    """A WebSocket that says which permission it needs; who has none is not let in."""

    def __init__(self, path: str, endpoint: Any, *, permission: Permission) -> None:
        super().__init__(path, endpoint)
        self.permission: Permission = permission

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if may(scope, self.permission):
            await super().handle(scope, receive, send)
        else:
            await WebSocketClose(code=1008, reason="a token is needed: log in")(scope, receive, send)


class PermittedMount(Mount):
    """An application below a path, open to all: the page's own files, which hold nothing that is stored."""

    permission: Final[Permission] = "open"
