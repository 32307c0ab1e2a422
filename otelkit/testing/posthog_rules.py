"""What PostHog's capture endpoints accept, refuse, cut and drop: pure rules, for :mod:`otelkit.testing.posthog`.

Facts of the public service: a token is ASCII of at most 64 characters and no personal key; one event without name or
distinct id refuses a whole v0 batch; a distinct id is cut at 200 characters; a body holds 20 MB; an event over 1 MB is
taken and later dropped without a word; v1 answers for each uuid.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["MOST_BODY", "RefusedError", "Stored", "authorised", "v0_batch", "v1_batch"]

MOST_BODY: Final = 20 * 1024 * 1024
_MOST_EVENT: Final = 1024 * 1024
_MOST_NAME: Final = 200
_MOST_TOKEN: Final = 64
_V1_HEADERS: Final = ("PostHog-Sdk-Info", "PostHog-Attempt", "PostHog-Request-Id", "PostHog-Request-Timestamp")


class RefusedError(Exception):
    """The whole request is refused with an HTTP status; ``str`` is the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as it is stored; ``timestamp`` in UTC, ``properties`` as they came."""

    event: str
    distinct_id: str
    uuid: str
    timestamp: datetime
    properties: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What storage tells repeated events by: day, event, distinct id, uuid."""
        return (self.timestamp.date().isoformat(), self.event, self.distinct_id, self.uuid)


def authorised(token: object, known: str) -> None:
    """Check a project token.

    Raises:
        RefusedError: it is malformed, a personal key, or of another project.
    """
    if not isinstance(token, str) or not token:
        raise RefusedError(401, "API key is missing")
    if not token.isascii() or len(token) > _MOST_TOKEN or token.startswith("phx_"):
        raise RefusedError(401, "API key is not a project token")
    if token != known:
        raise RefusedError(401, "API key is of no project")


def v0_batch(batch: object, now: datetime) -> tuple[list[Stored], list[str]]:
    """Read the events of ``POST /batch/``: those that are stored, and why others are dropped without a word.

    Raises:
        RefusedError: one event is invalid, which refuses all.
    """
    if not isinstance(batch, list):
        raise RefusedError(400, "batch is no list")
    events, dropped = [], []
    for entry in batch:
        event = _event(entry, now)
        if len(json.dumps(entry)) > _MOST_EVENT:
            dropped.append("event larger than 1 MB")
        else:
            events.append(event)
    return events, dropped


def v1_batch(
    headers: Mapping[str, str], body: Mapping[str, Any], now: datetime
) -> tuple[list[Stored], dict[str, dict[str, str]]]:
    """Read the events of ``POST /i/v1/analytics/events``: those that are stored, and the result of each uuid.

    Raises:
        RefusedError: a header is missing, the body has no batch, or a uuid is there twice.
    """
    present = {name.lower() for name in headers}
    missing = [name for name in _V1_HEADERS if name.lower() not in present]
    if missing:
        raise RefusedError(400, f"header {missing[0]} is missing")
    batch = body.get("batch")
    if not isinstance(batch, list) or "created_at" not in body:
        raise RefusedError(400, "created_at or batch is missing")
    uuids = [entry.get("uuid") if isinstance(entry, dict) else None for entry in batch]
    if len(set(uuids)) != len(uuids):
        raise RefusedError(400, "a uuid is in the batch twice")
    events, results = [], {}
    for entry in batch:
        reason = _v1_problem(entry)
        if reason:
            results[str(entry.get("uuid"))] = {"result": "drop", "details": reason}
        else:
            events.append(_event(entry, now))
            results[entry["uuid"]] = {"result": "ok"}
    return events, results


def _v1_problem(entry: Mapping[str, Any]) -> str:
    for name in ("event", "distinct_id"):
        value = entry.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"{name} is missing"
        if len(value.encode()) > _MOST_NAME:
            return f"{name} is longer than {_MOST_NAME} bytes"
    if len(json.dumps(entry)) > _MOST_EVENT:
        return "event larger than 1 MB"
    return ""


def _event(entry: object, now: datetime) -> Stored:
    if not isinstance(entry, dict):
        raise RefusedError(400, "an event is no object")
    name, properties = entry.get("event"), entry.get("properties") or {}
    if not isinstance(name, str) or not name:
        raise RefusedError(400, "an event has no name")
    if not isinstance(properties, dict):
        raise RefusedError(400, "properties are no object")
    distinct_id = entry.get("distinct_id") or properties.get("distinct_id")
    if not isinstance(distinct_id, str | int) or not str(distinct_id).strip():
        raise RefusedError(400, "an event has no distinct_id")
    if name == "$groupidentify" and not {"$group_type", "$group_key"} <= properties.keys():
        raise RefusedError(400, "$groupidentify without $group_type or $group_key")
    told = {key: entry[key] for key in ("$set", "$set_once") if key in entry}
    return Stored(
        name, str(distinct_id)[:_MOST_NAME], _uuid(entry.get("uuid")), _time(entry.get("timestamp"), now),
        {**properties, **told},
    )  # fmt: skip


def _uuid(text: object) -> str:
    if text is None:
        return str(uuid.uuid4())  # each attempt is another event then, as with the real one
    try:
        return str(uuid.UUID(str(text)))
    except ValueError:
        raise RefusedError(400, "uuid cannot be parsed") from None


def _time(text: object, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return now  # a time that cannot be read is replaced, not refused
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
