"""The ASGI application: receivers, API and page behind one guard."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.server.access import Access
from otelkit.server.api.asking import Context
from otelkit.server.api.routes import api_routes
from otelkit.server.config import ServerConfig
from otelkit.server.exposition import Exposition, scrape_route
from otelkit.server.insights.status import Status
from otelkit.server.intruders import Intruders
from otelkit.server.live import Live
from otelkit.server.permissions import PermittedMount, PermittedWebSocket
from otelkit.server.pipeline import Pipeline
from otelkit.server.receivers import otlp_routes
from otelkit.server.repricing import Repricing
from otelkit.server.security import Guard
from otelkit.server.storage.database import Database

__all__ = ["PAGE", "build_app"]

PAGE: Final = Path(__file__).parent / "page"


_NAMES: Final = frozenset(path.stem for path in (PAGE / "pages").glob("*.js"))


class _PageFiles(StaticFiles):
    """The page's files, asked for again each time (an ETag makes that cheap): an upgrade must not mix modules.

    Every page is the one document, which looks at its own address for what to draw.
    """

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path("index.html" if path in _NAMES else path)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def build_app(
    config: ServerConfig, database: Database, pipeline: Pipeline, status: Status, repricing: Repricing
) -> Starlette:
    """Return the application."""
    access = Access(config.tokens)
    pseudonym = Pseudonymiser(config.salt) if config.salt else None
    intruders = Intruders(pipeline.run, pseudonym or Pseudonymiser(database.secret()))
    live = Live(lambda: _told(database, status))
    pipeline.on_stored = live.stored
    routes: list[BaseRoute] = [
        *otlp_routes(pipeline, config.max_body),
        PermittedWebSocket("/api/live", live.listen, permission="read"),
        scrape_route(Exposition(database, pipeline, status, pseudonym)),
        *api_routes(Context(database, pipeline, status, repricing, access, pseudonym=pseudonym)),
    ]
    if PAGE.is_dir():
        routes.append(PermittedMount("/", _PageFiles(directory=PAGE, html=True)))
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(Guard, access, intruders),
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        ],
    )


def _told(database: Database, status: Status) -> dict[str, Any]:
    with database.reading() as connection:
        return status.json(connection, time.time())
