"""Agents, workflows, jobs and slow requests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from otelkit.mapping.metrics import Measurement, http, steps
from otelkit.model import Span
from otelkit.sdk.processors.base import MeasuringProcessor

__all__ = ["StepProcessor"]


class StepProcessor(MeasuringProcessor):
    """Durations of agent runs, workflows and jobs, and counts of slow requests."""

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See :func:`otelkit.mapping.metrics.steps` and :func:`otelkit.mapping.metrics.http`."""
        return chain(steps(span), http(span))
