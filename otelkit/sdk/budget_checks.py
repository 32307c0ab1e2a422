"""What requests may take, checked in the process and exported as gauges.

The figures are those of the last five minutes in this process; over all processes the server and Prometheus compute
their own.
"""

from __future__ import annotations

import glob
import math
import os
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from otelkit.mapping.genai import is_inference, usage
from otelkit.model import Span, SpanKind
from otelkit.sdk.fork import on_fork
from otelkit.sdk.guard import log_sparsely
from otelkit.sdk.observed import Values, observe
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.semconv.metrics import RequestMetrics
from otelkit.settings.budgets import SHARES, Budget

__all__ = ["declare", "follow"]

_WINDOW: Final = 300.0  # seconds
_MOST_BUDGETS: Final = 100
_MOST_SAMPLES: Final = 4096  # requests of one target
_MOST_TRACES: Final = 2048
_MOST_FILES: Final = 20_000
_SIZED_EVERY: Final = 30.0  # seconds


class _Kept:
    """One budget with what it is checked against."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.samples: deque[tuple[float, float, int | None]] = deque(maxlen=_MOST_SAMPLES)  # time, seconds, tokens
        self._size: tuple[float, int | None] = (-math.inf, None)

    def measured(self) -> Iterator[tuple[str, float, float | None]]:
        """Measure, limit, and value (None where nothing was measured lately)."""
        since = time.monotonic() - _WINDOW
        lately = [sample for sample in list(self.samples) if sample[0] >= since]
        seconds = sorted(sample[1] for sample in lately)
        tokens = [sample[2] for sample in lately if sample[2] is not None]
        for measure, limit in self.budget.limits:
            value: float | None
            if measure == "bytes":
                value = self._bytes()
            elif measure == "tokens":
                value = sum(tokens) / len(tokens) if tokens else None
            elif not seconds:
                value = None
            elif measure == "mean":
                value = sum(seconds) / len(seconds)
            else:
                value = seconds[math.ceil(SHARES[measure] * len(seconds)) - 1]
            yield measure, limit, value

    def _bytes(self) -> int | None:
        now = time.monotonic()
        if now - self._size[0] > _SIZED_EVERY:
            self._size = (now, _size_of(self.budget.path))
        return self._size[1]


_kept: Final[dict[str, _Kept]] = {}
_open: Final[OrderedDict[bytes, int | None]] = OrderedDict()  # trace → tokens so far; None where a call did not say


def declare(budgets: Iterable[Budget]) -> None:
    """Check these from now on."""
    for one in budgets:
        if one.target not in _kept and len(_kept) >= _MOST_BUDGETS:
            log_sparsely("budgets", "more than %d budgets: %s is left out", _MOST_BUDGETS, one.target)
            continue
        _kept[one.target] = _Kept(one)
    if _kept:
        observe(RequestMetrics.BUDGET_LIMIT, _limits)
        observe(RequestMetrics.BUDGET_VALUE, _values)
        observe(RequestMetrics.BUDGET_EXCEEDED, _exceeded)


def follow(span: Span) -> None:
    """Take a finished, normalised span into account."""
    if not _kept:
        return
    if is_inference(span) and not span.attributes.get(Otelkit.DUPLICATE):
        _add_tokens(span)
    if span.kind != SpanKind.SERVER:
        return
    tokens = _open.pop(span.trace_id, None)
    kept = _kept.get(f"{span.attributes.get(Core.HTTP_METHOD)} {span.attributes.get(Core.HTTP_ROUTE)}")
    if kept is not None:
        kept.samples.append((time.monotonic(), span.seconds, tokens))


def _add_tokens(span: Span) -> None:
    said = usage(span)
    counts = [count for count in (said.input, said.output) if count is not None]
    before = _open.pop(span.trace_id, 0)
    _open[span.trace_id] = before + sum(counts) if counts and before is not None else None
    if len(_open) > _MOST_TRACES:
        _open.popitem(last=False)


def _forget() -> None:
    _open.clear()
    for kept in _kept.values():
        kept.samples.clear()


on_fork(_forget)


def _points() -> Iterator[tuple[float, float | None, dict[str, str]]]:
    for kept in list(_kept.values()):
        for measure, limit, value in kept.measured():
            yield limit, value, {Otelkit.BUDGET_TARGET: kept.budget.target, Otelkit.BUDGET_MEASURE: measure}


def _limits() -> Values:
    return [(limit, labels) for limit, _, labels in _points()]


def _values() -> Values:
    return [(value, labels) for _, value, labels in _points() if value is not None]


def _exceeded() -> Values:
    return [(1.0 if value > limit else 0.0, labels) for limit, value, labels in _points() if value is not None]


def _size_of(path: str) -> int | None:
    """Bytes of all files there, None where there are none or more than anybody would call static files."""
    sizes: list[int] = []
    for place in glob.glob(path, recursive=True) if glob.has_magic(path) else [path]:
        for file in _files(Path(place)):
            sizes.append(file)
            if len(sizes) > _MOST_FILES:
                log_sparsely(f"budget {path}", "%s holds more than %d files: its size is unknown", path, _MOST_FILES)
                return None
    return sum(sizes) if sizes else None


def _files(place: Path) -> Iterator[int]:
    try:
        if place.is_file():
            yield place.stat().st_size
            return
        for folder, _, names in os.walk(place):
            for name in names:
                yield os.lstat(os.path.join(folder, name)).st_size
    except OSError as error:
        log_sparsely(f"budget {place}", "%s cannot be read: %s", place, error.strerror)
