"""Writing audit records, before the call returns.

An audit record is an OpenTelemetry log record that takes a way of its own: no sampling, no queue, no consent, and an
error for the caller where it cannot be written. The server keeps it in a table of its own, chained by hashes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace

from otelkit.errors import AuditError
from otelkit.mapping.otlp import encode_logs
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import LogRecord, Resource, Scope
from otelkit.sdk.context import current_request_id, current_session
from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.export.transport import Outcome, Transport
from otelkit.sdk.kept import kept, pseudonym_of, target_of
from otelkit.sdk.routes import open_transport
from otelkit.semconv.attributes import Audit, Core, Otelkit
from otelkit.settings import Settings

__all__ = ["begin", "end", "write"]

SYSTEM: Final = "system"
_INFO: Final = 9


class _Trail:
    """Where this process writes."""

    def __init__(self, settings: Settings, resource: Resource, pseudonym: Pseudonymiser) -> None:
        self.resource = resource
        self.pseudonym = pseudonym
        self.seconds = settings.audit_timeout
        self._settings = settings
        self._transport: Transport | None = None
        self._owner = 0

    def transport(self) -> Transport:
        """The connection; a forked process makes one of its own."""
        if self._transport is None or self._owner != os.getpid():
            self._transport, self._owner = open_transport(self._settings, Signal.LOGS), os.getpid()
        return self._transport


class _Process:
    trail: _Trail | None = None
    quiet = False


def begin(settings: Settings, resource: Mapping[str, Any], pseudonym: Pseudonymiser) -> None:
    """Write from now on, where the settings say so, as ``resource``."""
    if settings.audit_endpoint:
        settings = dataclasses.replace(
            settings, endpoint=settings.audit_endpoint, logs_endpoint="", protocol="http/protobuf"
        )
    end(quiet=not settings.audit)
    if settings.audit:
        _Process.trail = _Trail(settings, Resource(resource), pseudonym)


def end(*, quiet: bool) -> None:
    """Write nothing from now on; with ``quiet`` nobody is told."""
    _Process.trail, _Process.quiet = None, quiet


def write(
    action: str,
    actor: str | None,
    target: str | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    outcome: str,
    details: Mapping[str, Any],
) -> str:
    """What :func:`otelkit.audit` does."""
    uid = str(uuid.uuid4())
    if _Process.quiet:
        return uid
    trail = _Process.trail
    if trail is None:
        raise AuditError("no audit record can be written while telemetry is off; OTELKIT_AUDIT=false does without them")
    attributes: dict[str, Any] = {
        **current_session().attributes,
        Core.LOG_RECORD_UID: uid,
        Audit.ACTION: action,
        Audit.ACTOR: _actor(actor, trail.pseudonym),
        Audit.OUTCOME: outcome,
    }
    if target is not None:
        attributes[Audit.TARGET] = target_of(str(target), trail.pseudonym)
    if request_id := current_request_id():
        attributes[Otelkit.REQUEST_ID] = request_id
    for name, values in ((Audit.BEFORE, before), (Audit.AFTER, after), (Audit.DETAILS, details)):
        if values:
            attributes[name] = json.dumps(kept(values, trail.pseudonym), ensure_ascii=False, sort_keys=True)
    _send(encode_logs([_record(action, attributes, trail.resource)]), trail)
    return uid


def _record(action: str, attributes: dict[str, Any], resource: Resource) -> LogRecord:
    now = time.time_ns()
    span = trace.get_current_span().get_span_context()
    ids = (span.trace_id.to_bytes(16), span.span_id.to_bytes(8)) if span.is_valid else (b"", b"")
    return LogRecord(now, now, _INFO, "INFO", None, attributes, action, *ids, 0, resource, Scope("otelkit.audit"))


def _actor(actor: str | None, pseudonym: Pseudonymiser) -> str:
    if actor is None:
        return current_session().user or SYSTEM
    return actor if actor == SYSTEM else pseudonym_of(actor, "user", pseudonym)


def _send(body: bytes, trail: _Trail) -> None:
    deadline = time.monotonic() + trail.seconds
    transport = trail.transport()
    pause = 0.05
    while True:
        left = deadline - time.monotonic()
        result = transport.send(body, max(0.05, left)) if left > 0 else Outcome("retry", "out of time")
        if result.verdict == "accepted" and not result.refused_records:
            return
        wait = max(pause, result.retry_after or 0.0)
        if result.verdict != "retry" or time.monotonic() + wait >= deadline:
            what = "was refused" if result.verdict != "retry" else "cannot be written"
            raise AuditError(
                f"the audit record {what} by {transport.address} ({result.detail or 'not accepted'}): it must be an "
                "otelkit server that takes this process's token; OTELKIT_AUDIT_ENDPOINT names it"
            )
        time.sleep(wait)
        pause = min(1.0, pause * 2)
