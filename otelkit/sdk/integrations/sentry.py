"""Sentry: errors with their OpenTelemetry trace, route and release, and nothing personal in them.

otelkit tells Sentry itself, through a client of its own that no other library sees: none of Sentry's integrations is
installed, nothing of the application is patched, the global scope stays empty, OpenTelemetry stays the tracer. What is
sent is put together here from an allow-list and passes the same redaction as everything else.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import sentry_sdk
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sentry_sdk.transport import HttpTransport

from otelkit.errors import SettingsError
from otelkit.mapping.failures import category_of, fingerprint_of
from otelkit.mapping.redaction import Redactor
from otelkit.mapping.tracebacks import chain_of
from otelkit.mapping.wording import known_words
from otelkit.model import Attributes
from otelkit.sdk.context import current_request, reportable_user
from otelkit.sdk.guard import guard, log_sparsely, logger, safe_text
from otelkit.sdk.integrations.sentry_traces import SentryTraces
from otelkit.sdk.origins import span_of, user_of
from otelkit.sdk.raised import exceptions_of, vocabulary_here
from otelkit.semconv.attributes import Errors
from otelkit.settings import Settings

__all__ = ["Sentry", "open_sentry"]

_QUEUE: Final = 100
_NO_PRODUCTION: Final = "production"  # Sentry's word where none is said
_LEVELS: Final = ((logging.CRITICAL, "fatal"), (logging.ERROR, "error"), (logging.WARNING, "warning"))
# Ids and times, in which patterns have nothing to find and must change nothing.
_AS_IT_IS: Final = frozenset(
    {"event_id", "trace_id", "span_id", "parent_span_id", "timestamp", "start_timestamp", "platform", "level", "type"}
)
# What an event may hold at all.
_ALLOWED: Final = frozenset(
    [
        *("event_id", "timestamp", "start_timestamp", "platform", "level", "logger", "transaction", "transaction_info"),
        *(
            "release",
            "environment",
            "type",
            "exception",
            "logentry",
            "contexts",
            "tags",
            "extra",
            "user",
            "spans",
            "sdk",
        ),
    ]
)


def open_sentry(settings: Settings, redactor: Redactor, identities: Any) -> Sentry | None:
    """Return what tells Sentry, None where the application does so itself.

    Raises:
        SettingsError: the DSN is none.
    """
    if _initialised_by_others():
        logger.warning("Sentry is initialised by the application: it stays as it is, and otelkit sends nothing there")
        return None
    try:
        return Sentry(settings, redactor, identities)
    except ValueError:  # BadDsn is one; the words of others quote a part of the address, which holds a key
        raise SettingsError("SENTRY_DSN is not one: it looks like https://KEY@HOST/PROJECT") from None


class Sentry:
    """Tells Sentry of errors and messages, and of traces by ``SENTRY_TRACES_RATE``; a Reporter.

    Args:
        settings: DSN, release, environment, rate, whether content may leave.
        redactor: cleans everything that is told.
        identities: takes raw ids off attributes.
    """

    def __init__(self, settings: Settings, redactor: Redactor, identities: Any) -> None:
        self._redactor = redactor
        self._identities = identities
        self._whole = settings.capture_content
        self._service = settings.service or ""
        self._inside = threading.local()
        self._client = sentry_sdk.Client(**_options(settings, self._clean))
        rate = settings.sentry_traces_rate
        self.traces = SentryTraces(rate, self._send) if rate else None

    def error(self, error: BaseException, *, seen: str, handled: bool, record: logging.LogRecord | None = None) -> None:
        """Tell of an exception; see :class:`otelkit.sdk.reports.Reporter`."""
        values, vocabulary = exceptions_of(error, {"type": f"otelkit.{seen}", "handled": handled})
        for value in values:
            value["value"] = self._words(value["value"], vocabulary)
        event: dict[str, Any] = {"level": "error", "exception": {"values": values}}
        if record is not None:
            event |= self._of_log(record)
        user = user_of(error)
        stack = "".join(traceback.format_exception(error))
        kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        said = safe_text(error)
        marks = {
            Errors.FINGERPRINT: fingerprint_of(kind, said, stack),
            Errors.CATEGORY: category_of(kind, said, chain_of(stack)),
        }
        self._tell(event, error, marks, reportable_user() if user is None else user)

    def log(self, record: logging.LogRecord) -> None:
        """Tell of what was logged as an error, without an exception."""
        self._tell(self._of_log(record), None, {}, reportable_user())

    def message(self, text: str, level: str, attributes: Mapping[str, Any]) -> None:
        """Tell of a message."""
        said = self._words(text, vocabulary_here(sys._getframe(1)))
        event = {"level": level, "logentry": {"formatted": said}, "extra": self._attributes(attributes)}
        self._tell(event, None, {}, reportable_user())

    def flush(self, seconds: float) -> None:
        """Deliver what waits, within so many seconds."""
        if self.traces is not None:
            self.traces.settle()
        self._client.flush(timeout=max(0.0, seconds))

    def close(self, seconds: float) -> None:
        """Deliver what can be delivered within so many seconds, then stop."""
        if self.traces is not None:
            self.traces.settle(everything=True)
        self._client.close(timeout=max(0.0, seconds))

    def _of_log(self, record: logging.LogRecord) -> dict[str, Any]:
        vocabulary = vocabulary_here(sys._getframe(2))
        level = next((name for least, name in _LEVELS if record.levelno >= least), "info")
        template = safe_text(record.msg.get("event", "") if isinstance(record.msg, Mapping) else record.msg)
        said = template
        if record.args and not isinstance(record.msg, Mapping):
            with guard:
                said = record.getMessage()
        entry = {"message": self._words(template, vocabulary), "formatted": self._words(said, vocabulary)}
        return {"level": level, "logger": record.name, "logentry": entry}

    def _tell(self, event: dict[str, Any], error: BaseException | None, marks: Mapping[str, str], user: str) -> None:
        span, request = span_of(error), current_request()
        if span.is_valid:
            event["contexts"] = {"trace": {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}}
        if request is not None and request[1]:
            event["transaction"] = " ".join(request)
            event["transaction_info"] = {"source": "route"}
        tags = {**marks, "service": self._service}  # no request id: it may be the caller's, who may write anything
        event["tags"] = {name: value for name, value in tags.items() if value}
        if user:
            event["user"] = {"id": user}
        self._send({"platform": "python", **event})

    def _send(self, event: dict[str, Any]) -> None:
        if _initialised_by_others():
            log_sparsely("sentry", "the application has initialised Sentry: otelkit sends nothing there any more")
            return
        if getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            event.setdefault("timestamp", datetime.now(UTC))
            self._client.capture_event(event)  # type: ignore[arg-type]
        finally:
            self._inside.busy = False

    def _words(self, text: str, vocabulary: frozenset[str]) -> str:
        return self._redactor.text(text if self._whole else known_words(text, vocabulary))

    def _attributes(self, attributes: Attributes) -> Attributes:
        return self._redactor.attributes(self._identities(attributes))

    def _clean(self, event: Any, hint: Any) -> Any:
        """The last thing that touches an event: what is not allowed goes, and every text passes redaction again."""
        kept = {name: value for name, value in event.items() if name in _ALLOWED and value not in ("", None)}
        return self._scrubbed(kept)

    def _scrubbed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redactor.text(value)
        if isinstance(value, dict):
            return {name: item if name in _AS_IT_IS else self._scrubbed(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._scrubbed(item) for item in value]
        return value


class _QuietTransport(HttpTransport):
    """Sentry's own, whose requests are no requests of the application."""

    TIMEOUT = 10

    def on_dropped_event(self, reason: str) -> None:
        """Said here; Sentry itself is told how many in its next client report."""
        log_sparsely("sentry dropped", "an event for Sentry was dropped (%s)", reason)

    def _request(self, *args: Any, **kwargs: Any) -> Any:
        with suppress_instrumentation():
            return super()._request(*args, **kwargs)


def _options(settings: Settings, clean: Any) -> dict[str, Any]:
    return {
        "dsn": settings.sentry_dsn,
        "release": settings.version or "",  # empty, not None: Sentry would ask git
        "environment": settings.environment or _NO_PRODUCTION,
        "server_name": "",
        "integrations": [],
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "auto_session_tracking": False,
        "enable_backpressure_handling": False,
        "include_local_variables": False,
        "include_source_context": False,
        "max_breadcrumbs": 0,
        "max_request_body_size": "never",
        "before_send": clean,
        "before_send_transaction": clean,
        "transport": _QuietTransport,
        "transport_queue_size": _QUEUE,
        "spotlight": False,
        "debug": False,
    }


def _initialised_by_others() -> bool:
    """Whether there is a global client: ours is none."""
    return bool(sentry_sdk.get_client().is_active())
