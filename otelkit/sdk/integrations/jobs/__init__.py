"""Background jobs of Celery, RQ, arq, APScheduler and FastAPI's BackgroundTasks: one hook each, one common core.

:mod:`~otelkit.sdk.integrations.jobs.run` is what a run of any of them becomes, and
:mod:`~otelkit.sdk.integrations.jobs.queues` how long their queues are. A hook is put in when its library is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any, Final

from wrapt import register_post_import_hook

from otelkit.sdk.guard import logger
from otelkit.sdk.integrations.jobs import queues

__all__ = ["LIBRARIES", "switch_on_jobs"]

# Library → the module after whose import its hook goes in.
LIBRARIES: Final = {
    "celery": "celery",
    "rq": "rq",
    "arq": "arq",
    "apscheduler": "apscheduler.executors.base",
    "background": "starlette.background",
}
_on: set[str] = set()


def switch_on_jobs(disabled: Collection[str], queue_seconds: float) -> None:
    """Put in the hooks of libraries that are imported, now or later; ``disabled`` are names, ours or the libraries'."""
    queues.every(queue_seconds)
    for library, module in LIBRARIES.items():
        if library in disabled or f"otelkit-{library}" in disabled or library in _on:
            continue
        _on.add(library)
        if module in sys.modules:
            _install(library)
        else:
            register_post_import_hook(_installer(library), module)


def _installer(library: str) -> Callable[[Any], None]:
    return lambda module: _install(library)


def _install(library: str) -> None:
    try:
        import_module(f"{__name__}.{library}").install()
    except Exception as error:  # noqa: BLE001  another version of somebody else's library must not stop the service
        logger.warning("jobs of %s are not traced: %s", library, type(error).__name__)
