"""What the process's control group allows and uses, versions 1 and 2: a container's own figures.

A limit may be set anywhere above the process; the tightest one counts, and what is used below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Cpu", "Memory", "read_cpu", "read_memory"]

_ROOT: Final = Path("/sys/fs/cgroup")
_SELF: Final = Path("/proc/self/cgroup")
_NO_LIMIT: Final = 2**60  # version 1 says "none" with a number about as large


class Cpu(NamedTuple):
    """Processors allowed, seconds used, seconds held back."""

    limit: float
    used: float
    throttled: float


class Memory(NamedTuple):
    """Bytes allowed, used, and used without what can be given back."""

    limit: int
    used: int
    working_set: int


def read_cpu(root: Path = _ROOT, own: Path = _SELF) -> Cpu | None:
    """The processors' tightest limit and what is used below it; None without a limit."""
    found = [(limit, place) for place in _places(root, own, "cpu") if (limit := _cpu_limit(place)) is not None]
    if not found:
        return None
    limit, place = min(found, key=lambda one: one[0])
    stat = _table(place / "cpu.stat")
    if "usage_usec" in stat:
        return Cpu(limit, stat["usage_usec"] / 1e6, stat.get("throttled_usec", 0) / 1e6)
    used = _number(place / "cpuacct.usage")
    if used is None:  # mounted on its own
        used = next((n for at in _places(root, own, "cpuacct") if (n := _number(at / "cpuacct.usage")) is not None), 0)
    return Cpu(limit, used / 1e9, stat.get("throttled_time", 0) / 1e9)


def read_memory(root: Path = _ROOT, own: Path = _SELF) -> Memory | None:
    """The memory's tightest limit and what is used below it; None without a limit."""
    found = []
    for place in _places(root, own, "memory"):
        for allowed, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit, usage = _number(place / allowed), _number(place / used)
            if limit is not None and usage is not None and 0 < limit < _NO_LIMIT:
                found.append((limit, usage, place))
    if not found:
        return None
    limit, usage, place = min(found, key=lambda one: one[0])
    stat = _table(place / "memory.stat")
    reclaimable = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    return Memory(limit, usage, max(0, usage - reclaimable))


def _places(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """The process's group and those above it, of one controller; version 1 has a tree for each."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers == "":
            bases = [root, root / "unified"]
        elif controller in names:
            bases = [root / controllers, root / controller]
        else:
            continue
        for base in bases:
            # A container sees its own group as the mount's root, whatever its name is outside.
            place = base / path.lstrip("/")
            while place != base:
                if place.is_dir():
                    yield place
                place = place.parent
            if base.is_dir():
                yield base


def _cpu_limit(place: Path) -> float | None:
    try:
        quota, period = (place / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    granted, each = _number(place / "cpu.cfs_quota_us"), _number(place / "cpu.cfs_period_us")
    return granted / each if granted is not None and each and granted > 0 else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _table(path: Path) -> dict[str, int]:
    try:
        words = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}
