"""RQ: each job runs in a process forked for it, which hands its metrics to the worker when it ends.

Series of their own would begin at 1 and end there, one for every job: so the worker reports them, and it also records
the run of a process that was killed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO, Any, Final

import rq
from opentelemetry.instrumentation.utils import suppress_instrumentation
from rq.job import Job
from wrapt import wrap_function_wrapper

from otelkit.sdk import lifecycle
from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.jobs.queues import Probe, QueueLook, redis_probe, stop_watching, watch
from otelkit.sdk.integrations.jobs.run import ProcessDiedError, Run, begin_run, carrier, end_run, lost

__all__ = ["install"]

_SYSTEM: Final = "rq"
_META: Final = "otelkit"  # in a job's meta
_RETRIES: Final = "retries"
_FAREWELL: Final = 2.0  # seconds a job's process takes to deliver at most
_SHORT_FAREWELL: Final = 0.1  # and while the backend is away, as the process before found out
_DELIVERED: Final = b"+"  # first byte of what is left; the metrics follow
_MISSED: Final = b"-"
_MOST_LEFT: Final = 4_000_000  # bytes of metrics read from one job


class _Worker:
    """What this process knows of itself."""

    left: IO[bytes] | None = None  # where the process of the present job leaves its metrics
    reached = True  # the backend, by the newest process that tried


def install() -> None:
    """Wrap what enqueues and what works."""
    wrap_function_wrapper("rq.job", "Job.create", _created)
    wrap_function_wrapper("rq.job", "Job.perform", _performed)
    wrap_function_wrapper("rq.queue", "Queue.create_job", _allowed_retries)
    wrap_function_wrapper("rq.queue", "Queue._enqueue_job", _enqueued)
    for method, wrapper in (
        ("work", _worked),
        ("perform_job", _worked_off),
        ("fork_work_horse", _forking),
        ("monitor_work_horse", _monitored),
        ("handle_work_horse_killed", _killed),
    ):
        # Where it is defined: workers that do not fork inherit some of these and not others.
        owner = next(kind for kind in rq.Worker.__mro__ if method in vars(kind))
        wrap_function_wrapper(owner, method, wrapper)


def _created(original: Callable[..., Job], instance: Any, args: Any, kwargs: Any) -> Job:
    job = original(*args, **kwargs)
    with guard:
        told = carrier()
        if told:
            job.meta = {**job.meta, _META: told}
    return job


def _allowed_retries(original: Callable[..., Job], queue: rq.Queue, args: Any, kwargs: Any) -> Job:
    """RQ counts down: how many retries a job had at first is what tells which attempt a later one is."""
    job = original(*args, **kwargs)
    if job.retries_left and _META in job.meta:
        job.meta[_META][_RETRIES] = job.retries_left
    return job


def _enqueued(original: Callable[..., Any], queue: rq.Queue, args: Any, kwargs: Any) -> Any:
    with guard:
        _watch(queue)
    return original(*args, **kwargs)


def _performed(original: Callable[[], Any], job: Job, args: Any, kwargs: Any) -> Any:
    run, function = _run_of(job), None
    with guard:
        function = job.func
    step = begin_run(run, function)
    try:
        result = original(*args, **kwargs)
    except BaseException as error:
        end_run(step, error, retry=bool(job.should_retry))
        raise
    end_run(step, retry=_asks_again(job, result))
    return result


def _asks_again(job: Job, result: object) -> bool:
    return isinstance(result, rq.Retry) and (job.number_of_retries or 0) < result.max


def _run_of(job: Job) -> Run:
    with guard:
        told = job.meta.get(_META) if isinstance(job.meta, dict) else None
        told = told if isinstance(told, dict) else {}
        made = told.get(_RETRIES, job.retries_left or 0) - (job.retries_left or 0) + (job.number_of_retries or 0)
        return Run(
            _SYSTEM,
            job.func_name or "unknown",
            queue=job.origin or "",
            worker=job.worker_name or "",
            attempt=max(0, made) + 1,
            id=job.id,
            carrier=told,
            due=job.enqueued_at.timestamp() if job.enqueued_at else None,
        )
    return Run(_SYSTEM, "unknown")


# --- workers -------------------------------------------------------------------------------------------------


def _worked(original: Callable[..., Any], worker: rq.Worker, args: Any, kwargs: Any) -> Any:
    with guard:
        for queue in worker.queues:
            _watch(queue)
    with suppress_instrumentation():  # asking for work and bookkeeping are nobody's trace
        return original(*args, **kwargs)


def _forking(original: Callable[..., Any], worker: rq.Worker, args: Any, kwargs: Any) -> Any:
    _Worker.left = None
    with guard:
        _Worker.left = tempfile.TemporaryFile()  # noqa: SIM115  closed by _take_over
    return original(*args, **kwargs)


def _worked_off(original: Callable[..., bool], worker: rq.Worker, args: Any, kwargs: Any) -> bool:
    if worker.is_horse:
        stop_watching()
    try:
        return original(*args, **kwargs)
    finally:
        if worker.is_horse:  # os._exit comes next
            with guard:
                _hand_over()


def _hand_over() -> None:
    if _Worker.left is None:  # spawned, not forked: nobody waits for anything
        lifecycle.flush(_FAREWELL)
        return
    left, delivered = lifecycle.hand_over(_FAREWELL if _Worker.reached else _SHORT_FAREWELL)
    _Worker.left.write((_DELIVERED if delivered else _MISSED) + left)
    _Worker.left.flush()


def _monitored(original: Callable[..., Any], worker: rq.Worker, args: Any, kwargs: Any) -> Any:
    try:
        return original(*args, **kwargs)
    finally:
        with guard:
            _take_over()


def _take_over() -> None:
    left, _Worker.left = _Worker.left, None
    if left is None:
        return
    with left:
        left.seek(0)
        if mark := left.read(1):
            _Worker.reached = mark == _DELIVERED
            lifecycle.absorb(left.read(_MOST_LEFT))


def _killed(original: Callable[..., Any], worker: rq.Worker, args: Any, kwargs: Any) -> Any:
    with guard:
        job, _, ended = (*args, *kwargs.values())[:3]
        number = os.WTERMSIG(ended) if ended is not None and os.WIFSIGNALED(ended) else None
        began = job.started_at.timestamp() if job.started_at else None
        lost(_run_of(job), ProcessDiedError(number), began, retry=bool(job.should_retry))
    return original(*args, **kwargs)


# --- queues --------------------------------------------------------------------------------------------------


def _watch(queue: rq.Queue) -> None:
    name, key, prefix = queue.name, queue.key, queue.job_class.redis_job_namespace_prefix
    watch(_SYSTEM, name, lambda: _open(queue.connection, name, key, prefix))


def _open(connection: Any, name: str, key: str, prefix: str) -> Probe:
    return redis_probe(_SYSTEM, name, connection.connection_pool, lambda client: _look(client, key, prefix))


def _look(client: Any, key: str, prefix: str) -> QueueLook:
    length, first = client.pipeline(transaction=False).llen(key).lindex(key, 0).execute()
    return QueueLook(length, None if first is None else _since(client.hget(f"{prefix}{first.decode()}", "enqueued_at")))


def _since(written: bytes | None) -> float | None:
    return None if not written else rq.utils.utcparse(written.decode()).timestamp()
