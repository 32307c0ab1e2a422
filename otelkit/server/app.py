"""The ASGI application: receivers, API and page behind one guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from otelkit.server.access import Access
from otelkit.server.api.asking import Context
from otelkit.server.api.routes import api_routes
from otelkit.server.config import ServerConfig
from otelkit.server.insights.status import Status
from otelkit.server.permissions import PermittedMount
from otelkit.server.pipeline import Pipeline
from otelkit.server.receivers import otlp_routes
from otelkit.server.security import Guard
from otelkit.server.storage.database import Database

__all__ = ["PAGE", "build_app"]

PAGE: Final = Path(__file__).parent / "page"


class _PageFiles(StaticFiles):
    """The page's files, asked for again each time (an ETag makes that cheap): an upgrade must not mix modules."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def build_app(config: ServerConfig, database: Database, pipeline: Pipeline, status: Status) -> Starlette:
    """Return the application."""
    access = Access(config.tokens)
    routes: list[BaseRoute] = [
        *otlp_routes(pipeline, config.max_body),
        *api_routes(Context(database, pipeline, status, access)),
    ]
    if PAGE.is_dir():
        routes.append(PermittedMount("/", _PageFiles(directory=PAGE, html=True)))
    return Starlette(
        routes=routes, middleware=[Middleware(Guard, access), Middleware(GZipMiddleware, minimum_size=1024)]
    )
