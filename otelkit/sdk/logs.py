"""``logging`` → OpenTelemetry log records, and JSON lines for people and shippers that read files.

Records are taken where :class:`logging.Logger` hands them to handlers, not by a handler on the root logger: so nothing
is lost to ``basicConfig``, ``dictConfig`` or ``propagate = False``, and the application's handlers stay as they are.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import Any, Final

from opentelemetry import _logs, trace
from opentelemetry import context as otel_context
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from otelkit.mapping.redaction import Redactor
from otelkit.model import Attributes
from otelkit.sdk.context import current_request_id, current_session
from otelkit.sdk.guard import guard, safe_text
from otelkit.sdk.integrations import structlog
from otelkit.sdk.library_lines import as_taken
from otelkit.sdk.origins import origin_of
from otelkit.sdk.reports import report_log
from otelkit.semconv import log_file
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.settings import Settings

__all__ = ["JsonFormatter", "LogCapture", "SharedRotatingFileHandler"]

_LONGEST: Final = 66_560  # characters of a text that waits; a little more than redaction keeps, which cuts at a word
_CUT: Final = " …[cut]"
_DEEPEST: Final = 16  # levels of a field
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_SEVERITIES: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.DEBUG, SeverityNumber.DEBUG, "DEBUG"),
)


class LogCapture:
    """Takes records of every logger from ``settings.log_level`` up; one is installed in a process at a time.

    Args:
        settings: level, console, file.
        redactor: cleans what is written to console and file (what is exported is redacted by the worker).
        identities: takes raw ids off extra fields, for the same.
    """

    def __init__(self, settings: Settings, redactor: Redactor, identities: Callable[[Attributes], Attributes]) -> None:
        self._level = logging.getLevelNamesMapping()[settings.log_level.upper()]
        self._inside = threading.local()
        self._handlers: list[logging.Handler] = []
        formatter = JsonFormatter(settings.log_fields, redactor, identities)
        if settings.console_logs:
            self._handlers.append(logging.StreamHandler(sys.stdout))
        if settings.log_file is not None:
            settings.log_file.parent.mkdir(parents=True, exist_ok=True)
            self._handlers.append(
                SharedRotatingFileHandler(
                    settings.log_file,
                    maxBytes=settings.log_file_bytes,
                    backupCount=settings.log_file_backups,
                    encoding="utf-8",
                    errors="backslashreplace",
                    delay=True,
                )
            )
        for handler in self._handlers:
            handler.setFormatter(formatter)

    def install(self) -> None:
        """Start taking records, instead of the capture that was installed before.

        An unconfigured root logger is opened to ``log_level``; the application's handlers still print what they would
        print without.
        """
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING and self._level < logging.WARNING:
            root.setLevel(_OurLevel(self._level))
        _Installed.capture = self
        structlog.watch(_take)
        if not _Installed.wrapped:
            _Installed.wrapped = True
            _wrap_call_handlers()

    def uninstall(self) -> None:
        """Stop taking records and close the file."""
        if _Installed.capture is self:
            _Installed.capture = None
            root = logging.getLogger()
            if type(root.level) is _OurLevel:
                root.setLevel(logging.WARNING)
        for handler in self._handlers:
            handler.close()

    def take(self, record: logging.LogRecord) -> None:
        """Take one record: export it, write it; never raises and never loops."""
        taken = as_taken(record) if record.levelno >= self._level else None
        if taken is None:
            return
        if getattr(self._inside, "busy", False) or otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            return  # a record made while a record is taken, or by our own exporter
        self._inside.busy = True
        try:
            with guard:
                report_log(taken, _emit(taken))
            for handler in self._handlers:
                with guard:
                    handler.handle(taken)
        finally:
            self._inside.busy = False


class _OurLevel(int):
    """The level an unconfigured root logger was opened to, told from the same level set by the application."""


class _Installed:
    capture: LogCapture | None = None
    wrapped = False  # for good: to put the original back would take off what others have put over it since


def _take(record: logging.LogRecord) -> None:
    capture = _Installed.capture
    if capture is not None:
        capture.take(record)


def _wrap_call_handlers() -> None:
    original = logging.Logger.callHandlers

    @functools.wraps(original)
    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        _take(record)  # first: a handler may change the record, or raise
        if record.levelno >= logging.WARNING or type(logger.getEffectiveLevel()) is not _OurLevel:
            original(logger, record)

    logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]


def _emit(record: logging.LogRecord) -> BaseException | None:
    """Export a record; return the exception that came with it."""
    severity, text = severity_of(record.levelno)
    body, fields = _message(record)
    place = {Core.CODE_FILE: record.pathname, Core.CODE_FUNCTION: record.funcName, Core.CODE_LINE: record.lineno}
    attributes: dict[str, Any] = {**(place if record.pathname else {}), **fields, **_exception(record)}
    now = int(record.created * 1e9)
    _, error, _ = _raised(record)
    _logs.get_logger(record.name).emit(
        timestamp=now,
        observed_timestamp=now,
        severity_number=severity,
        severity_text=text,
        body=body,
        attributes=attributes,
        context=origin_of(error),
    )
    return error if isinstance(error, BaseException) else None


def severity_of(level: int) -> tuple[SeverityNumber, str]:
    """OpenTelemetry's severity of a ``logging`` level."""
    for least, number, text in _SEVERITIES:
        if level >= least:
            return number, text
    return SeverityNumber.TRACE, "TRACE"


