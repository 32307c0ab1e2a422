"""The machine, the container and the process."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import System
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["ContainerMetrics", "HostMetrics", "ProcessMetrics"]

_LAG: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class HostMetrics:
    """The machine as a whole; one process of it reports."""

    CPU_TIME: Final = MetricDef(
        "system.cpu.time",
        Instrument.COUNTER,
        "s",
        "Time of all processors by what it was spent on.",
        (System.CPU_MODE,),
    )
    CPU_UTILIZATION: Final = MetricDef(
        "system.cpu.utilization",
        Instrument.GAUGE,
        "1",
        "Share of all processors' time since the last report, by what it was spent on.",
        (System.CPU_MODE,),
    )
    CPU_COUNT: Final = MetricDef("system.cpu.logical.count", Instrument.UP_DOWN_COUNTER, "{cpu}", "Logical processors.")
    LOAD: Final = MetricDef(
        "system.cpu.load_average.1m", Instrument.GAUGE, "{thread}", "Load average of the last minute."
    )
    LOAD_5: Final = MetricDef(
        "system.cpu.load_average.5m", Instrument.GAUGE, "{thread}", "Load average of the last 5 minutes."
    )
    LOAD_15: Final = MetricDef(
        "system.cpu.load_average.15m", Instrument.GAUGE, "{thread}", "Load average of the last 15 minutes."
    )
    MEMORY: Final = MetricDef(
        "system.memory.usage", Instrument.UP_DOWN_COUNTER, "By", "Memory by state.", (System.MEMORY_STATE,)
    )
    MEMORY_LIMIT: Final = MetricDef("system.memory.limit", Instrument.UP_DOWN_COUNTER, "By", "Memory there is.")
    SWAP: Final = MetricDef(
        "system.paging.usage", Instrument.UP_DOWN_COUNTER, "By", "Swap space by state.", (System.PAGING_STATE,)
    )
    DISK_IO: Final = MetricDef(
        "system.disk.io", Instrument.COUNTER, "By", "Bytes read from and written to disks.", (System.DISK_DIRECTION,)
    )
    DISK_OPERATIONS: Final = MetricDef(
        "system.disk.operations",
        Instrument.COUNTER,
        "{operation}",
        "Reads and writes of disks.",
        (System.DISK_DIRECTION,),
    )
    FILESYSTEM: Final = MetricDef(
        "system.filesystem.usage",
        Instrument.UP_DOWN_COUNTER,
        "By",
        "Space of file systems by state.",
        (System.MOUNTPOINT, System.FILESYSTEM_STATE),
    )
    NETWORK_IO: Final = MetricDef(
        "system.network.io",
        Instrument.COUNTER,
        "By",
        "Bytes over the network, loopback not.",
        (System.IO_DIRECTION,),
    )
    NETWORK_ERRORS: Final = MetricDef(
        "system.network.errors",
        Instrument.COUNTER,
        "{error}",
        "Network errors, loopback not.",
        (System.IO_DIRECTION,),
    )
    UPTIME: Final = MetricDef("system.uptime", Instrument.GAUGE, "s", "Time since the machine started.")


class ContainerMetrics:
    """The container, where its cgroup sets a limit: the machine's figures would mislead there."""

    CPU_TIME: Final = MetricDef("container.cpu.time", Instrument.COUNTER, "s", "Processor time of the container.")
    CPU_USAGE: Final = MetricDef(
        "container.cpu.usage", Instrument.GAUGE, "{cpu}", "Processors in use since the last report."
    )
    CPU_LIMIT: Final = MetricDef(
        "otelkit.container.cpu.limit", Instrument.GAUGE, "{cpu}", "Processors the container may use."
    )
    CPU_THROTTLED: Final = MetricDef(
        "otelkit.container.cpu.throttled_time", Instrument.COUNTER, "s", "Time in which the container was held back."
    )
    MEMORY: Final = MetricDef(
        "container.memory.usage", Instrument.UP_DOWN_COUNTER, "By", "Memory of the container, page cache included."
    )
    WORKING_SET: Final = MetricDef(
        "container.memory.working_set", Instrument.UP_DOWN_COUNTER, "By", "Memory that cannot be given back."
    )
    MEMORY_LIMIT: Final = MetricDef(
        "otelkit.container.memory.limit", Instrument.GAUGE, "By", "Memory the container may use."
    )


class ProcessMetrics:
    """This process; each worker reports its own."""

    CPU_TIME: Final = MetricDef(
        "process.cpu.time", Instrument.COUNTER, "s", "Processor time of the process.", (System.CPU_MODE,)
    )
    CPU_UTILIZATION: Final = MetricDef(
        "process.cpu.utilization", Instrument.GAUGE, "1", "Processors in use since the last report."
    )
    MEMORY: Final = MetricDef("process.memory.usage", Instrument.UP_DOWN_COUNTER, "By", "Physical memory (RSS).")
    VIRTUAL: Final = MetricDef("process.memory.virtual", Instrument.UP_DOWN_COUNTER, "By", "Virtual memory.")
    FILES: Final = MetricDef(
        "process.open_file_descriptor.count", Instrument.UP_DOWN_COUNTER, "{file_descriptor}", "Open file descriptors."
    )
    THREADS: Final = MetricDef("process.thread.count", Instrument.UP_DOWN_COUNTER, "{thread}", "Threads.")
    STARTED: Final = MetricDef(
        "otelkit.process.start_time", Instrument.GAUGE, "s", "When the process started, in seconds since 1970."
    )
    COLLECTIONS: Final = MetricDef(
        "cpython.gc.collections", Instrument.COUNTER, "{collection}", "Garbage collections.", (System.GENERATION,)
    )
    COLLECTED: Final = MetricDef(
        "cpython.gc.collected_objects", Instrument.COUNTER, "{object}", "Objects collected.", (System.GENERATION,)
    )
    UNCOLLECTABLE: Final = MetricDef(
        "cpython.gc.uncollectable_objects",
        Instrument.COUNTER,
        "{object}",
        "Objects not collectable.",
        (System.GENERATION,),
    )
    LOOP_LAG: Final = MetricDef(
        "otelkit.event_loop.lag",
        Instrument.HISTOGRAM,
        "s",
        "How late the event loop runs what is due, asked twice a second: code that blocks it shows here.",
        (),
        _LAG,
    )
