"""One run of a background job: a trace of its own, linked to the one that enqueued it. Every hook uses this.

No arguments, results or error texts beyond the recorded exception's, which passes redaction like all others.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otelkit.sdk.guard import guard
from otelkit.sdk.steps import Spec, State, Step, enter, inert_step, leave, tracer
from otelkit.semconv.attributes import Core, GenAI, Messaging, Operation, Otelkit

__all__ = ["ENQUEUED", "ProcessDiedError", "Run", "begin_run", "carrier", "end_run", "enqueued_at", "lost"]

ENQUEUED: Final = "otelkit-enqueued"
"""Key of the carrier: when the job was put into its queue, in seconds since 1970."""

_propagator: Final = TraceContextTextMapPropagator()  # never baggage: whatever else travels is not ours to store
_SPEC: Final = Spec(Operation.JOB, Otelkit.JOB_NAME, SpanKind.CONSUMER)
# An id that somebody chose may name a person; one that a library drew does not.
_DRAWN_ID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_LONGEST_WAIT: Final = 366 * 86_400.0  # seconds; beyond it a clock is wrong


class ProcessDiedError(Exception):
    """What a run is said to have failed with whose process was killed, or ended by itself, in the middle of it."""

    def __init__(self, signal: int | None) -> None:
        super().__init__(f"the process was ended by signal {signal}" if signal else "the process ended")


@dataclass(frozen=True, slots=True)
class Run:
    """What a hook knows of one run.

    Attributes:
        system: the library (``messaging.system``).
        name: the job's name as its library has it.
        queue: where it waited; empty where there is no queue.
        worker: which worker runs it.
        attempt: which attempt it is, from 1; 0 where the library does not say.
        id: the job's id; kept only if a library drew it.
        carrier: what :func:`carrier` gave the job when it was enqueued.
        due: when it could have begun, in seconds since 1970; None where unknown.
    """

    system: str
    name: str
    queue: str = ""
    worker: str = ""
    attempt: int = 0
    id: str = ""
    carrier: Mapping[str, Any] | None = None
    due: float | None = None


def carrier() -> dict[str, str]:
    """What to store with a job that is enqueued now, so that its runs can be linked to the current trace."""
    made: dict[str, str] = {}
    if State.enabled:
        with guard:
            _propagator.inject(made)
            made[ENQUEUED] = f"{time.time():.3f}"
    return made


def begin_run(run: Run, function: object = None, *, inside: Context | None = None) -> Step:
    """Start a run and make it current; :func:`end_run` ends it.

    Args:
        run: what is known of it.
        function: what will be called.
        inside: a context whose session the run belongs to; nothing of another's otherwise.
    """
    if not State.enabled:
        return inert_step()
    step = inert_step()
    with guard:
        step = _started(run, run.due, inside)
        # Decorated with traced_job, it names the run instead of making a second one.
        step.nameless = getattr(function, "__otelkit_job__", False) is True
        enter(step)
    return step


def end_run(step: Step, error: BaseException | None = None, *, retry: bool = False) -> None:
    """End a run: well, by ``error``, or as an attempt that will be made again."""
    with guard:
        if retry:
            step.retry(error)
        elif error is not None:
            step.end_with(error)
        else:
            step.end()
        leave()


def lost(run: Run, error: BaseException, began: float | None, *, retry: bool = False) -> None:
    """Record a run whose process died with everything it knew of it; ``began`` in seconds since 1970."""
    if not State.enabled:
        return
    with guard:
        step = _started(run, None, None, began)
        if retry:
            step.retry(error)
        else:
            step.end_with(error)


def _started(run: Run, due: float | None, inside: Context | None, began: float | None = None) -> Step:
    # Without its span: what begins here is a trace of its own.
    context = Context() if inside is None else trace.set_span_in_context(trace.INVALID_SPAN, inside)
    span = tracer().start_span(
        f"{Operation.JOB} {run.name}",
        context,
        SpanKind.CONSUMER,
        _attributes(run, due),
        links=_links(run.carrier),
        start_time=None if began is None else int(began * 1e9),
    )
    return Step(_SPEC, span, "", context)


def _attributes(run: Run, due: float | None) -> dict[str, Any]:
    waited = None if due is None else time.time() - due
    attributes = {
        GenAI.OPERATION: Operation.JOB,
        Otelkit.JOB_NAME: run.name,
        Core.MESSAGING_SYSTEM: run.system,
        Messaging.OPERATION_TYPE: "process",
        Messaging.DESTINATION: run.queue,
        Messaging.CLIENT_ID: run.worker,
        Messaging.MESSAGE_ID: run.id if _DRAWN_ID(run.id) else "",
        Otelkit.JOB_ATTEMPT: run.attempt or None,
        Otelkit.JOB_WAIT: max(0.0, waited) if waited is not None and waited < _LONGEST_WAIT else None,
    }
    return {key: value for key, value in attributes.items() if value not in (None, "")}


def _links(given: Mapping[str, Any] | None) -> list[Link]:
    if not given:
        return []
    text = {key: value for key, value in given.items() if isinstance(value, str)}
    origin = trace.get_current_span(_propagator.extract(text, Context())).get_span_context()
    return [Link(origin)] if origin.is_valid else []


def enqueued_at(given: Mapping[str, Any] | None) -> float | None:
    """When a carrier's job was enqueued, None where it does not say."""
    try:
        return float((given or {})[ENQUEUED])
    except (KeyError, TypeError, ValueError):
        return None
