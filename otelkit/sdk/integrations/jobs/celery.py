"""Celery, by its signals: what is published carries the trace, what a worker runs is a trace linked to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from celery import current_app, signals
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit.sdk import lifecycle
from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.jobs.queues import Probe, QueueLook, redis_probe, watch
from otelkit.sdk.integrations.jobs.run import ENQUEUED, Run, begin_run, carrier, end_run, enqueued_at, lost
from otelkit.sdk.steps import Step
from otelkit.semconv.attributes import Otelkit

__all__ = ["install"]

_SYSTEM: Final = "celery"
_STEP: Final = "otelkit_step"  # on the task's request: its run, and what went wrong
_ERROR: Final = "otelkit_error"
_TRACEPARENT: Final = "traceparent"
_WITHDRAWN: Final = frozenset({"IGNORED", "REJECTED", "REVOKED"})
_FAREWELL: Final = 2.0  # seconds
_quiet: Final[list[Any]] = []


def install() -> None:
    """Listen to Celery."""
    for signal, receiver in (
        (signals.before_task_publish, _published),
        (signals.task_prerun, _begun),
        (signals.task_retry, _to_be_retried),
        (signals.task_failure, _failed),
        (signals.task_postrun, _ended),
        (signals.celeryd_init, _worker_begun),
        (signals.worker_ready, _worker_ready),
        (signals.worker_process_shutdown, _process_ended),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"otelkit-{receiver.__name__}")


def _published(
    headers: dict[str, Any] | None = None, declare: Any = None, routing_key: str | None = None, **_: Any
) -> None:
    with guard:
        if headers is not None:
            headers.update(carrier())
        queue = declare[0].name if declare else routing_key
        if queue:
            app = current_app._get_current_object()
            watch(_SYSTEM, queue, partial(_open, app, queue))


def _begun(task: Any = None, task_id: str = "", **_: Any) -> None:
    with guard:
        request = task.request
        setattr(request, _STEP, begin_run(_run_of(task, request, task_id), task.run))


def _to_be_retried(request: Any = None, reason: Any = None, **_: Any) -> None:
    with guard:
        setattr(request, _ERROR, getattr(reason, "exc", None))


def _failed(sender: Any = None, task_id: str = "", exception: BaseException | None = None, **_: Any) -> None:
    with guard:
        request = sender.request
        if isinstance(getattr(request, _STEP, None), Step):
            setattr(request, _ERROR, exception)
        elif exception is not None:  # its process is gone, or was killed: this is the worker's main process
            lost(_run_of(sender, request, task_id), exception, getattr(request, "time_start", None))


def _ended(task: Any = None, state: str | None = None, **_: Any) -> None:
    with guard:
        request = task.request
        step = getattr(request, _STEP, None)
        if not isinstance(step, Step):
            return
        delattr(request, _STEP)
        error = getattr(request, _ERROR, None)
        if state in _WITHDRAWN:
            step.set_attribute(Otelkit.OUTCOME, "cancelled")
        end_run(step, error if isinstance(error, BaseException) else None, retry=state == "RETRY")


def _run_of(task: Any, request: Any, task_id: str) -> Run:
    given = {key: getattr(request, key, None) for key in (_TRACEPARENT, ENQUEUED)}
    delivery = getattr(request, "delivery_info", None) or {}
    return Run(
        _SYSTEM,
        task.name,
        queue=delivery.get("routing_key") or "",
        worker=getattr(request, "hostname", None) or "",
        attempt=(getattr(request, "retries", None) or 0) + 1,
        id=task_id or "",
        carrier=given,
        due=_due(given, getattr(request, "eta", None)),
    )


def _due(given: Mapping[str, Any], eta: object) -> float | None:
    enqueued = enqueued_at(given)
    if enqueued is None or not isinstance(eta, str):
        return enqueued
    at = datetime.fromisoformat(eta)
    return max(enqueued, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


# --- workers -------------------------------------------------------------------------------------------------


def _worker_begun(**_: Any) -> None:
    """Asking the broker for work, twice a second or more, is nobody's trace."""
    quiet = suppress_instrumentation()
    quiet.__enter__()
    _quiet.append(quiet)  # until the process ends


def _worker_ready(sender: Any = None, **_: Any) -> None:
    with guard:
        app = sender.app
        for queue in list(app.amqp.queues.consume_from):
            watch(_SYSTEM, queue, partial(_open, app, queue))


def _process_ended(**_: Any) -> None:
    with guard:
        lifecycle.flush(_FAREWELL)


# --- queues --------------------------------------------------------------------------------------------------


def _open(app: Any, queue: str) -> Probe:
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        pool = getattr(getattr(channel, "client", None), "connection_pool", None)
        if connection.transport.driver_type != "redis" or pool is None:
            return lambda owner, seconds: _declared_length(app, queue)
        prefix = getattr(channel, "global_keyprefix", "") or ""
        # Celery pops from the right: of each priority the last is the oldest.
        keys = [f"{prefix}{channel._q_for_pri(queue, priority)}" for priority in channel.priority_steps]
    return redis_probe(_SYSTEM, queue, pool, lambda client: _look(client, keys))


def _look(client: Any, keys: list[str]) -> QueueLook:
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.llen(key)
        pipe.lindex(key, -1)
    found = pipe.execute()
    since = [_enqueued(message) for message in found[1::2] if message is not None]
    known = [at for at in since if at is not None]
    return QueueLook(sum(found[::2]), min(known) if known else None)


def _enqueued(message: bytes) -> float | None:
    try:
        return enqueued_at(json.loads(message)["headers"])
    except (ValueError, KeyError, TypeError):
        return None


def _declared_length(app: Any, queue: str) -> QueueLook:
    """Brokers that say how long a queue is when asked for it; how old its oldest is they do not say."""
    with app.connection_for_read() as connection:
        return QueueLook(connection.default_channel.queue_declare(queue, passive=True).message_count, None)
