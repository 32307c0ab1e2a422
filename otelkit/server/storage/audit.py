"""The audit trail: who did what, in the order in which it was received, each row chained to the one before.

A row's hash is SHA-256 over the hash before it and the row itself. Whoever changes, removes or inserts a row would have
to write all later hashes anew; the newest one, noted elsewhere from time to time, shows even that.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, select

from otelkit.model import LogRecord
from otelkit.semconv.attributes import Audit, Core, Otelkit
from otelkit.server.storage import schema
from otelkit.server.storage.chunks import chunks
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.text import clip, service_of

__all__ = ["OWN", "Entry", "Verdict", "append", "delete_older", "entry_of", "is_audit", "note", "oldest", "verify"]

OWN: Final = "otelkit"
"""The service under which a server's own entries stand."""

_audit = schema.audit.c
_START: Final = bytes(32)
_ANCHOR: Final = "audit_anchor"  # in meta: id and hash of the newest entry that was deleted for its age
_HEAD: Final = "audit_head"  # in meta: id and hash of the newest entry
_LONGEST: Final = 500
_LONGEST_DETAIL: Final = 16_384
_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; times in nanoseconds, ids in hexadecimal, ``detail`` a JSON object; what is not known is empty."""

    uid: str
    time: int
    received: int
    service: str
    environment: str
    actor: str
    action: str
    target: str
    outcome: str
    trace_id: str
    span_id: str
    request_id: str
    session: str
    grp: str
    detail: str


class Verdict(NamedTuple):
    """What looking through the whole trail has shown.

    ``broken`` is the id of the first entry that is not what was written, None where all are. ``head`` is the newest
    entry's hash in hexadecimal, ``anchor`` how many entries were deleted for their age before the first one here.
    """

    entries: int
    head: str
    anchor: int
    broken: int | None
    why: str


def is_audit(record: LogRecord) -> bool:
    """Whether a log record belongs here."""
    return Audit.ACTION in record.attributes


def entry_of(record: LogRecord, now: int) -> Entry:
    """Return what a record says; ``now`` is when it was received, in nanoseconds."""
    attributes = record.attributes

    def text(name: str) -> str:
        value = attributes.get(name)
        return _plain(value) if isinstance(value, str) else ""

    service, environment = service_of(record.resource)
    parts = {"before": Audit.BEFORE, "after": Audit.AFTER, "details": Audit.DETAILS}
    detail = {part: read for part, name in parts.items() if (read := _read(attributes.get(name))) is not None}
    return Entry(
        uid=text(Core.LOG_RECORD_UID) or _content(record),
        time=min(record.time or record.observed or now, 2**63 - 1),
        received=now,
        service=f"{OWN} (sent)" if service == OWN else _plain(service),  # the server's own entries are its own
        environment=_plain(environment),
        actor=text(Audit.ACTOR),
        action=text(Audit.ACTION),
        target=text(Audit.TARGET),
        outcome=text(Audit.OUTCOME) or "success",
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        request_id=text(Otelkit.REQUEST_ID),
        session=text(Core.SESSION_ID),
        grp=text(Otelkit.GROUP_ID),
        detail=_written(detail),
    )


def note(
    connection: Connection,
    action: str,
    *,
    actor: str,
    target: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    outcome: str = "success",
) -> None:
    """Add an entry of the server's own, in the transaction of what it is about."""
    detail = {name: dict(values) for name, values in (("before", before), ("after", after)) if values}
    now = time.time_ns()
    entry = Entry(
        *(uuid.uuid4().hex, now, now, OWN, "", _plain(actor), _plain(action), _plain(target), outcome),
        *("", "", "", "", "", _written(detail)),
    )
    append(connection, [entry])


