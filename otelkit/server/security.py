"""What stands before every route: who may ask (Host, Origin), and the headers that keep the page's content inert.

A page on the web can make its reader's browser send requests to 127.0.0.1. Two things give such requests away: the Host
header, when a foreign name was made to resolve here (DNS rebinding), and the Origin header, which browsers add.
OpenTelemetry clients send no Origin, and a Host that names this machine or whatever name the operator gave them, so
for OTLP only a foreign Origin is refused.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otelkit.server.config import is_loopback

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


class Guard:
    """ASGI middleware; wraps everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _refusal(headers, otlp=scope["path"].startswith(_OTLP))
        if refused:
            await _refuse(send, refused)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def _refusal(headers: Headers, *, otlp: bool) -> str:
    origin = headers.get("origin")
    if origin is not None and not _is_here(urlsplit(origin).hostname if "//" in origin else None):
        return "requests from other web sites are not answered"
    if otlp:
        return ""
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        host = None
    return "" if _is_here(host) else "ask for 127.0.0.1 or localhost: other host names are not answered"


def _is_here(host: str | None) -> bool:
    return host is not None and is_loopback(host)


async def _refuse(send: Send, message: str) -> None:
    body = json.dumps({"error": {"parameter": None, "message": message, "allowed": None}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
