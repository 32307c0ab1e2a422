"""FastAPI's and Starlette's BackgroundTasks: what runs after the answer is a trace linked to the request's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import context as otel_context
from wrapt import wrap_function_wrapper

from otelkit.sdk.integrations.jobs.run import Run, begin_run, carrier, end_run

__all__ = ["install"]

_SYSTEM: Final = "starlette"


def install() -> None:
    """Wrap the task; a list of tasks calls each of its own."""
    wrap_function_wrapper("starlette.background", "BackgroundTask.__call__", _called)


async def _called(original: Callable[[], Any], task: Any, args: Any, kwargs: Any) -> None:
    if "tasks" in vars(task):  # a list whose class has no call of its own
        await original(*args, **kwargs)
        return
    name = getattr(task.func, "__name__", type(task.func).__name__)
    step = begin_run(Run(_SYSTEM, name, carrier=carrier()), task.func, inside=otel_context.get_current())
    try:
        await original(*args, **kwargs)
    except BaseException as error:
        end_run(step, error)
        raise
    end_run(step)