def append(connection: Connection, entries: Sequence[Entry]) -> int:
    """Add entries that are not there yet and return how many that was; inside the writer's transaction."""
    unique: dict[str, Entry] = {}
    for entry in entries:
        unique.setdefault(entry.uid, entry)
    names = list(unique)
    for at in range(0, len(names), _AT_ONCE):
        known = select(_audit.uid).where(_audit.uid.in_(names[at : at + _AT_ONCE]))
        for uid in connection.execute(known).scalars().all():
            del unique[uid]
    number, last = _noted(connection, _HEAD) or (0, _START)
    rows = []
    for entry in unique.values():
        number += 1
        last = _hash(last, number, asdict(entry))
        rows.append((number, *asdict(entry).values(), last))
    if rows:
        dialect_of(connection).insert(schema.audit)(connection, rows)
        _note(connection, _HEAD, number, last)
    return len(rows)


def verify(connection: Connection) -> Verdict:
    """Look through the whole trail."""
    number, last = _noted(connection, _ANCHOR) or (0, _START)
    anchor, entries = number, 0
    for row in chain.from_iterable(chunks(connection, select(schema.audit), _audit.id, _AT_ONCE)):
        number += 1
        if row.id != number:
            return Verdict(entries, last.hex(), anchor, row.id, f"entry {number} is missing")
        last = _hash(last, number, {name: getattr(row, name) for name in Entry.__slots__})
        if last != bytes(row.hash):
            return Verdict(entries, last.hex(), anchor, row.id, f"entry {number} is not what was written")
        entries += 1
    head = _noted(connection, _HEAD) or (0, _START)
    if head != (number, last):
        return Verdict(entries, last.hex(), anchor, number + 1, f"entries after {number} are missing")
    return Verdict(entries, last.hex(), anchor, None, "")


def delete_older(connection: Connection, cutoff: int, limit: int) -> int:
    """Delete up to ``limit`` of the oldest entries received before ``cutoff``; the chain goes on from the last one."""
    oldest = select(_audit.id, _audit.received, _audit.hash).order_by(_audit.id).limit(limit)
    gone = []
    for row in connection.execute(oldest):
        if row.received >= cutoff:
            break
        gone.append(row)
    if gone:
        connection.execute(delete(schema.audit).where(_audit.id <= gone[-1].id))
        _note(connection, _ANCHOR, gone[-1].id, bytes(gone[-1].hash))
    return len(gone)


def oldest(connection: Connection) -> int | None:
    """Return when the oldest entry was received, in nanoseconds."""
    return connection.execute(select(_audit.received).order_by(_audit.id).limit(1)).scalar()


def _hash(last: bytes, number: int, values: Mapping[str, Any]) -> bytes:
    told = json.dumps([number, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(last + told.encode()).digest()


def _noted(connection: Connection, key: str) -> tuple[int, bytes] | None:
    found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).scalar()
    if found is None:
        return None
    number, _, digest = found.partition(":")
    return int(number), bytes.fromhex(digest)


def _note(connection: Connection, key: str, number: int, digest: bytes) -> None:
    connection.execute(delete(schema.meta).where(schema.meta.c.key == key))
    connection.execute(schema.meta.insert().values(key=key, value=f"{number}:{digest.hex()}"))


def _content(record: LogRecord) -> str:
    """Return the same for the same record, so that one without an id that is sent again is not another one."""
    said = (record.time, record.event_name, record.trace_id, record.span_id, sorted(record.attributes.items()))
    whence = sorted(record.resource.attributes.items())
    return hashlib.blake2b(repr((said, whence)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _read(value: object) -> Any:
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _written(detail: Mapping[str, Any]) -> str:
    """Return a JSON object that has room; one that has none says so."""
    if not detail:
        return ""
    try:
        text = json.dumps(detail, sort_keys=True, default=str)
    except (ValueError, RecursionError):
        text = ""
    return text if 0 < len(text) <= _LONGEST_DETAIL else json.dumps({"left_out": f"{len(text)} characters"})


def _plain(text: str) -> str:
    """Return a text as every database keeps it: the hash is of what is read back."""
    return clip(text, _LONGEST).replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
