"""Errors: exceptions on spans and log records, each counted once a trace."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Core, Errors
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["ErrorMetrics"]


class ErrorMetrics:
    """What goes wrong in a service."""

    ERRORS: Final = MetricDef(
        "otelkit.errors",
        Instrument.COUNTER,
        "{error}",
        "Exceptions and logged errors by type and category, each once a trace however often it is recorded there. "
        "Unhandled ones ended a request, a job or another first span of a trace.",
        (Core.ERROR_TYPE, Errors.CATEGORY, Errors.UNHANDLED),
    )
