"""FastAPI: its native telemetry (since 0.142) configured, else the contrib instrumentation; never both.

Around either goes what neither has: request ids, session and consent from the request, WebSocket connections
(:mod:`otelkit.sdk.integrations.asgi`). Redaction and slow-request marks come from the worker.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

from otelkit.errors import SettingsError
from otelkit.sdk.guard import guard, logger
from otelkit.sdk.integrations.asgi import RequestMiddleware, SessionReader
from otelkit.sdk.integrations.workers import require_one_worker
from otelkit.sdk.runtime import Runtime
from otelkit.settings import Settings

if TYPE_CHECKING:
    from otelkit.sdk.integrations.prometheus import PrometheusPage

__all__ = ["attach", "attach_future_apps", "configure"]


class _Config:
    runtime: Runtime
    tracer_provider: Any
    prometheus: PrometheusPage | None = None
    session: SessionReader | None = None
    watching = False


_attached: weakref.WeakSet[Any] = weakref.WeakSet()


def configure(
    runtime: Runtime, tracer_provider: Any, prometheus: PrometheusPage | None, session: SessionReader | None
) -> None:
    """Say what apps are attached to; called again after a fork, for apps attached before it."""
    _Config.runtime = runtime
    _Config.tracer_provider = tracer_provider
    _Config.prometheus = prometheus
    _Config.session = session or _Config.session
    for app in _attached:
        if _has_native_telemetry(app):
            _configure_native(app)


def attach(app: Any) -> None:
    """Trace the requests of ``app``; a second time does nothing.

    Raises:
        SettingsError: ``app`` is no FastAPI or Starlette application, or ``/metrics`` is on with several workers.
    """
    if not callable(getattr(app, "build_middleware_stack", None)):
        raise SettingsError(f"init(app) needs a FastAPI or Starlette application, not {type(app).__name__}")
    if app in _attached:
        return
    settings = _Config.runtime.settings
    require_one_worker(settings)
    _attached.add(app)
    if _has_native_telemetry(app):
        _configure_native(app)
    elif not getattr(app, "_is_instrumented_by_opentelemetry", False):
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # imports FastAPI

        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=_Config.tracer_provider,
            meter_provider=_Config.runtime.request_meters,
            excluded_urls=",".join(settings.excluded_urls),
            exclude_spans=["receive", "send"],
        )
    _wrap_stack(app)
    if _Config.prometheus is not None:
        app.add_route(settings.prometheus_path, _Config.prometheus.endpoint, include_in_schema=False)


def attach_future_apps() -> None:
    """Attach every FastAPI application made from now on (``otelkit run``, or ``init()`` without an app)."""
    if _Config.watching:
        return
    _Config.watching = True

    def watch(module: Any) -> None:
        wrap_function_wrapper(module, "FastAPI.__init__", _made)

    if "fastapi" in sys.modules:
        watch(sys.modules["fastapi"])
    else:
        register_post_import_hook(watch, "fastapi")


def _made(original: Callable[..., None], app: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    original(*args, **kwargs)
    with guard:
        try:
            attach(app)
        except SettingsError as error:  # nobody called init(app) who could catch it: said, not raised
            logger.error("%s", error)


def _wrap_stack(app: Any) -> None:
    """Put the request middleware outside all others, yet inside the request's span, whenever the stack is built."""
    build = app.build_middleware_stack

    app.build_middleware_stack = lambda: _with_request(build())
    if getattr(app, "middleware_stack", None) is not None:
        app.middleware_stack = _with_request(app.middleware_stack)


def _with_request(stack: Any) -> Any:
    layer = stack
    while layer is not None and type(layer).__name__ != "OpenTelemetryMiddleware":
        layer = getattr(layer, "app", None)
    inside = stack if layer is None else layer.app
    middleware = RequestMiddleware(inside, lambda: _Config.runtime, _Config.session)
    if layer is None:  # native telemetry wraps the whole stack
        return middleware
    layer.app = middleware
    return stack


# --- native telemetry: the one private seam ------------------------------------------------------------------


def _has_native_telemetry(app: Any) -> bool:
    return isinstance(getattr(app, "_telemetry", None), dict) and hasattr(app, "_native_telemetry")


def _configure_native(app: Any) -> None:
    """FastAPI has no public setter after construction: its settings dict is changed in place (a test per version)."""
    telemetry: dict[str, Any] = app._telemetry
    settings = _Config.runtime.settings
    telemetry["tracer_provider"] = _Config.tracer_provider
    telemetry["meter_provider"] = _Config.runtime.request_meters
    telemetry["operation_spans"] = settings.fastapi_operation_spans
    if "otelkit_exclude" not in telemetry:
        telemetry["exclude"] = telemetry["otelkit_exclude"] = _excluder(settings, telemetry.get("exclude"))
    if telemetry.get("auto_configure"):
        telemetry["auto_configure"] = False
        logger.warning("FastAPI's auto_configure is switched off: it would add a second exporter without redaction")


def _excluder(
    settings: Settings, own: Callable[[MutableMapping[str, Any]], bool] | None
) -> Callable[[MutableMapping[str, Any]], bool]:
    pattern = re.compile("|".join(f"(?:{url})" for url in settings.excluded_urls) or r"(?!)")

    def excluded(scope: MutableMapping[str, Any]) -> bool:
        return bool(pattern.search(scope.get("path", ""))) or (own is not None and own(scope))

    return excluded
