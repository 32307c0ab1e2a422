"""Finished spans → Sentry's transactions with the same ids: one for the part of a trace that ran here."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from otelkit.model import Span, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, GenAI

__all__ = ["SentryTraces"]

_MOST_TRACES: Final = 512
_MOST_SPANS: Final = 1_000  # Sentry takes no more in one transaction
_LONGEST_WAIT: Final = 300.0
_REMOTE_PARENT: Final = 0x300
_KINDS: Final = {SpanKind.CLIENT: "client", SpanKind.PRODUCER: "queue.publish", SpanKind.CONSUMER: "queue.process"}
# Besides names and times: nothing that could be content.
_KEPT: Final = (
    Core.HTTP_METHOD,
    Core.HTTP_ROUTE,
    Core.HTTP_STATUS,
    GenAI.REQUEST_MODEL,
    GenAI.TOOL_NAME,
    Core.ERROR_TYPE,
)


class SentryTraces:
    """Takes redacted spans in the order they end, and sends a transaction when the first span of a trace here ends.

    Args:
        rate: share of traces, chosen by the trace's id, so that all services choose the same.
        send: takes an event.
    """

    def __init__(self, rate: float, send: Callable[[dict[str, Any]], None]) -> None:
        self._bound = int(rate * 2**64)
        self._send = send
        self._waiting: OrderedDict[bytes, tuple[float, list[Span]]] = OrderedDict()
        self._lock = threading.Lock()

    def observe(self, span: Span) -> None:
        """Take a finished span."""
        if int.from_bytes(span.trace_id[8:], "big") >= self._bound:
            return
        with self._lock:
            if not _enters(span):
                self._keep(span)
                return
            _, inside = self._waiting.pop(span.trace_id, (0.0, []))
        self._send(_transaction(span, inside))

    def settle(self, everything: bool = False) -> None:
        """Forget the spans of traces that do not end here."""
        with self._lock:
            latest = time.monotonic() - _LONGEST_WAIT
            while self._waiting and (everything or next(iter(self._waiting.values()))[0] <= latest):
                self._waiting.popitem(last=False)

    def _keep(self, span: Span) -> None:
        if span.trace_id not in self._waiting:
            while len(self._waiting) >= _MOST_TRACES:
                self._waiting.popitem(last=False)
            self._waiting[span.trace_id] = (time.monotonic(), [])
        spans = self._waiting[span.trace_id][1]
        if len(spans) < _MOST_SPANS:
            spans.append(span)


def _enters(span: Span) -> bool:
    return not span.parent_id or span.flags & _REMOTE_PARENT == _REMOTE_PARENT


def _transaction(root: Span, inside: list[Span]) -> dict[str, Any]:
    routed = Core.HTTP_ROUTE in root.attributes
    return {
        "type": "transaction",
        "platform": "python",
        "transaction": root.name,
        "transaction_info": {"source": "route" if routed else "task"},
        "start_timestamp": root.start / 1e9,
        "timestamp": root.end / 1e9,
        "contexts": {"trace": {**_ids(root), "op": _operation(root), "status": _status(root), "data": _data(root)}},
        "spans": [
            {
                **_ids(span),
                "op": _operation(span),
                "description": span.name,
                "status": _status(span),
                "start_timestamp": span.start / 1e9,
                "timestamp": span.end / 1e9,
                "data": _data(span),
                "origin": "auto.otel",
            }
            for span in inside
        ],
    }


def _ids(span: Span) -> dict[str, str]:
    ids = {"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()}
    return {**ids, "parent_span_id": span.parent_id.hex()} if span.parent_id else ids


def _operation(span: Span) -> str:
    attributes = span.attributes
    if isinstance(operation := attributes.get(GenAI.OPERATION), str):
        return f"gen_ai.{operation}" if operation != "run_job" else "queue.process"
    if Core.HTTP_METHOD in attributes:
        return "http.server" if span.kind == SpanKind.SERVER else "http.client"
    if Core.DB_SYSTEM in attributes or Core.LEGACY_DB_SYSTEM in attributes:
        return "db"
    return _KINDS.get(SpanKind(span.kind) if span.kind in set(SpanKind) else SpanKind.INTERNAL, "function")


def _status(span: Span) -> str:
    return "internal_error" if span.status == StatusCode.ERROR else "ok"


def _data(span: Span) -> dict[str, Any]:
    return {name: span.attributes[name] for name in _KEPT if name in span.attributes}
