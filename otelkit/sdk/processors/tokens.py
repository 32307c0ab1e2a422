"""LLM tokens, cost and speed."""

from __future__ import annotations

from collections.abc import Iterable

from otelkit.mapping.metrics import Measurement, llm
from otelkit.model import Span
from otelkit.sdk.processors.base import MeasuringProcessor

__all__ = ["TokenProcessor"]


class TokenProcessor(MeasuringProcessor):
    """Tokens by type, cost, time to first token, time per output token, duration and finish reasons of LLM calls.

    Counted on leaf inference and embedding spans only, once a call, whichever instrumentations see it.
    """

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.llm`."""
        return llm(span)
