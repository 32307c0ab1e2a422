"""Performance budgets as people write them: ``p95="2s"``, ``tokens=4000``, ``bytes="300KB"``. Pure but for a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["MEASURES", "SHARES", "Budget", "budget_of", "budgets"]

SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Measures that are percentiles of a request's duration."""
MEASURES: Final = {**dict.fromkeys([*SHARES, "mean"], "s"), "tokens": "{token}", "bytes": "By"}
"""What a budget may limit, and in which unit its limit is kept."""

_ROUTE: Final = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /\S*").fullmatch
_NAME: Final = re.compile(r"[A-Za-z][\w .-]{0,63}").fullmatch
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)?", re.IGNORECASE).fullmatch
_TIMES: Final = {"MS": 0.001, "S": 1.0, "MIN": 60.0, "": 1.0}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)?", re.IGNORECASE).fullmatch
_SIZES: Final = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "": 1.0}


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one target, by measure: seconds, tokens or bytes; ``path`` is what bytes are counted of."""

    target: str
    limits: tuple[tuple[str, float], ...]
    path: str = ""

    def __str__(self) -> str:
        limits = [f"{name}={value:.12g}" for name, value in self.limits]
        return f"{self.target}: {', '.join([f'path={self.path}', *limits] if self.path else limits)}"


def budget_of(target: str, given: Mapping[str, Any]) -> Budget:
    """Read a budget.

    Raises:
        ValueError: with what is allowed.
    """
    path = given.get("path")
    limits = {name: value for name, value in given.items() if name != "path" and value is not None}
    if unknown := sorted(set(limits) - set(MEASURES)):
        raise ValueError(f"a budget may limit {', '.join(MEASURES)} (with a path), not {unknown[0][:40]!r}")
    if not limits:
        raise ValueError(f"a budget limits at least one of {', '.join(MEASURES)}")
    if "bytes" in limits:
        if len(limits) > 1 or not isinstance(path, (str, Path)) or not str(path):
            raise ValueError(
                "bytes are limited alone, and need a path: a file, a folder or a pattern such as dist/*.js"
            )
        if not _NAME(target):
            raise ValueError(f"files are named by a word such as static, not {target[:80]!r}")
    elif path is not None:
        raise ValueError("a path goes with bytes only")
    elif not _ROUTE(target):
        raise ValueError(
            f"a target is a method and a route as the application declares it, such as POST /chat, not {target[:80]!r}"
        )
    read = tuple((name, _limit(name, value)) for name, value in limits.items())
    return Budget(target, read, str(path) if path is not None else "")


def _limit(measure: str, value: object) -> float:
    unit = MEASURES[measure]
    pattern, units = (_SIZE, _SIZES) if unit == "By" else (_TIME, _TIMES)
    if unit == "{token}":
        number: float = int(str(value)) if re.fullmatch(r"[0-9]{1,12}", str(value)) else 0
    else:
        found = None if isinstance(value, bool) else pattern(str(value).strip())
        number = float(found[1]) * units[(found[2] or "").upper()] if found else 0
    if number <= 0:
        raise ValueError(f"{measure} must be {_ALLOWED[unit]}, not {str(value)[:40]!r}")
    return float(number)


_ALLOWED: Final = {
    "s": "a time such as 800ms, 2s or 1min",
    "{token}": "a whole number from 1 up",
    "By": "a size such as 300KB or 2MB",
}


def budgets(text: str) -> tuple[Budget, ...]:
    """Read ``POST /chat: p95=2s, tokens=4000; static: path=dist, bytes=300KB``."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        target, colon, rest = part.rpartition(": ")
        pairs = [pair.partition("=") for pair in rest.split(",")]
        if not colon or not all(equals for _, equals, _ in pairs):
            raise ValueError("budgets such as POST /chat: p95=2s, tokens=4000; static: path=dist, bytes=300KB")
        found.append(budget_of(target.strip(), {name.strip(): value.strip() for name, _, value in pairs}))
    return tuple(found)
