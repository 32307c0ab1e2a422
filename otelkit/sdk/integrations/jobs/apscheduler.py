"""APScheduler 3: each run of a scheduled job is a trace of its own; its wait is how late it began.

Jobs are scheduled long before they run and again and again, so there is no trace to link a run to.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import apscheduler.executors.base as base
from wrapt import ObjectProxy

from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.jobs.run import Run, begin_run, end_run

__all__ = ["install"]

_SYSTEM: Final = "apscheduler"


def install() -> None:
    """Wrap what every executor calls.

    With functions and not with proxies: a pool of processes finds them by their names.
    """
    run_job, run_coroutine_job = base.run_job, getattr(base, "run_coroutine_job", None)

    @functools.wraps(run_job)
    def traced(job: Any, jobstore_alias: str, run_times: Sequence[Any], logger_name: str) -> Any:
        return run_job(_Traced(job, run_times), jobstore_alias, run_times, logger_name)

    _replace("run_job", run_job, traced)
    if run_coroutine_job is None:
        return

    @functools.wraps(run_coroutine_job)
    async def traced_coroutine(job: Any, jobstore_alias: str, run_times: Sequence[Any], logger_name: str) -> Any:
        return await run_coroutine_job(_TracedAsync(job, run_times), jobstore_alias, run_times, logger_name)

    _replace("run_coroutine_job", run_coroutine_job, traced_coroutine)


def _replace(name: str, original: object, by: object) -> None:
    """Wherever it is already: executors that are imported later take it from where it is defined."""
    for place, module in list(sys.modules.items()):
        if place.startswith("apscheduler.executors.") and getattr(module, name, None) is original:
            setattr(module, name, by)


class _Traced(ObjectProxy[Any]):
    """A job whose function runs as a run."""

    def __init__(self, job: Any, run_times: Sequence[Any]) -> None:
        super().__init__(job)
        self._self_times = list(run_times)

    @property
    def func(self) -> Callable[..., Any]:
        """The job's function, traced; asked for once a run."""
        call = self.__wrapped__.func

        def traced(*args: Any, **kwargs: Any) -> Any:
            step = begin_run(self._self_run(), call)
            try:
                result = call(*args, **kwargs)
            except BaseException as error:
                end_run(step, error)
                raise
            end_run(step)
            return result

        return traced

    def _self_run(self) -> Run:
        with guard:
            job = self.__wrapped__
            # By its function: a job's own name and id are somebody's words, and may name a person.
            name = (job.func_ref or getattr(job.func, "__qualname__", "unknown")).replace(":", ".")
            planned = self._self_times.pop(0) if self._self_times else None
            return Run(_SYSTEM, name, due=None if planned is None else planned.timestamp())
        return Run(_SYSTEM, "unknown")


class _TracedAsync(_Traced):
    @property
    def func(self) -> Callable[..., Any]:
        """The job's coroutine function, traced."""
        call = self.__wrapped__.func

        async def traced(*args: Any, **kwargs: Any) -> Any:
            step = begin_run(self._self_run(), call)
            try:
                result = await call(*args, **kwargs)
            except BaseException as error:
                end_run(step, error)
                raise
            end_run(step)
            return result

        return traced
