"""What is read of the machine, the container and the process, all at once; observations by metric."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import psutil
from opentelemetry.metrics import Observation

from otelkit.sdk.integrations.system.cgroups import Cpu, read_cpu, read_memory
from otelkit.semconv.attributes import System
from otelkit.semconv.metrics import ContainerMetrics, HostMetrics, MetricDef, ProcessMetrics

__all__ = ["MachineReader", "ProcessReader", "Readings"]

Readings: TypeAlias = Mapping[MetricDef, list[Observation]]

_MOST_MOUNTS: Final = 16
_LEAST: Final = 0.2  # seconds of all processors together
_NO_STORAGE: Final = ("/etc/", "/boot", "/snap")
_MODES: Final = ("user", "nice", "system", "idle", "iowait", "steal")
_MEMORY: Final = ("used", "free", "buffers", "cached")


def _one(value: float) -> list[Observation]:
    return [Observation(value)]


def _by(key: str, values: Mapping[str, float]) -> list[Observation]:
    return [Observation(value, {key: name}) for name, value in values.items()]


class MachineReader:
    """The machine, or the container where it is limited; remembers what came before for shares."""

    def __init__(self) -> None:
        self._modes: Mapping[str, float] = _modes()
        self._container: tuple[float, Cpu] | None = None

    def read(self) -> Readings:
        """Everything, now."""
        return {**self._processors(), **_memory(), **_disks(), **_network(), **_uptime()}

    def _processors(self) -> Readings:
        limited = read_cpu()
        if limited is not None:
            return self._limited(limited)
        modes = _modes()
        spent = {mode: max(0.0, seconds - self._modes.get(mode, 0.0)) for mode, seconds in modes.items()}
        total = sum(spent.values())
        shares: Mapping[str, float] = {}
        if total > _LEAST:  # a share of a moment says nothing
            shares, self._modes = {mode: seconds / total for mode, seconds in spent.items()}, modes
        loads = psutil.getloadavg()
        return {
            HostMetrics.CPU_TIME: _by(System.CPU_MODE, modes),
            HostMetrics.CPU_UTILIZATION: _by(System.CPU_MODE, shares),
            HostMetrics.CPU_COUNT: _one(psutil.cpu_count() or 1),
            HostMetrics.LOAD: _one(loads[0]),
            HostMetrics.LOAD_5: _one(loads[1]),
            HostMetrics.LOAD_15: _one(loads[2]),
        }

    def _limited(self, now: Cpu) -> Readings:
        at, before = time.monotonic(), self._container
        self._container = at, now
        readings: dict[MetricDef, list[Observation]] = {
            ContainerMetrics.CPU_TIME: _one(now.used),
            ContainerMetrics.CPU_LIMIT: _one(now.limit),
            ContainerMetrics.CPU_THROTTLED: _one(now.throttled),
        }
        if before is not None and at > before[0]:
            readings[ContainerMetrics.CPU_USAGE] = _one(max(0.0, now.used - before[1].used) / (at - before[0]))
        return readings


def _modes() -> Mapping[str, float]:
    times = psutil.cpu_times()
    known = {mode: getattr(times, mode) for mode in _MODES if hasattr(times, mode)}
    return {**known, "interrupt": getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)}


def _memory() -> Readings:
    limited = read_memory()
    if limited is not None:
        return {
            ContainerMetrics.MEMORY: _one(limited.used),
            ContainerMetrics.WORKING_SET: _one(limited.working_set),
            ContainerMetrics.MEMORY_LIMIT: _one(limited.limit),
        }
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    states = {state: getattr(memory, state) for state in _MEMORY if hasattr(memory, state)}
    # psutil's "used" leaves out what is neither used nor free nor cache; the states must add up to all there is.
    states["used"] = memory.total - sum(size for state, size in states.items() if state != "used")
    found: dict[MetricDef, list[Observation]] = {
        HostMetrics.MEMORY: _by(System.MEMORY_STATE, states),
        HostMetrics.MEMORY_LIMIT: _one(memory.total),
    }
    if swap.total:
        found[HostMetrics.SWAP] = _by(System.PAGING_STATE, {"used": swap.used, "free": swap.free})
    return found


def _disks() -> Readings:
    found: dict[MetricDef, list[Observation]] = {}
    counted = psutil.disk_io_counters()
    if counted is not None:
        key = System.DISK_DIRECTION
        found[HostMetrics.DISK_IO] = _by(key, {"read": counted.read_bytes, "write": counted.write_bytes})
        found[HostMetrics.DISK_OPERATIONS] = _by(key, {"read": counted.read_count, "write": counted.write_count})
    spaces = found[HostMetrics.FILESYSTEM] = []
    for mount in _mounts():
        try:
            space = psutil.disk_usage(mount)
        except OSError:
            continue
        for state, size in (("used", space.used), ("free", space.free)):
            spaces.append(Observation(size, {System.MOUNTPOINT: mount, System.FILESYSTEM_STATE: state}))
    return found


def _mounts() -> list[str]:
    """One place for each real file system: the root, and others on a device of their own."""
    places = {"": "/"}
    devices = {partition.device: partition.mountpoint for partition in reversed(psutil.disk_partitions(all=False))}
    # A container's hosts file and its like are single files mounted from somewhere else.
    places.update(
        {device: place for device, place in devices.items() if not place.startswith(("/etc/", "/boot", "/snap"))}
    )
    return sorted(set(places.values()))[:_MOST_MOUNTS]


def _network() -> Readings:
    cards = [card for name, card in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    key = System.IO_DIRECTION
    sums = {
        name: sum(getattr(card, name) for card in cards) for name in ("bytes_recv", "bytes_sent", "errin", "errout")
    }
    return {
        HostMetrics.NETWORK_IO: _by(key, {"receive": sums["bytes_recv"], "transmit": sums["bytes_sent"]}),
        HostMetrics.NETWORK_ERRORS: _by(key, {"receive": sums["errin"], "transmit": sums["errout"]}),
    }


def _uptime() -> Readings:
    return {HostMetrics.UPTIME: _one(time.time() - psutil.boot_time())}


class ProcessReader:
    """This process; remembers what came before for shares."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        times = self._process.cpu_times()
        self._before = time.monotonic(), times.user + times.system

    def read(self) -> Readings:
        """Everything, now."""
        process: Any = self._process
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
            found: dict[MetricDef, list[Observation]] = {
                ProcessMetrics.CPU_TIME: _by(System.CPU_MODE, {"user": times.user, "system": times.system}),
                ProcessMetrics.MEMORY: _one(memory.rss),
                ProcessMetrics.VIRTUAL: _one(memory.vms),
                ProcessMetrics.THREADS: _one(process.num_threads()),
                ProcessMetrics.STARTED: _one(process.create_time()),
            }
            if hasattr(process, "num_fds"):
                found[ProcessMetrics.FILES] = _one(process.num_fds())
        at, spent = time.monotonic(), times.user + times.system
        passed = at - self._before[0]
        if passed > _LEAST:
            found[ProcessMetrics.CPU_UTILIZATION] = _one(max(0.0, spent - self._before[1]) / passed)
            self._before = at, spent
        return {**found, **_garbage()}


def _garbage() -> Readings:
    stats = gc.get_stats()
    return {
        metric: [Observation(stat[key], {System.GENERATION: generation}) for generation, stat in enumerate(stats)]
        for metric, key in (
            (ProcessMetrics.COLLECTIONS, "collections"),
            (ProcessMetrics.COLLECTED, "collected"),
            (ProcessMetrics.UNCOLLECTABLE, "uncollectable"),
        )
    }
