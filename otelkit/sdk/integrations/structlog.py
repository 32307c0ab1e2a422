"""structlog: its records arrive like those of ``logging``, whichever of them is told to print.

Where structlog writes through ``logging`` its records are taken there; else a processor is put before the renderer.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Final

from wrapt import register_post_import_hook, wrap_function_wrapper

from otelkit.sdk.guard import guard

__all__ = ["exception_info", "watch"]

Take = Callable[[logging.LogRecord], None]
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_LEVELS: Final = {"exception": logging.ERROR, "warn": logging.WARNING, "fatal": logging.CRITICAL, "msg": logging.INFO}


class _Watcher:
    take: Take | None = None


def watch(take: Take) -> None:
    """Hand every structlog record to ``take``, now or as soon as structlog is imported and configured."""
    first = _Watcher.take is None
    _Watcher.take = take
    if not first:
        return
    if "structlog" in sys.modules:
        _hook(sys.modules["structlog"])
    else:
        register_post_import_hook(_hook, "structlog")


def _hook(structlog: Any) -> None:
    def configured(original: Callable[..., None], instance: object, args: Any, kwargs: Any) -> None:
        original(*args, **kwargs)
        _insert(structlog, original)

    original = structlog.configure
    wrap_function_wrapper(structlog, "configure", configured)
    _insert(structlog, original)


def _insert(structlog: Any, configure: Callable[..., None]) -> None:
    with guard:
        config = structlog.get_config()
        if isinstance(config["logger_factory"], structlog.stdlib.LoggerFactory):
            return
        processors = list(config["processors"])
        if _capture not in processors:
            processors.insert(max(len(processors) - 1, 0), _capture)
            configure(**{**config, "processors": processors})


def _capture(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: looks, changes nothing."""
    take = _Watcher.take
    if take is not None:
        with guard:
            take(_record(method, event))
    return event


def _record(method: str, event: MutableMapping[str, Any]) -> logging.LogRecord:
    level = _LEVELS.get(method) or logging.getLevelNamesMapping().get(method.upper(), logging.INFO)
    fields = {key: value for key, value in event.items() if key not in {"level", "timestamp", "logger", "exc_info"}}
    given = event.get("exc_info")
    info = exception_info(method == "exception" if given is None else given)
    name = str(event.get("logger") or "structlog")
    return logging.LogRecord(name, level, "", 0, fields, None, info)


def exception_info(given: object) -> ExceptionInfo:
    """What ``exc_info`` of a record or an event stands for: an exception, a triple, or true for the one in flight."""
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        fits = len(given) == 3 and isinstance(given[0], type) and isinstance(given[1], BaseException)
        return given if fits else (None, None, None)
    return sys.exc_info() if given else (None, None, None)
