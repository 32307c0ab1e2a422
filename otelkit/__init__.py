"""otelkit: observability and product analytics for Python LLM services, through one OpenTelemetry pipeline.

::

    import otelkit

    otelkit.init(app, service="shop-assistant")

    @otelkit.traced_tool
    async def find_orders(customer: str) -> list[Order]: ...
"""

from otelkit.errors import AuditError, MissingExtraError, OtelkitError, SettingsError
from otelkit.sdk.audit import audit
from otelkit.sdk.budgets import budget
from otelkit.sdk.context import bind, session
from otelkit.sdk.decorators import (
    record_chunk,
    record_messages,
    record_response,
    record_results,
    record_usage,
    sync,
    traced_agent,
    traced_embedding,
    traced_job,
    traced_llm,
    traced_rerank,
    traced_retrieval,
    traced_tool,
    traced_workflow,
)
from otelkit.sdk.events import define_event, track
from otelkit.sdk.lifecycle import flush, init, shutdown
from otelkit.sdk.own_metrics import counter, gauge, histogram, up_down_counter
from otelkit.sdk.reports import capture_message
from otelkit.sdk.security import security_event
from otelkit.sdk.vectors import vector_index

__all__ = [
    "AuditError",
    "MissingExtraError",
    "OtelkitError",
    "SettingsError",
    "audit",
    "bind",
    "budget",
    "capture_message",
    "counter",
    "define_event",
    "flush",
    "gauge",
    "histogram",
    "init",
    "record_chunk",
    "record_messages",
    "record_response",
    "record_results",
    "record_usage",
    "security_event",
    "session",
    "shutdown",
    "sync",
    "traced_agent",
    "traced_embedding",
    "traced_job",
    "traced_llm",
    "traced_rerank",
    "traced_retrieval",
    "traced_tool",
    "traced_workflow",
    "track",
    "up_down_counter",
    "vector_index",
]