def _message(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Body and extra fields; structlog's stdlib bridge puts its event dict where the message is."""
    extra = {safe_text(key): value for key, value in vars(record).items() if key not in _STANDARD}
    fields = {key: _plain(value) for key, value in extra.items() if key and not key.startswith("_")}
    if isinstance(record.msg, Mapping):
        event = {safe_text(key): _plain(value) for key, value in record.msg.items() if key != "exc_info"}
        return _short(safe_text(event.pop("event", ""))), {**fields, **event}
    try:
        return _short(record.getMessage()), fields
    except Exception:  # noqa: BLE001 - wrong arguments are the application's slip; its words are kept
        return f"{_short(safe_text(record.msg))} (arguments do not fit)", fields


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + _CUT


def _plain(value: object) -> Any:
    """A field's value as text, numbers, lists and dicts, whatever it holds; what holds itself ends in ``<dict>``."""
    try:
        return _unfolded(value, ())
    except Exception:  # noqa: BLE001 - a container of the application's own that cannot be read
        return f"<{type(value).__name__}>"


def _unfolded(value: object, inside: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _short(value)
    if not isinstance(value, (list, tuple, Mapping)):
        return _short(safe_text(value))
    if len(inside) == _DEEPEST or id(value) in inside:
        return f"<{type(value).__name__}>"
    inside = (*inside, id(value))
    if isinstance(value, Mapping):
        return {safe_text(key): _unfolded(item, inside) for key, item in value.items()}
    return [_unfolded(item, inside) for item in value]


def _exception(record: logging.LogRecord) -> dict[str, str]:
    """Type, message and traceback; where structlog's stdlib bridge is at work, ``exc_info`` is in its event dict."""
    kind, error, trace_back = _raised(record)
    if kind is None:
        return {Core.EXCEPTION_STACKTRACE: _short(record.exc_text)} if record.exc_text else {}
    return {
        Core.EXCEPTION_TYPE: kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}",
        Core.EXCEPTION_MESSAGE: _short(safe_text(error)),
        Core.EXCEPTION_STACKTRACE: _short("".join(traceback.format_exception(kind, error, trace_back))),
    }


def _raised(record: logging.LogRecord) -> tuple[Any, Any, Any]:
    return structlog.exception_info(
        record.exc_info or (record.msg.get("exc_info") if isinstance(record.msg, Mapping) else None)
    )


class JsonFormatter(logging.Formatter):
    """One JSON object a line, redacted.

    Args:
        fields: ``otel`` (timestamp, severity_text, body, trace_id …) or ``classic`` (asctime, levelname, name, message,
            request_id, user_id …).
        redactor: cleans the line, by the same rules as what is exported.
        identities: takes raw ids off extra fields.
    """

    def __init__(self, fields: str, redactor: Redactor, identities: Callable[[Attributes], Attributes]) -> None:
        super().__init__()
        self._identities = identities
        self._names = log_file.CLASSIC if fields == "classic" else log_file.OTEL
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break inside."""
        body, fields = _message(record)
        who = current_session().attributes
        span = trace.get_current_span().get_span_context()
        about = {**who, Otelkit.REQUEST_ID: current_request_id()}
        ids = {
            **{field: about.get(key, "") for field, key in log_file.IDS.items()},
            log_file.TRACE_ID: f"{span.trace_id:032x}" if span.is_valid else "",
            log_file.SPAN_ID: f"{span.span_id:016x}" if span.is_valid else "",
        }
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        level = record.levelname if self._names is log_file.CLASSIC else severity_of(record.levelno)[1]
        head = dict(zip(self._names, (when, level, record.name, body), strict=True))
        own = {**head, **{key: value for key, value in ids.items() if value}, **_exception(record)}
        extra = {key: value for key, value in self._identities(fields).items() if key not in own}
        return json.dumps(self._redactor.attributes({**own, **extra}), ensure_ascii=False, default=safe_text)


class SharedRotatingFileHandler(RotatingFileHandler):
    """Rotation that several worker processes can share: one rotates, the others see it and follow."""

    def shouldRollover(self, record: logging.LogRecord) -> int:
        """True when the file is full; reopens it when another process has rotated it."""
        if self.stream is not None:
            try:
                moved = os.stat(self.baseFilename).st_ino != os.fstat(self.stream.fileno()).st_ino
            except FileNotFoundError:
                moved = True
            if moved:
                self.stream.close()
                self.stream = self._open()
        return int(super().shouldRollover(record))

    def doRollover(self) -> None:
        """Rotate under a lock beside the file, unless another process has just done so."""
        try:
            import fcntl
        except ImportError:  # no such lock on this system: as the standard library does
            super().doRollover()
            return
        with open(f"{self.baseFilename}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            full = os.path.exists(self.baseFilename) and os.path.getsize(self.baseFilename) >= self.maxBytes * 0.9
            if full:
                super().doRollover()
