"""Switch on whatever OpenTelemetry instrumentations are installed; of several for one library, one.

Several packages register under the same entry point name (``openai`` is claimed by three); all of them at once would
give each call two or three spans.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from opentelemetry.instrumentation.dependencies import DependencyConflictError

from otelkit.sdk.guard import logger
from otelkit.sdk.integrations.databases import libraries as databases
from otelkit.sdk.integrations.jobs import LIBRARIES

__all__ = ["choose", "switch_on_libraries"]

# OpenTelemetry's GenAI instrumentations read it at each call and know no other way of being told.
_CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_GROUP: Final = "opentelemetry_instrumentor"
# Ours, or of no use behind us: FastAPI is attached by otelkit, logging is taken at the source.
_NOT_NEEDED: Final = frozenset({"fastapi", "starlette", "asgi", "logging", "system_metrics", "wsgi"})
# Best first: OpenTelemetry's own GenAI packages, then OpenInference, then any other.
_PREFERENCE: Final = ("opentelemetry-instrumentation-genai-", "openinference-instrumentation-")


def choose(points: Iterable[EntryPoint], disabled: Collection[str]) -> tuple[list[EntryPoint], list[str]]:
    """One entry point a library, and a sentence for each choice that had to be made.

    Args:
        points: entry points of the group ``opentelemetry_instrumentor``.
        disabled: entry point or distribution names to leave out.
    """
    ours = {name for name in LIBRARIES if f"otelkit-{name}" not in disabled}  # and not a second time by theirs
    by_library: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in points:
        if point.name in ours:
            continue
        if point.name not in _NOT_NEEDED and point.name not in disabled and _distribution(point) not in disabled:
            by_library[point.name].append(point)
    chosen: list[EntryPoint] = []
    said: list[str] = []
    for library, candidates in sorted(by_library.items()):
        candidates.sort(key=_rank)
        chosen.append(candidates[0])
        if others := [_distribution(point) for point in candidates[1:]]:
            said.append(
                f"{library}: using {_distribution(candidates[0])}, not {', '.join(others)} "
                f"(OTELKIT_DISABLED_INSTRUMENTATIONS={_distribution(candidates[0])} chooses the next)"
            )
    return chosen, said


def switch_on_libraries(disabled: Collection[str], *, capture_content: bool = False) -> list[str]:
    """Instrument every installed library that has an instrumentation; returns the names that are on. Never raises.

    ``capture_content`` also tells those that capture only when told; what any captures unasked, redaction drops.
    """
    if capture_content:
        os.environ.setdefault(_CAPTURE_VARIABLE, "SPAN_ONLY")
    chosen, said = choose(entry_points(group=_GROUP), disabled)
    for sentence in said:
        logger.warning("%s", sentence)
    later = {point.name: point for point in chosen if point.name in databases.IMPORTED}
    databases.watch(later, _switch_on)
    return [point.name for point in chosen if point.name in later or _switch_on(point)]


def _switch_on(point: EntryPoint) -> bool:
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(raise_exception_on_conflict=True)
        return True
    except (DependencyConflictError, ModuleNotFoundError):
        return False  # the library itself is not installed
    except Exception as error:  # noqa: BLE001 - third-party code; one that fails must not stop the service
        logger.warning("%s could not be switched on: %s", _distribution(point), type(error).__name__)
        return False


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _rank(point: EntryPoint) -> tuple[int, str]:
    name = _distribution(point)
    for rank, prefix in enumerate(_PREFERENCE):
        if name.startswith(prefix):
            return rank, name
    return len(_PREFERENCE), name
