"""Session → attributes at a span's start: attributes set at the end would come too late."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from otelkit.sdk.context import current_request_id, current_session
from otelkit.sdk.guard import guard
from otelkit.semconv.attributes import Otelkit

__all__ = ["ContextProcessor"]


class ContextProcessor(SpanProcessor):
    """User (with consent), group, session, conversation and request id on every span that starts inside a session."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the attributes of the session that ``parent_context`` is in."""
        with guard:
            attributes = current_session(parent_context).attributes
            if attributes:
                span.set_attributes(attributes)
            request_id = current_request_id(parent_context)
            if request_id:
                span.set_attribute(Otelkit.REQUEST_ID, request_id)
