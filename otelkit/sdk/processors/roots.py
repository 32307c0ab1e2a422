"""To which request (or job) of this process a span belongs: noted at its start, when that is still to be seen.

One trace may have several here, as of a service that calls itself; and a task may outlive the request it came from.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from otelkit.model import Span

__all__ = ["Key", "Roots", "key_of"]

_MOST: Final = 8192  # spans under way or waiting; of the oldest beyond it the root is not known
_ROOT: Final = "_otelkit_root"  # on the SDK's span; on no root itself, which would keep it alive

Key: TypeAlias = tuple[bytes, bytes]  # trace and span id
_Note: TypeAlias = tuple[SpanContext, SpanContext | None, ReadableSpan | None]


class Roots:
    """Remembers the nearest server span or local root above each span; the SDK's own, which tells its state of now."""

    def __init__(self) -> None:
        self._notes: deque[_Note] = deque(maxlen=_MOST)
        self._known: OrderedDict[Key, ReadableSpan | None] = OrderedDict()

    def note(self, span: ReadableSpan, context: Context | None) -> None:
        """Take a span that starts in ``context``; for any thread, an append."""
        above = span.parent
        root: ReadableSpan | None = span
        if above is not None and not above.is_remote and span.kind is not SpanKind.SERVER:
            parent = trace.get_current_span(context)
            root = getattr(parent, _ROOT, None) or (parent if isinstance(parent, ReadableSpan) else None)
            setattr(span, _ROOT, root)
        assert span.context is not None
        self._notes.append((span.context, above, root))

    def of(self, span: Span) -> ReadableSpan | None:
        """Return the root of a finished span, None if it is not known; once each, for one thread at a time."""
        known = self._known
        while self._notes:
            context, above, root = self._notes.popleft()
            if root is None and above is not None:  # its parent was handed on by its ids only
                root = known.get(_key(above))
            known[_key(context)] = root
            if len(known) > _MOST:
                known.popitem(last=False)
        return known.pop((span.trace_id, span.span_id), None)


def key_of(root: ReadableSpan) -> Key:
    """Return the ids of a root."""
    assert root.context is not None
    return _key(root.context)


def _key(context: SpanContext) -> Key:
    return context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
