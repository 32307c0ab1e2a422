"""Support's view: what one user did, across traces, conversations, jobs, events, logs, errors and audit entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, case, func, select

from otelkit.model import Attributes
from otelkit.semconv.attributes import Core, Otelkit, Security
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.logs import severity_name
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["person"]

_trace, _log, _audit = schema.trace.c, schema.log.c, schema.audit.c
_error, _group = schema.error_event.c, schema.error_group.c
_LOOKED_AT: Final = 2_000  # newest log records that hold the id somewhere; where it is the user's is seen then
_WORDS: Final = re.compile(r"[^\W_]+")
_MOST_WORDS: Final = 20


def person(connection: Connection, payloads: PayloadReader, user: str, limit: int) -> dict[str, Any]:
    """Return a user's newest deeds of every kind, newest first; times in milliseconds.

    Args:
        connection: the store.
        payloads: reads details.
        user: how telemetry knows the user, which is a pseudonym where our SDK has sent it.
        limit: how many deeds at most.
    """
    logs = list(_logs(connection, payloads, user, limit))
    deeds = [
        *(deed for query, shown in _queries(user) for deed in map(shown, connection.execute(query.limit(limit + 1)))),
        *(deed for deed, _ in logs),
    ]
    deeds.sort(key=lambda deed: -deed["time"])
    return {
        "user": user,
        "figures": _figures(connection, user),
        "consent": next((consent for _, consent in logs if consent is not None), None),
        "deeds": deeds[:limit],
        "more": len(deeds) > limit,
    }


def _figures(connection: Connection, user: str) -> dict[str, Any]:
    """Return the sums of the user's stored traces; tokens and cost are None where none was reported."""
    row = connection.execute(
        select(
            func.count().label("traces"),
            func.sum(case((_trace.status == 2, 1), else_=0)).label("errors"),
            func.sum(_trace.llm_calls).label("llm_calls"),
            func.sum(_trace.input_tokens).label("input_tokens"),
            func.sum(_trace.output_tokens).label("output_tokens"),
            func.sum(_trace.cost).label("cost_usd"),
            func.count(func.distinct(_trace.conversation)).label("conversations"),
            func.min(_trace.start).label("first"),
            func.max(_trace.start).label("last"),
        ).where(_trace.user == user)
    ).one()
    counts = {name: int(getattr(row, name) or 0) for name in ("traces", "errors", "llm_calls", "conversations")}
    known = {name: getattr(row, name) for name in ("input_tokens", "output_tokens")}
    tokens = {name: None if value is None else int(value) for name, value in known.items()}
    times = {name: value / 1e6 if (value := getattr(row, name)) is not None else None for name in ("first", "last")}
    return {**counts, **tokens, "cost_usd": row.cost_usd, **times}


def _queries(user: str) -> tuple[tuple[Select[Any], Callable[[Row[Any]], dict[str, Any]]], ...]:
    errors = select(schema.error_event, *(_group[name] for name in ("type", "message", "service"))).join(
        schema.error_group, _group.id == _error.error
    )
    return (
        (select(schema.trace).where(_trace.user == user).order_by(_trace.start.desc()), _of_trace),
        (errors.where(_error.user == user).order_by(_error.time.desc()), _of_error),
        (select(schema.audit).where(_audit.actor == user).order_by(_audit.id.desc()), _of_audit),
    )


def _of_trace(row: Row[Any]) -> dict[str, Any]:
    job = row.name.startswith("run_job ")
    return _deed(
        "job" if job else "trace",
        row.start,
        row.input or row.name,
        row.service,
        failed=row.status == 2,
        trace_id=row.trace_id.hex(),
        conversation=row.conversation,
    )


def _of_error(row: Row[Any]) -> dict[str, Any]:
    return _deed("error", row.time, row.type or row.message, row.service, failed=True, error=row.error)


def _of_audit(row: Row[Any]) -> dict[str, Any]:
    what = f"{row.action} {row.target}".rstrip()
    return _deed("audit", row.time, what, row.service, failed=row.outcome != "success", entry=row.id)


def _logs(
    connection: Connection, payloads: PayloadReader, user: str, limit: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Give the user's log records and events, with the consent each was sent under."""
    series = schema.log_series.c
    words = _WORDS.findall(user)[:_MOST_WORDS]
    if not words:
        return
    said = dialect_of(connection).matches(_log.id, "log_text", words)
    query = (
        select(schema.log, series.service, series.event_name)
        .join(schema.log_series, series.id == _log.series)
        .where(said)
        .order_by(_log.time.desc())
        .limit(_LOOKED_AT)
    )
    rows = connection.execute(query).all()
    details = payloads.read(connection, {row.payload for row in rows})
    given = 0
    for row in rows:
        attributes = details[row.payload][row.place][1]
        if user not in (attributes.get(Core.USER_ID), attributes.get(Security.USER)) or given > limit:
            continue
        given += 1
        what = row.event_name or row.body
        kind = "event" if row.event_name else "log"
        failed = row.severity >= 17
        trace_id = row.trace_id.hex() if row.trace_id else None
        told = {"trace_id": trace_id, "severity": severity_name(row.severity)}
        yield _deed(kind, row.time, what, row.service, failed=failed, **told), _consent(row.time, attributes)


def _consent(time: int, attributes: Attributes) -> dict[str, Any] | None:
    categories = attributes.get(Otelkit.CONSENT_CATEGORIES)
    if not isinstance(categories, list | tuple):
        return None
    return {
        "categories": [str(one) for one in categories],
        "policy_version": attributes.get(Otelkit.CONSENT_POLICY_VERSION),
        "seen": time / 1e6,
    }


def _deed(kind: str, time: int, what: str, service: str, *, failed: bool, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("trace_id", "conversation", "error", "entry", "severity"))
    return {"kind": kind, "time": time / 1e6, "what": what[:300], "service": service, "failed": failed, **empty, **more}
