"""System: the machine, the processes, their queues, jobs and databases."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    SERVICES,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
    at_least,
    seconds,
)
from otelkit.provision.promql import INSTANCE, equals, share
from otelkit.semconv.attributes import Core, Database, Messaging, Otelkit, System
from otelkit.semconv.metrics import (
    ContainerMetrics,
    DatabaseMetrics,
    HostMetrics,
    JobMetrics,
    Metrics,
    ProcessMetrics,
)

__all__ = ["BOARD"]

_DISK: Final = (System.MOUNTPOINT, INSTANCE)
_USED: Final = equals(System.FILESYSTEM_STATE, "used")
_PROCESS: Final = (Core.SERVICE_NAME, INSTANCE)
_QUEUE: Final = (Core.MESSAGING_SYSTEM, Messaging.DESTINATION)
_JOB: Final = (Otelkit.JOB_NAME,)
_POOL: Final = (Database.POOL_NAME,)
_TAKEN: Final = equals(Database.CONNECTION_STATE, "used")

_MACHINE: Final = Row(
    "Machine",
    (
        Panel(
            title="Processors",
            says="Share of all processors' time by what it was spent on.",
            asks=(Ask(SERVICES.now(HostMetrics.CPU_UTILIZATION, by=(System.CPU_MODE,), how="max")),),
            unit=Unit.SHARE,
            kind=Kind.STACKED,
            most=1,
        ),
        Panel(
            title="Load",
            says="Load averages, and how many logical processors there are: above that, work waits.",
            asks=(
                Ask(SERVICES.now(HostMetrics.LOAD, how="max"), "1 minute"),
                Ask(SERVICES.now(HostMetrics.LOAD_5, how="max"), "5 minutes"),
                Ask(SERVICES.now(HostMetrics.LOAD_15, how="max"), "15 minutes"),
                Ask(SERVICES.now(HostMetrics.CPU_COUNT, how="max"), "processors"),
            ),
            unit=Unit.NUMBER,
        ),
        Panel(
            title="Memory",
            says="Memory by state, and what there is.",
            asks=(
                Ask(SERVICES.now(HostMetrics.MEMORY, by=(System.MEMORY_STATE,), how="max")),
                Ask(SERVICES.now(HostMetrics.MEMORY_LIMIT, how="max"), "there is"),
                Ask(
                    SERVICES.now(HostMetrics.SWAP, equals(System.PAGING_STATE, "used"), how="max"),
                    "swap used",
                    sure=False,
                ),
            ),
            unit=Unit.BYTES,
            alerts=("MemoryNearlyFull",),
        ),
        Panel(
            title="Disks",
            says="Used share of each file system.",
            asks=(
                Ask(
                    SERVICES.now(HostMetrics.FILESYSTEM, _USED, by=_DISK)
                    / SERVICES.now(HostMetrics.FILESYSTEM, by=_DISK)
                ),
            ),
            unit=Unit.SHARE,
            most=1,
            steps=at_least(0.8, 0.9),
            alerts=("DiskNearlyFull", "DiskFull"),
        ),
        Panel(
            title="Reading and writing",
            says="Bytes a second from and to disks.",
            asks=(Ask(SERVICES.rate(HostMetrics.DISK_IO, by=(System.DISK_DIRECTION,)), sure=False),),
            unit=Unit.BYTES_A_SECOND,
        ),
        Panel(
            title="Disk operations",
            says="Reads and writes a second.",
            asks=(Ask(SERVICES.rate(HostMetrics.DISK_OPERATIONS, by=(System.DISK_DIRECTION,)), sure=False),),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Network",
            says="Bytes a second, loopback not counted.",
            asks=(Ask(SERVICES.rate(HostMetrics.NETWORK_IO, by=(System.IO_DIRECTION,)), sure=False),),
            unit=Unit.BYTES_A_SECOND,
        ),
        Panel(
            title="Network errors",
            says="Errors a second, loopback not counted.",
            asks=(Ask(SERVICES.rate(HostMetrics.NETWORK_ERRORS, by=(System.IO_DIRECTION,)), sure=False),),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Machine up",
            says="Time since the machine started.",
            asks=(Ask(SERVICES.now(HostMetrics.UPTIME, how="max")),),
            unit=Unit.AGE,
            kind=Kind.FIGURE,
        ),
    ),
)
_CONTAINER: Final = Row(
    "Container",
    (
        Panel(
            title="Processors of the container",
            says="Processors in use and allowed; held back: time a second in which it waited. Absent without limits.",
            asks=(
                Ask(SERVICES.now(ContainerMetrics.CPU_USAGE, by=_PROCESS[:1], how="max"), sure=False),
                Ask(SERVICES.now(ContainerMetrics.CPU_LIMIT, how="max"), "allowed", sure=False),
                Ask(SERVICES.rate(ContainerMetrics.CPU_THROTTLED), "held back", sure=False),
            ),
            unit=Unit.NUMBER,
            width=12,
        ),
        Panel(
            title="Memory of the container",
            says="Memory with and without what can be given back, and what is allowed. Absent without limits.",
            asks=(
                Ask(SERVICES.now(ContainerMetrics.MEMORY, how="max"), "with page cache", sure=False),
                Ask(SERVICES.now(ContainerMetrics.WORKING_SET, how="max"), "working set", sure=False),
                Ask(SERVICES.now(ContainerMetrics.MEMORY_LIMIT, how="max"), "allowed", sure=False),
            ),
            unit=Unit.BYTES,
            width=12,
            alerts=("MemoryNearlyFull",),
        ),
    ),
)
_PROCESSES: Final = Row(
    "Processes",
    (
        Panel(
            title="Processor time",
            says="Processors in use by each process.",
            asks=(Ask(SERVICES.rate(ProcessMetrics.CPU_TIME, by=_PROCESS)),),
            unit=Unit.NUMBER,
        ),
        Panel(
            title="Process memory",
            says="Physical memory (RSS) of each process.",
            asks=(Ask(SERVICES.now(ProcessMetrics.MEMORY, by=_PROCESS)),),
            unit=Unit.BYTES,
        ),
        Panel(
            title="Event loop lag",
            says="How late the event loop runs what is due: code that blocks it shows here, and every user waits.",
            asks=seconds(SERVICES, ProcessMetrics.LOOP_LAG),
            unit=Unit.SECONDS,
            steps=at_least(0.1, 0.5),
        ),
        Panel(
            title="Files and threads",
            says="Open file descriptors and threads of each process.",
            asks=(
                Ask(SERVICES.now(ProcessMetrics.FILES, by=_PROCESS), "files {{service_name}} {{instance}}"),
                Ask(SERVICES.now(ProcessMetrics.THREADS, by=_PROCESS), "threads {{service_name}} {{instance}}"),
            ),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Garbage collections",
            says="Collections a second by generation.",
            asks=(Ask(SERVICES.rate(ProcessMetrics.COLLECTIONS, by=(System.GENERATION,))),),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Up since",
            says="Time since telemetry started in each process: a saw tooth is a process that restarts.",
            asks=(Ask(SERVICES.now(Metrics.UPTIME, by=_PROCESS)),),
            unit=Unit.AGE,
        ),
    ),
)
_JOBS: Final = Row(
    "Queues and jobs",
    (
        Panel(
            title="Jobs waiting",
            says="Jobs that wait, by queue.",
            asks=(Ask(SERVICES.now(JobMetrics.QUEUE_LENGTH, by=_QUEUE, how="max"), sure=False),),
            unit=Unit.COUNT,
            alerts=("QueueLong",),
        ),
        Panel(
            title="Oldest job",
            says="How long the oldest job of each queue has been waiting.",
            asks=(Ask(SERVICES.now(JobMetrics.QUEUE_OLDEST, by=_QUEUE, how="max"), sure=False),),
            unit=Unit.SECONDS,
            alerts=("QueueOld",),
        ),
        Panel(
            title="Runs by outcome",
            says="Runs a second; retry is a failed attempt that is made again.",
            asks=(Ask(SERVICES.rate(JobMetrics.RUNS, by=(Otelkit.OUTCOME,))),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
            alerts=("JobFailures",),
        ),
        Panel(
            title="How long jobs take",
            says="The 95th percentile of one run, by job.",
            asks=seconds(SERVICES, JobMetrics.DURATION, by=_JOB),
            unit=Unit.SECONDS,
            width=6,
        ),
        Panel(
            title="How long jobs wait",
            says="The 95th percentile of the time from when a job was due until it began.",
            asks=seconds(SERVICES, JobMetrics.WAIT, by=_JOB, sure=False),
            unit=Unit.SECONDS,
            width=6,
        ),
        Panel(
            title="Retries",
            says="Runs in the time shown that were another attempt, by job.",
            asks=(Ask(ALL.happened(JobMetrics.RETRIES, by=_JOB), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            width=6,
        ),
        Panel(
            title="Time since the last success",
            says="How long ago each job last succeeded.",
            asks=(Ask(SERVICES.age(JobMetrics.LAST_SUCCESS, by=_JOB)),),
            unit=Unit.AGE,
            kind=Kind.FIGURE,
            width=6,
        ),
    ),
)
_DATABASES: Final = Row(
    "Databases",
    (
        Panel(
            title="Database calls",
            says="The 95th percentile of one call, by system and operation.",
            asks=seconds(SERVICES, DatabaseMetrics.DURATION, by=(Core.DB_SYSTEM, Database.OPERATION)),
            unit=Unit.SECONDS,
            alerts=("SlowDatabase",),
        ),
        Panel(
            title="Slow queries",
            says="Calls in the time shown that took longer than OTELKIT_SLOW_QUERY_SECONDS, by table.",
            asks=(Ask(ALL.happened(DatabaseMetrics.SLOW, by=(Database.COLLECTION, Database.OPERATION))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            alerts=("SlowQueries",),
        ),
        Panel(
            title="Repeated queries",
            says="Requests in the time shown that ran one statement again and again (N+1), by endpoint.",
            asks=(Ask(ALL.happened(DatabaseMetrics.REPEATED, by=(Core.HTTP_ROUTE,)), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        Panel(
            title="Pools in use",
            says="Connections in use as a share of what the pool may open.",
            asks=(
                Ask(
                    share(
                        SERVICES.now(DatabaseMetrics.CONNECTIONS, _TAKEN, by=_POOL),
                        SERVICES.now(DatabaseMetrics.CONNECTIONS_MAX, by=_POOL),
                    ),
                    sure=False,
                ),
            ),
            unit=Unit.SHARE,
            width=6,
            steps=at_least(0.8, 0.95),
            alerts=("DatabasePoolNearlyFull",),
        ),
        Panel(
            title="Waiting for a connection",
            says="Callers that wait now, and callers a second that got none in time.",
            asks=(
                Ask(SERVICES.now(DatabaseMetrics.PENDING, by=_POOL), sure=False),
                Ask(
                    SERVICES.rate(DatabaseMetrics.TIMEOUTS, by=_POOL),
                    "in vain {{db_client_connection_pool_name}}",
                    sure=False,
                ),
            ),
            unit=Unit.COUNT,
            width=6,
            alerts=("DatabasePoolTimeouts",),
        ),
        Panel(
            title="Time to get a connection",
            says="The 95th percentile until the pool gave a connection, and to open a new one.",
            asks=(
                *seconds(SERVICES, DatabaseMetrics.WAIT_TIME, by=_POOL, sure=False),
                *seconds(SERVICES, DatabaseMetrics.CREATE_TIME, by=_POOL, sure=False),
            ),
            unit=Unit.SECONDS,
            width=6,
            alerts=("SlowDatabaseConnection",),
        ),
        Panel(
            title="How long connections are held",
            says="The 95th percentile between taking a connection and giving it back.",
            asks=seconds(SERVICES, DatabaseMetrics.USE_TIME, by=_POOL, sure=False),
            unit=Unit.SECONDS,
            width=6,
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-system",
    title="System",
    says="Machine, container, processes, queues, jobs and databases.",
    rows=(_MACHINE, _CONTAINER, _PROCESSES, _JOBS, _DATABASES),
)
