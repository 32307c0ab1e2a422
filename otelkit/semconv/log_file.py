"""The fields of a line in the JSON log file: written by the SDK, read back by the Collector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = ["CLASSIC", "IDS", "OTEL", "SPAN_ID", "TRACE_ID", "Head"]


class Head(NamedTuple):
    """What a line calls its time (ISO 8601, milliseconds, UTC), level, logger and message."""

    time: str
    level: str
    logger: str
    message: str


OTEL: Final = Head("timestamp", "severity_text", "scope", "body")
CLASSIC: Final = Head("asctime", "levelname", "name", "message")
"""As ``logging`` calls them, and its levels (``WARNING``, ``CRITICAL``)."""

TRACE_ID: Final = "trace_id"
SPAN_ID: Final = "span_id"

IDS: Final[Mapping[str, str]] = {
    "request_id": Otelkit.REQUEST_ID,
    "user_id": Core.USER_ID,
    "session_id": Core.SESSION_ID,
    "group_id": Otelkit.GROUP_ID,
    "conversation_id": GenAI.CONVERSATION_ID,
}
"""Whom a line is about: field → attribute of the same record over OTLP."""
