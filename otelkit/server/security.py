"""What stands before every route: who may ask, and the headers that keep the page's content inert.

A page on the web can make its reader's browser send requests to 127.0.0.1. Two things give such requests away: the Host
header, when a foreign name was made to resolve here (DNS rebinding), and the Origin header, which browsers add.
OpenTelemetry clients send no Origin, and a Host that names this machine or whatever name the operator gave them, so
for OTLP only a foreign Origin is refused. Where a token is needed, any Host is fine, because a foreign name gets no
session from the browser, and an Origin must be the Host itself.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from otelkit.server.access import COOKIE, Access, Allowance, bearer_token
from otelkit.server.config import is_loopback
from otelkit.server.intruders import Intruders
from otelkit.server.permissions import MAY, Permission

__all__ = ["Guard"]

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OTLP: Final = "/v1/"
# A page asks a handful of questions at a time; somebody who guesses tokens needs a great many.
_REQUESTS: Final = (200.0, 1000.0)
_GUESSES: Final = (1 / 6, 10.0)


class Guard:
    """ASGI middleware; wraps everything, and says in the scope what the caller may do."""

    def __init__(self, app: ASGIApp, access: Access, intruders: Intruders) -> None:
        self._app = app
        self._access = access
        self._intruders = intruders
        self._requests = Allowance(*_REQUESTS)
        self._guesses = Allowance(*_GUESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        otlp = scope["path"].startswith(_OTLP)
        address = (scope.get("client") or ("",))[0]
        if refused := self._foreign(headers, otlp=otlp):
            await _refuse(scope, receive, send, 403, refused)
            return
        found = self._permissions(headers)
        # Senders are not counted: one with an old token must not keep the others at its address from anything.
        wrong = found is None and not otlp
        taken = otlp or (self._guesses if wrong else self._requests).take(address)
        if wrong:
            self._intruders.saw(address, "token.refused" if taken else "guesses.limited")
        if not taken:
            await _refuse(scope, receive, send, 429, "too many requests from here: try again in a moment")
            return
        scope[MAY] = self._access.of_nobody() if found is None else found
        await self._app(scope, receive, _with_headers(send))

    def _permissions(self, headers: Headers) -> frozenset[Permission] | None:
        """Return what the caller may do, None for who shows a token that is none."""
        if not self._access.required:
            return self._access.of_nobody()
        token = bearer_token(headers.get("authorization", ""))
        if token is not None:
            return self._access.of_token(token)
        return self._access.of_session(_session(headers)) or self._access.of_nobody()

    def _foreign(self, headers: Headers, *, otlp: bool) -> str:
        """Return why the request comes from elsewhere, an empty string where it does not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and not self._is_own(origin, host):
            return "requests from other web sites are not answered"
        if otlp or self._access.required or _is_here(f"//{host}"):
            return ""
        return "ask for 127.0.0.1 or localhost: other host names are not answered"

    def _is_own(self, origin: str, host: str) -> bool:
        if self._access.required:
            return origin.partition("://")[2] == host
        return "//" in origin and _is_here(origin)


def _is_here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


def _session(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, message: str) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=1008, reason=message)(scope, receive, send)
        return
    response = JSONResponse({"error": {"parameter": None, "message": message, "allowed": None}}, status)
    if status == 429:
        response.headers["Retry-After"] = "1"
    await response(scope, receive, _with_headers(send))
