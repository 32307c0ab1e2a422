"""Which records of libraries are taken, and without what: some carry addresses, others a job's arguments and result."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Final

__all__ = ["as_taken"]

# Our own lines would loop; access logs say what the request's span says already, query strings included; database
# clients that are told to speak write statements with their values, and spans say them without.
_NOT_TAKEN: Final = (
    *("otelkit.", "opentelemetry.", "uvicorn.access.", "gunicorn.access.", "hypercorn.access."),
    *("sqlalchemy.engine.", "aiosqlite.", "django.db.backends."),
)
# Parts of templates by which others say the same between their other lines: whom they serve, which call they run, and
# what it gave.
_NOT_TAKEN_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn.error": ('"WebSocket %s"',),
    "celery.pool": ("TaskPool: Apply",),
    "rq.worker": ("%s: %s (%s)", "Successfully completed %s job", "result: %r"),
    "arq.worker": ("→ %s(", "← %s"),
}
_OF_FAILURES_ONLY: Final = ("celery.app.trace", "celery.worker.strategy")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(_OF_FAILURES_ONLY, ("data",)),
    "rq.worker": ("arguments", "kwargs"),
}
_JOB_IN_BODY: Final = ("message body", "Task: %r")  # what Celery could not read, it writes out


def as_taken(record: logging.LogRecord) -> logging.LogRecord | None:
    """Return the record without what must not leave, the same object if it has none; None if it is not to be taken."""
    name, template = record.name, record.msg if isinstance(record.msg, str) else ""
    if f"{name}.".startswith(_NOT_TAKEN) or (name in _OF_FAILURES_ONLY and record.levelno < logging.WARNING):
        return None
    if any(part in template for part in _NOT_TAKEN_LINES.get(name, ())):
        return None
    fields = [field for field in _FIELDS.get(name, ()) if hasattr(record, field)]
    told = name.startswith("celery.worker.") and any(part in template for part in _JOB_IN_BODY)
    if not fields and not told:
        return record
    taken = copy.copy(record)  # the application's handlers see it whole
    for field in fields:
        delattr(taken, field)
    if told:
        taken.msg, taken.args = template.strip().partition("\n")[0], None
    return taken
