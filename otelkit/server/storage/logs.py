"""Log records: a narrow row with the body, details in blocks, full-text search over body and attribute values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from otelkit.mapping.failures import failure_of_log
from otelkit.model import Attributes, AttributeValue, LogRecord
from otelkit.semconv.attributes import Core
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.errors import Occurrence
from otelkit.server.storage.interning import Interned
from otelkit.server.storage.payloads import BLOCK, PayloadWriter
from otelkit.server.storage.rollups import STEP_NS, Rollups
from otelkit.server.text import OTHER, clip, service_of, version_of, who

__all__ = ["LogWriter", "Logs", "exported_uid", "searchable", "severity_name"]

_OURS: Final = "otelkit:"
_LONGEST_UID: Final = 20
_MAX_BODY: Final = 16_384
_MAX_INDEXED: Final = 4_096
_LAST_NANOSECOND: Final = 2**63 - 1
_SEVERE: Final = 17
_WEB_SERVERS: Final = (  # whose records of what a request ended by are made outside of its trace
    *("uvicorn.error.", "hypercorn.error.", "gunicorn.error.", "daphne.", "granian.", "_granian."),
    *("waitress.", "werkzeug.", "aiohttp.server.", "tornado.application.", "sanic.error."),
)
SEVERITIES: Final = ("trace", "debug", "info", "warn", "error", "fatal")


class Logs(NamedTuple):
    """The records of one request; what is equal within one request is kept, what is sent again is not."""

    records: Sequence[LogRecord]


class LogWriter:
    """Stores log records inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection, payloads: PayloadWriter, *, max_series: int) -> None:
        self._payloads = payloads
        self._max_series = max_series
        self._insert = dialect_of(connection).insert(schema.log)
        self._next = (connection.execute(select(func.max(schema.log.c.id))).scalar() or 0) + 1
        self._series: Interned[tuple[str, str, str, str]] = Interned(connection, schema.log_series)

    def write(self, connection: Connection, batches: Sequence[Logs], sums: Rollups, now: int) -> int:
        """Store what is not stored yet and return how many records that was; ``now`` stands for missing times."""
        unique: dict[bytes, LogRecord] = {}
        for batch in batches:
            seen: Counter[bytes] = Counter()
            for told in batch.records:
                exported, record = _exported(told)
                digest = exported or _digest(record)
                if not exported and not _uid(record):  # equal words are said twice; who has a uid was sent twice
                    seen[digest] += 1
                uid = digest if seen[digest] <= 1 else digest + seen[digest].to_bytes(4)
                unique.setdefault(uid, record)
        for uid in self._stored(connection, list(unique)):
            del unique[uid]
        self._store(connection, unique, sums, now)
        return len(unique)

    def forget(self, connection: Connection) -> None:
        """Drop what a rolled-back transaction left in memory."""
        self._series.forget(connection)
        self._next = (connection.execute(select(func.max(schema.log.c.id))).scalar() or 0) + 1

    def _stored(self, connection: Connection, uids: list[bytes]) -> Iterator[bytes]:
        for at in range(0, len(uids), 4000):
            query = select(schema.log.c.uid).where(schema.log.c.uid.in_(uids[at : at + 4000]))
            yield from [row.uid for row in connection.execute(query)]

    def _store(self, connection: Connection, unique: Mapping[bytes, LogRecord], sums: Rollups, now: int) -> None:
        records = list(unique.items())
        told = [_series_key(record) for _, record in records]
        admitted = self._series.admitted(connection, told, self._max_series, _other)
        keys = [admitted[key] for key in told]
        ids = self._series.ids(connection, keys)
        rows, texts = [], []
        for at in range(0, len(records), BLOCK):
            some = records[at : at + BLOCK]
            block = self._payloads.add([_details(record) for _, record in some])
            for place, (uid, record) in enumerate(some):
                series = ids[keys[at + place]]
                time = min(record.time or record.observed or now, _LAST_NANOSECOND)
                body = clip(body_text(record.body), _MAX_BODY)
                sums.logs[time // STEP_NS * schema.FINE, series, severity_level(record.severity)] += 1
                if record.severity >= _SEVERE or not record.severity:
                    _note_error(record, uid, time, keys[at + place], sums)
                ids_of = (record.trace_id or None, record.span_id or None)
                rows.append((self._next, uid, time, series, record.severity, *ids_of, block, place, body))
                texts.append((self._next, None, searchable(body, keys[at + place][3], record.attributes)))
                self._next += 1
        self._insert(connection, rows)
        dialect_of(connection).set_text(connection, "log_text", texts)


def _note_error(record: LogRecord, uid: bytes, time: int, key: tuple[str, str, str, str], sums: Rollups) -> None:
    failure = failure_of_log(record)
    if failure is not None:
        user, version = who(record.attributes).user, version_of(record.resource)
        own, traced = record.trace_id or uid, bool(record.trace_id)
        by_server = not traced and f"{record.scope.name}.".startswith(_WEB_SERVERS)
        sums.errors.append(
            Occurrence(*key[:2], version, failure, own, traced, record.span_id or None, time, user, by_server)
        )


def body_text(body: AttributeValue) -> str:
    """Return a body as one reads it."""
    if isinstance(body, str):
        return body
    return "" if body is None else json.dumps(body, default=str, ensure_ascii=False)


def severity_level(number: int) -> int:
    """Return 0…5 for OTLP's 1…24: trace, debug, info, warn, error, fatal; unknown counts as info."""
    return min(5, (number - 1) // 4) if number > 0 else 2


def severity_name(number: int) -> str:
    """Return ``trace`` … ``fatal``."""
    return SEVERITIES[severity_level(number)]


def _series_key(record: LogRecord) -> tuple[str, str, str, str]:
    service, environment = service_of(record.resource)
    return service, environment, clip(record.scope.name, 200), clip(record.event_name, 200)


def _other(key: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    """Return what is kept together where too many loggers and events are told apart: nothing of it is the sender's."""
    return OTHER, "", OTHER, key[3] and OTHER


def _details(record: LogRecord) -> list[Any]:
    return [record.severity_text, record.attributes]


def searchable(body: str, event_name: str, attributes: Attributes) -> str:
    """Return what of a record can be searched for."""
    values = (str(value) for value in attributes.values() if isinstance(value, str | int))
    return clip(" ".join((body, event_name, *values)), _MAX_INDEXED)


def _uid(record: LogRecord) -> str:
    uid = record.attributes.get(Core.LOG_RECORD_UID)
    return uid if isinstance(uid, str) else ""


def exported_uid(uid: bytes) -> str:
    """Return what a stored record without a uid of its own is told by, so that reading it again changes nothing."""
    return _OURS + uid.hex()


def _exported(record: LogRecord) -> tuple[bytes, LogRecord]:
    """Return the id under which a store has exported the record, and the record without it; nothing where none has."""
    told = _uid(record)
    if told.startswith(_OURS):
        try:
            uid = bytes.fromhex(told.removeprefix(_OURS))[:_LONGEST_UID]
        except ValueError:
            return b"", record  # a sender's own words
        rest = {name: value for name, value in record.attributes.items() if name != Core.LOG_RECORD_UID}
        return uid, record._replace(attributes=rest)
    return b"", record


def _digest(record: LogRecord) -> bytes:
    content: object = _uid(record)
    if not content:
        content = (
            record.time or record.observed,
            record.severity,
            record.body,
            record.event_name,
            record.trace_id,
            record.span_id,
            sorted(record.attributes.items()),
            sorted(record.resource.attributes.items()),
        )
    return blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
