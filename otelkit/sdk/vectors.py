"""How large vector indexes are: nobody but the application knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otelkit.sdk.guard import guard, log_sparsely
from otelkit.semconv.attributes import GenAI
from otelkit.semconv.metrics import DatabaseMetrics

__all__ = ["observe_indexes", "vector_index"]

_MOST: Final = 200
_sizes: Final[dict[str, int | Callable[[], int | None]]] = {}


def vector_index(name: str, size: int | Callable[[], int | None]) -> None:
    """Say how many vectors an index holds: a number now, or a function that is asked whenever metrics are reported.

    The function runs on otelkit's thread and should answer at once; one that raises or returns None says nothing::

        otelkit.vector_index("handbook", lambda: collection.count())

    Args:
        name: of the index, as in ``traced_retrieval(data_source=…)``.
        size: vectors, or what gives them.
    """
    if name not in _sizes and len(_sizes) >= _MOST:
        log_sparsely("vector indexes", "more than %d vector indexes: %.80r is left out", _MOST, name)
        return
    _sizes[name] = size


def observe_indexes(meter: Meter) -> None:
    """Report the sizes on this meter; called for each runtime."""
    entry = DatabaseMetrics.VECTOR_INDEX
    meter.create_observable_gauge(entry.name, [_observations], entry.unit, entry.description)


def _observations(options: CallbackOptions) -> list[Observation]:
    return [
        Observation(found, {GenAI.DATA_SOURCE_ID: name})
        for name, size in list(_sizes.items())
        if (found := _asked(name, size)) is not None
    ]


def _asked(name: str, size: int | Callable[[], int | None]) -> int | None:
    if not callable(size):
        return size
    found = None
    with guard:
        try:
            found = size()
        except Exception as error:  # noqa: BLE001 - the application's function
            log_sparsely(f"index {name}", "the size of %.80r is unknown: %s", name, type(error).__name__)
    return found
