"""Trace rows as the API shows them."""

from __future__ import annotations

import json
from typing import Any, Final

from otelkit.server.insights.sums import tokens
from otelkit.server.kinds import KINDS

__all__ = ["status_name", "trace_row"]

_ORDER: Final = ("app", "retrieval", "tool", "db", "job", "llm")


def trace_row(row: Any) -> dict[str, Any]:
    """Return one row of the trace list."""
    split = json.loads(row.split)
    return {
        "trace_id": row.trace_id.hex(),
        "title": row.input or row.name,
        "input": row.input,
        "output": row.output,
        "name": row.name,
        "service": row.service,
        "services": json.loads(row.services),
        "environment": row.environment or None,
        "start": row.start / 1e6,
        "duration_ms": row.duration / 1e6,
        "status": status_name(row.status),
        "root_status": status_name(row.root_status),
        "error": row.error,
        "errors": row.errors,
        "complete": bool(row.complete),
        "spans": row.spans,
        "models": json.loads(row.models),
        "tools": json.loads(row.tools),
        "llm_calls": row.llm_calls,
        "tool_calls": row.tool_calls,
        "user": row.user,
        "group": row.grp,
        "session": row.session,
        "conversation": row.conversation,
        "tokens": tokens(row),
        "unreported_calls": row.unreported,
        "cost_usd": row.cost,
        "unpriced": json.loads(row.unpriced),
        "split": [{"kind": kind, "ms": split[kind] / 1e6} for kind in _ORDER if kind in split],
    }


def status_name(status: int) -> str:
    """Return ``ok`` or ``error``."""
    return "error" if status == 2 else "ok"


assert set(_ORDER) == set(KINDS)
