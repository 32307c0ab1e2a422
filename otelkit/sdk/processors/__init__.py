"""Span processors, each an ordinary OpenTelemetry ``SpanProcessor`` for any provider.

``otelkit.init`` composes them behind one worker; on a provider of your own they work alone::

    provider.add_span_processor(TokenProcessor(meter_provider=my_meter_provider))

They read OpenTelemetry GenAI, OpenInference and Traceloop spans alike and never raise into the application.
"""

from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.sdk.processors.context import ContextProcessor
from otelkit.sdk.processors.databases import DatabaseProcessor
from otelkit.sdk.processors.rag import RagProcessor
from otelkit.sdk.processors.steps import StepProcessor
from otelkit.sdk.processors.tokens import TokenProcessor
from otelkit.sdk.processors.tools import ToolProcessor

__all__ = [
    "ContextProcessor",
    "DatabaseProcessor",
    "MeasuringProcessor",
    "RagProcessor",
    "StepProcessor",
    "TokenProcessor",
    "ToolProcessor",
]
