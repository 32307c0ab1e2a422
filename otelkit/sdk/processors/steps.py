"""Agents, workflows, jobs, syncs and slow requests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from otelkit.mapping.metrics import Measurement, http, jobs, steps
from otelkit.model import Span
from otelkit.sdk.processors.base import MeasuringProcessor

__all__ = ["StepProcessor"]


class StepProcessor(MeasuringProcessor):
    """Agent runs and workflows, jobs and syncs, and counts of slow requests."""

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """See ``steps``, ``jobs`` and ``http`` of :mod:`otelkit.mapping.metrics`."""
        return chain(steps(span), jobs(span), http(span))
