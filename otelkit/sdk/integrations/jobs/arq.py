"""arq: the job's own record carries the trace, and each function a worker has is run as a trace linked to it."""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

import arq.connections
import arq.worker
from opentelemetry.instrumentation.utils import suppress_instrumentation
from wrapt import wrap_function_wrapper

from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.jobs.queues import Probe, QueueLook, redis_probe, watch
from otelkit.sdk.integrations.jobs.run import Run, begin_run, carrier, end_run

__all__ = ["install"]

_SYSTEM: Final = "arq"
_RECORD: Final = "otelkit"  # beside arq's own one-letter keys
_LOOKED_AT: Final = 1000  # jobs of a queue that are asked whether they run already
_carrier: ContextVar[Mapping[str, Any] | None] = ContextVar("otelkit-arq-carrier", default=None)
_picked_up: ContextVar[float] = ContextVar(
    "otelkit-arq-picked-up", default=0.0
)  # before arq's clock for a timeout starts


def install() -> None:
    """Wrap what enqueues and what works."""
    wrap_function_wrapper("arq.connections", "serialize_job", _written)
    wrap_function_wrapper("arq.connections", "ArqRedis.enqueue_job", _enqueued)
    wrap_function_wrapper("arq.worker", "deserialize_job_raw", _read)
    wrap_function_wrapper("arq.worker", "Worker.__init__", _made)
    wrap_function_wrapper("arq.worker", "Worker.main", _worked)


def _written(original: Callable[..., bytes], instance: Any, args: Any, kwargs: Any) -> bytes:
    told = carrier()
    if not told:
        return original(*args, **kwargs)
    write = kwargs.get("serializer") or pickle.dumps
    return original(*args, **{**kwargs, "serializer": lambda data: write({**data, _RECORD: told})})


def _read(original: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    read = kwargs.get("deserializer") or pickle.loads

    def remembering(raw: bytes) -> Any:
        _picked_up.set(time.monotonic())
        data = read(raw)
        told = data.get(_RECORD) if isinstance(data, dict) else None
        _carrier.set(told if isinstance(told, dict) else None)
        return data

    return original(*args, **{**kwargs, "deserializer": remembering})


async def _enqueued(original: Callable[..., Any], redis: Any, args: Any, kwargs: Any) -> Any:
    with guard:
        _watch(kwargs.get("_queue_name") or redis.default_queue_name, redis)
    return await original(*args, **kwargs)


def _made(original: Callable[..., None], worker: Any, args: Any, kwargs: Any) -> None:
    original(*args, **kwargs)
    with guard:
        worker.functions = {
            name: replace(function, coroutine=_traced(worker, name, function))
            for name, function in worker.functions.items()
        }


async def _worked(original: Callable[..., Any], worker: Any, args: Any, kwargs: Any) -> Any:
    async def with_queue(context: Mapping[Any, Any]) -> None:
        with guard:
            _watch(worker.queue_name, worker.pool)
        if begin is not None:
            await begin(context)

    begin = worker.on_startup
    worker.on_startup = with_queue  # the first moment at which the worker is connected
    with suppress_instrumentation():  # asking for work, twice a second, is nobody's trace
        return await original(*args, **kwargs)


def _traced(worker: Any, name: str, function: Any) -> Callable[..., Any]:
    call = function.coroutine

    @functools.wraps(call)
    async def traced(context: Mapping[Any, Any], *args: Any, **kwargs: Any) -> Any:
        step = begin_run(_run_of(worker, name, context), call)
        try:
            result = await call(context, *args, **kwargs)
        except arq.worker.Retry as error:
            end_run(step, error.__cause__, retry=True)
            raise
        except asyncio.CancelledError as error:
            timeout = worker.job_timeout_s if function.timeout_s is None else function.timeout_s
            timed_out = timeout is not None and time.monotonic() - _picked_up.get() >= timeout
            end_run(step, TimeoutError(f"longer than {timeout:g} s") if timed_out else error)
            raise
        except BaseException as error:
            end_run(step, error)
            raise
        end_run(step)
        return result

    return traced


def _run_of(worker: Any, name: str, context: Mapping[Any, Any]) -> Run:
    with guard:
        score = context.get("score")
        return Run(
            _SYSTEM,
            name,
            queue=worker.queue_name,
            worker=f"arq-{os.getpid()}",
            attempt=context.get("job_try") or 1,
            id=str(context.get("job_id", "")),
            carrier=_carrier.get(),
            due=score / 1000 if isinstance(score, (int, float)) else None,
        )
    return Run(_SYSTEM, name)


# --- queues --------------------------------------------------------------------------------------------------


def _watch(queue: str, redis: Any) -> None:
    watch(_SYSTEM, queue, lambda: _open(queue, redis))


def _open(queue: str, redis: Any) -> Probe:
    return redis_probe(_SYSTEM, queue, redis.connection_pool, lambda client: _look(client, queue))


def _look(client: Any, queue: str) -> QueueLook:
    """Jobs stay in arq's queue while they run, at its front, and jobs for later stand in it already."""
    now = int(time.time() * 1000)
    due = client.zcount(queue, "-inf", now)
    first = client.zrangebyscore(queue, "-inf", now, start=0, num=_LOOKED_AT, withscores=True)
    pipe = client.pipeline(transaction=False)
    for job, _ in first:
        pipe.exists(f"{arq.constants.in_progress_key_prefix}{job.decode()}")
    waiting = [score for (_, score), runs in zip(first, pipe.execute(), strict=True) if not runs]
    return QueueLook(max(0, due - len(first) + len(waiting)), waiting[0] / 1000 if waiting else None)
