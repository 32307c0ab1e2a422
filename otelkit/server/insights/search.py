"""Looking for a text in everything that the spans of one trace say."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.server.insights.trace import details_of, number_of, spans_of
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["find_in_trace"]

_NAMED: Final = ("name", "service", "model", "provider", "tool")


def find_in_trace(connection: Connection, payloads: PayloadReader, trace_id: bytes, text: str) -> dict[str, Any] | None:
    """Return the ids of the spans that say ``text`` in a name, an attribute, a message or an event, by start.

    Upper and lower case are the same. None where there is no such trace.
    """
    number = number_of(connection, trace_id)
    if number is None:
        return None
    stored = spans_of(connection, number)
    blocks = payloads.read(connection, {span.payload for span in stored})
    wanted = text.casefold()
    # Whole blocks first: most do not hold the word, and then none of their spans has to be looked at.
    telling = {key for key, block in blocks.items() if wanted in _said(block)}
    found = []
    for span in stored:
        named = any(wanted in getattr(span, name).casefold() for name in _NAMED)
        if named or (span.payload in telling and wanted in _said(details_of(blocks, span))):
            found.append(span.span_id.hex())
    return {"spans": found}


def _said(value: object) -> str:
    """Return every text in a structure, with JSON that was recorded as a text read as people would."""
    return json.dumps(value, ensure_ascii=False, default=str).replace('\\"', '"').casefold()
