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

from otelkit.model import Attributes
from otelkit.sdk.context import current_request_id, current_session
from otelkit.sdk.guard import guard
from otelkit.sdk.integrations import structlog
from otelkit.semconv.attributes import Core, GenAI, Otelkit
from otelkit.settings import Settings

__all__ = ["JsonFormatter", "LogCapture", "SharedRotatingFileHandler"]

# Our own lines would loop; access logs say what the request's span says already, query strings included.
_NOT_TAKEN: Final = ("otelkit", "opentelemetry", "uvicorn.access", "gunicorn.access", "hypercorn.access")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_SEVERITIES: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.DEBUG, SeverityNumber.DEBUG, "DEBUG"),
)


class LogCapture:
    """Takes records of every logger from ``settings.log_level`` up; installed once a process.

    Args:
        settings: level, console, file.
        redact: text → text, for what is written to console and file (what is exported is redacted by the worker).
        identities: takes raw ids off extra fields, for the same.
    """

    def __init__(
        self, settings: Settings, redact: Callable[[str], str], identities: Callable[[Attributes], Attributes]
    ) -> None:
        self._level = logging.getLevelNamesMapping()[settings.log_level.upper()]
        self._inside = threading.local()
        self._handlers: list[logging.Handler] = []
        formatter = JsonFormatter(settings.log_fields, redact, identities)
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
        self._original: Callable[[logging.Logger, logging.LogRecord], None] | None = None

    def install(self) -> None:
        """Start taking records. An unconfigured root logger is opened to ``log_level``; nothing more is printed."""
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING:
            root.setLevel(self._level)
        original = self._original = logging.Logger.callHandlers
        take = self.take
        structlog.watch(take)

        @functools.wraps(original)
        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            take(record)  # first: a handler may change the record, or raise
            original(logger, record)

        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]

    def uninstall(self) -> None:
        """Stop taking records and close the file."""
        if self._original is not None:
            logging.Logger.callHandlers = self._original  # type: ignore[method-assign, assignment]
            self._original = None
        for handler in self._handlers:
            handler.close()

    def take(self, record: logging.LogRecord) -> None:
        """Take one record: export it, write it; never raises and never loops."""
        if record.levelno < self._level or record.name.startswith(_NOT_TAKEN):
            return
        if getattr(self._inside, "busy", False) or otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            return  # a record made while a record is taken, or by our own exporter
        self._inside.busy = True
        try:
            with guard:
                _emit(record)
            for handler in self._handlers:
                with guard:
                    handler.handle(record)
        finally:
            self._inside.busy = False


def _emit(record: logging.LogRecord) -> None:
    severity, text = severity_of(record.levelno)
    body, fields = _message(record)
    place = {Core.CODE_FILE: record.pathname, Core.CODE_FUNCTION: record.funcName, Core.CODE_LINE: record.lineno}
    attributes: dict[str, Any] = {**(place if record.pathname else {}), **fields, **_exception(record)}
    now = int(record.created * 1e9)
    _logs.get_logger(record.name).emit(
        timestamp=now,
        observed_timestamp=now,
        severity_number=severity,
        severity_text=text,
        body=body,
        attributes=attributes,
    )


def severity_of(level: int) -> tuple[SeverityNumber, str]:
    """OpenTelemetry's severity of a ``logging`` level."""
    for least, number, text in _SEVERITIES:
        if level >= least:
            return number, text
    return SeverityNumber.TRACE, "TRACE"


def _message(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Body and extra fields; structlog's stdlib bridge puts its event dict where the message is."""
    fields = {key: _plain(value) for key, value in vars(record).items() if key not in _STANDARD and key[0] != "_"}
    if isinstance(record.msg, Mapping):
        event = {str(key): _plain(value) for key, value in record.msg.items() if key not in {"exc_info"}}
        return str(event.pop("event", "")), {**fields, **event}
    try:
        return record.getMessage(), fields
    except Exception:  # noqa: BLE001 - wrong arguments are the application's slip; its words are kept
        return f"{record.msg} (arguments do not fit)", fields


def _plain(value: object) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def _exception(record: logging.LogRecord) -> dict[str, str]:
    info = record.exc_info
    if not info or info[0] is None:
        return {Core.EXCEPTION_STACKTRACE: record.exc_text} if record.exc_text else {}
    kind, error, trace_back = info
    return {
        Core.EXCEPTION_TYPE: kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}",
        Core.EXCEPTION_MESSAGE: str(error),
        Core.EXCEPTION_STACKTRACE: "".join(traceback.format_exception(kind, error, trace_back)),
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line, redacted.

    Args:
        fields: ``otel`` (timestamp, severity_text, body, trace_id …) or ``classic`` (asctime, levelname, name, message,
            request_id, user_id …).
        redact: text → text.
        identities: takes raw ids off extra fields.
    """

    def __init__(
        self, fields: str, redact: Callable[[str], str], identities: Callable[[Attributes], Attributes]
    ) -> None:
        super().__init__()
        self._identities = identities
        self._classic = fields == "classic"
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break inside."""
        body, fields = _message(record)
        extra = dict(self._identities(fields))
        who = current_session().attributes
        span = trace.get_current_span().get_span_context()
        ids = {
            "request_id": current_request_id(),
            "user_id": who.get(Core.USER_ID, ""),
            "session_id": who.get(Core.SESSION_ID, ""),
            "group_id": who.get(Otelkit.GROUP_ID, ""),
            "conversation_id": who.get(GenAI.CONVERSATION_ID, ""),
            "trace_id": f"{span.trace_id:032x}" if span.is_valid else "",
            "span_id": f"{span.span_id:016x}" if span.is_valid else "",
        }
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        if self._classic:
            line: dict[str, Any] = {
                "asctime": when,
                "levelname": record.levelname,
                "name": record.name,
                "message": body,
            }
        else:
            line = {
                "timestamp": when,
                "severity_text": severity_of(record.levelno)[1],
                "scope": record.name,
                "body": body,
            }
        line |= {key: value for key, value in ids.items() if value} | extra | _exception(record)
        return json.dumps(_redacted(line, self._redact), ensure_ascii=False, default=str)


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    return value


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
