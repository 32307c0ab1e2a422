"""Send a marked trace, metric, log and event through the SDK, as a service would."""

from __future__ import annotations

import logging
import os
import secrets
import time
from dataclasses import dataclass
from typing import Final

from otelkit.cli.doctor.endpoint import KINDS, unsent
from otelkit.cli.doctor.report import Line, Verdict
from otelkit.semconv.attributes import GenAI
from otelkit.semconv.events import DOCTOR_CHECK
from otelkit.semconv.metrics import Metrics
from otelkit.settings import OPTIONS, Settings

__all__ = ["SERVICE", "Mark", "send"]

SERVICE: Final = "otelkit-doctor"
"""``service.name`` of what the doctor sends: its tool call is in no other service's figures."""

_FLUSH_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What to look for at the other end; ``sent`` is seconds since the epoch."""

    word: str
    trace_id: str
    sent: float


def send(settings: Settings, endpoint: str | None) -> tuple[Mark, Line]:
    """Start telemetry in this process, send one of each, wait until it is acknowledged, and end telemetry.

    The trace holds a ``gen_ai`` span: a Collector sends the server only those.
    """
    import otelkit.sdk.bootstrap as bootstrap

    for variable in OPTIONS["log_file"].variables:
        os.environ.pop(variable, None)  # the service's file is no hop, and its Collector may read it
    bootstrap.start(
        None, None, False, service=SERVICE, endpoint=endpoint, system_metrics=False, sentry_dsn="",
        sampler="always_on", console_logs=False,
    )  # fmt: skip
    started = time.monotonic()
    mark = _record()
    in_time = bootstrap.flush(_FLUSH_SECONDS)
    lost = bootstrap.lost()
    took = time.monotonic() - started
    bootstrap.shutdown(1.0)
    if in_time and not lost:
        sent = [kind for kind in KINDS if kind not in unsent(settings)]
        return mark, Line("sdk", Verdict.OK, f"acknowledged: {', '.join(sent)}", took)
    reasons = ", ".join(f"{count} {signal} {reason}" for (signal, reason), count in lost.items()) or "not in time"
    return mark, Line(
        "sdk", Verdict.FAIL, f"what was sent was not all acknowledged: {reasons}", took,
        "the endpoint takes an empty request but not this one: look at the receiver's log",
    )  # fmt: skip


def _record() -> Mark:
    from opentelemetry import _logs, metrics, trace
    from opentelemetry._logs import SeverityNumber

    word = secrets.token_hex(6)
    with trace.get_tracer(SERVICE).start_as_current_span("otelkit doctor") as root:
        attributes = {GenAI.OPERATION: "execute_tool", GenAI.TOOL_NAME: "doctor"}
        with trace.get_tracer(SERVICE).start_as_current_span("execute_tool doctor", attributes=attributes):
            metrics.get_meter(SERVICE).create_counter(Metrics.DOCTOR_CHECKS.name).add(1, {"mark": word})
            logger = logging.getLogger(SERVICE)
            logger.setLevel(logging.INFO)
            logger.info("otelkit doctor was here")
            _logs.get_logger(SERVICE).emit(
                timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, event_name=DOCTOR_CHECK
            )
    return Mark(word, f"{root.get_span_context().trace_id:032x}", time.time())
