"""Errors on their way to whoever is told of them by name (Sentry): each exception once, wherever it is seen first."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber

from otelkit.sdk.guard import guard, log_sparsely, safe_text
from otelkit.sdk.origins import claim

__all__ = ["LEVELS", "Reporter", "Reports", "capture_message", "report_error", "report_log"]

_SCOPE: Final = "otelkit.messages"
LEVELS: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "fatal": SeverityNumber.FATAL,
}


class Reporter(Protocol):
    """Who is told. Called on the application's thread: it must neither wait nor keep the exception."""

    def error(self, error: BaseException, *, seen: str, handled: bool, record: logging.LogRecord | None = None) -> None:
        """Tell of an exception; ``seen`` is where: request, step or logging."""

    def log(self, record: logging.LogRecord) -> None:
        """Tell of a record that was logged as an error, without an exception."""

    def message(self, text: str, level: str, attributes: Mapping[str, Any]) -> None:
        """Tell of a message."""


class Reports:
    """Whom to tell in this process; nobody unless ``init`` says so."""

    to: Reporter | None = None


def report_error(error: BaseException, *, seen: str, handled: bool) -> None:
    """Tell of an exception that left a request or a step, unless it was told before."""
    reporter = Reports.to
    if reporter is not None:
        with guard:
            if not _is_answer(error) and claim(error):
                reporter.error(error, seen=seen, handled=handled)


def report_log(record: logging.LogRecord, error: BaseException | None) -> None:
    """Tell of a record logged as an error, unless its exception was told before."""
    reporter = Reports.to
    if reporter is None or record.levelno < logging.ERROR:
        return
    with guard:
        if error is None:
            reporter.log(record)
        elif claim(error):
            reporter.error(error, seen="logging", handled=True, record=record)


def capture_message(text: str, level: str = "info", **attributes: Any) -> None:
    """Record a message that nobody must overlook, and send it to Sentry where that is set up.

    It becomes a log record with the current trace, session and request; from level ``error`` on it is on the page's
    Errors. It never raises into the application.

    Args:
        text: what happened; what varies belongs into attributes, so that equal messages are found together.
        level: ``debug``, ``info``, ``warning``, ``error`` or ``fatal``.
        attributes: numbers and short texts about it; they pass redaction.
    """
    with guard:
        text = safe_text(text)
        if level not in LEVELS:
            log_sparsely("message level", "level must be one of %s; taken as info", ", ".join(LEVELS))
            level = "info"
        now = time.time_ns()
        _logs.get_logger(_SCOPE).emit(
            timestamp=now,
            observed_timestamp=now,
            severity_number=LEVELS[level],
            severity_text=LEVELS[level].name,
            body=text,
            attributes=attributes,
        )
        if Reports.to is not None:
            Reports.to.message(text, level, attributes)


def _is_answer(error: BaseException) -> bool:
    """Whether an exception is a framework's way to answer: ``HTTPException(404)`` is no error of the service."""
    status = getattr(error, "status_code", None)
    return (
        isinstance(status, int)
        and status < 500
        and any("HTTPException" in kind.__name__ for kind in type(error).__mro__)
    )
