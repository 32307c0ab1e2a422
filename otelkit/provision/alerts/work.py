"""Rules for databases, jobs, syncs and the machine."""

from __future__ import annotations

from typing import Final

from otelkit.provision.alerts.definition import ON, AlertRule, Category, Dashboard, Severity, figure, told
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.promql import INSTANCE, SERVICE, Scope, equals, share
from otelkit.semconv.attributes import Core, Database, Messaging, Otelkit, System
from otelkit.semconv.metrics import ContainerMetrics, DatabaseMetrics, HostMetrics, JobMetrics

__all__ = ["rules"]

_DATABASE: Final = (*SERVICE, Core.DB_SYSTEM)
_POOL: Final = (*SERVICE, Database.POOL_NAME)
_QUEUE: Final = (*SERVICE, Messaging.DESTINATION)
_DISK: Final = (*SERVICE, INSTANCE, System.MOUNTPOINT)
_MACHINE: Final = (*SERVICE, INSTANCE)


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return them."""
    return (
        *_queries(limits),
        *_connections(limits),
        *_jobs(limits),
        *_queues(limits),
        *_disks(limits),
        _memory(limits),
    )


def _queries(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(window="10m", by=_DATABASE)
    slow = each.quantile(0.95, DatabaseMetrics.DURATION) > limits.database_p95
    return (
        AlertRule(
            name="SlowQueries",
            category=Category.DATABASES,
            severity=Severity.WARNING,
            expr=each.happened(DatabaseMetrics.SLOW).named("round") > limits.slow_queries,
            by=_DATABASE,
            summary=f"{ON}: {figure()} slow queries of {told(Core.DB_SYSTEM)} in 10 minutes",
            description="Database calls take longer than OTELKIT_SLOW_QUERY_SECONDS.",
            words=f"more than {limits.slow_queries} slow queries in 10 minutes, for 5 minutes",
            dashboard=Dashboard.SYSTEM,
            explained_by=("SlowDatabase",),
        ),
        AlertRule(
            name="SlowDatabase",
            category=Category.DATABASES,
            severity=Severity.WARNING,
            expr=slow & (each.increase(DatabaseMetrics.DURATION) >= limits.min_database_calls),
            by=_DATABASE,
            summary=f"{ON}: p95 of calls of {told(Core.DB_SYSTEM)} is {figure('humanizeDuration')}",
            description="One database call in twenty takes longer than this: all of the database is slow.",
            words=f"p95 of database calls above {limits.database_p95:g} s for 5 minutes; "
            f"{limits.min_database_calls} calls or more in 10 minutes",
            dashboard=Dashboard.SYSTEM,
        ),
    )


def _connections(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(window="10m", by=_POOL)
    slow = each.quantile(0.95, DatabaseMetrics.WAIT_TIME) > limits.connection_p95
    used = each.now(DatabaseMetrics.CONNECTIONS, equals(Database.CONNECTION_STATE, "used"))
    timeouts = each.over("5m").happened(DatabaseMetrics.TIMEOUTS).named("round")
    pool = told(Database.POOL_NAME)
    return (
        AlertRule(
            name="SlowDatabaseConnection",
            category=Category.DATABASES,
            severity=Severity.WARNING,
            expr=slow & (each.increase(DatabaseMetrics.WAIT_TIME) >= limits.min_connections),
            by=_POOL,
            summary=f"{ON}: p95 of getting a connection of {pool} is {figure('humanizeDuration')}",
            description="Requests wait for a connection of the pool, or the database is slow to accept one.",
            words=f"p95 of the time to get a connection above {limits.connection_p95:g} s for 5 minutes; "
            f"{limits.min_connections} connections or more in 10 minutes",
            dashboard=Dashboard.SYSTEM,
            explained_by=("DatabasePoolTimeouts",),
        ),
        AlertRule(
            name="DatabasePoolNearlyFull",
            category=Category.DATABASES,
            severity=Severity.WARNING,
            expr=used / each.now(DatabaseMetrics.CONNECTIONS_MAX) > limits.pool_share,
            by=_POOL,
            summary=f"{ON}: {figure('humanizePercentage')} of the connections of {pool} are in use",
            description="Soon requests will wait for a connection.",
            words=f"more than {limits.pool_share:.0%} of a pool's connections in use for 5 minutes",
            dashboard=Dashboard.SYSTEM,
            explained_by=("DatabasePoolTimeouts",),
        ),
        AlertRule(
            name="DatabasePoolTimeouts",
            category=Category.DATABASES,
            severity=Severity.CRITICAL,
            expr=timeouts > limits.pool_timeouts,
            wait="0s",
            by=_POOL,
            summary=f"{ON}: {figure()} callers got no connection of {pool} in 5 minutes",
            description="Requests fail because every connection of the pool is in use for too long.",
            words=f"more than {limits.pool_timeouts} callers got no connection in 5 minutes",
            dashboard=Dashboard.SYSTEM,
        ),
    )


def _jobs(limits: Thresholds) -> tuple[AlertRule, ...]:
    integration = (*SERVICE, Otelkit.SYNC_INTEGRATION)
    failed_syncs = Scope(window="1h", by=integration).happened(JobMetrics.SYNC_FAILURES).named("round")
    job = (*SERVICE, Otelkit.JOB_NAME)
    each = Scope(window="1h", by=job)
    failures = each.happened(JobMetrics.RUNS, equals(Otelkit.OUTCOME, "error"))
    failing = share(failures, each.happened(JobMetrics.RUNS))
    return (
        AlertRule(
            name="SyncFailures",
            category=Category.JOBS,
            severity=Severity.WARNING,
            expr=failed_syncs > limits.sync_failures,
            wait="0s",
            by=integration,
            summary=f"{ON}: {figure()} syncs with {told(Otelkit.SYNC_INTEGRATION)} failed in an hour",
            description="Data of the other system is getting old.",
            words=f"more than {limits.sync_failures} failed syncs of an integration in an hour",
            dashboard=Dashboard.MEMORY,
        ),
        AlertRule(
            name="JobFailures",
            category=Category.JOBS,
            severity=Severity.WARNING,
            expr=(failing > limits.job_error_share) & (failures.named("round") >= limits.min_job_failures),
            wait="0s",
            by=job,
            summary=f"{ON}: {figure('humanizePercentage')} of runs of the job {told(Otelkit.JOB_NAME)} fail",
            description="Runs fail and are not tried again.",
            words=f"more than {limits.job_error_share:.0%} of a job's runs in an hour failed; "
            f"{limits.min_job_failures} failures or more",
            dashboard=Dashboard.SYSTEM,
        ),
    )


def _queues(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(by=_QUEUE)
    queue = told(Messaging.DESTINATION)
    return (
        AlertRule(
            name="QueueLong",
            category=Category.JOBS,
            severity=Severity.WARNING,
            expr=each.now(JobMetrics.QUEUE_LENGTH, how="max") > limits.queue_length,
            wait="15m",
            by=_QUEUE,
            summary=f"{ON}: {figure()} jobs wait in {queue}",
            description="Jobs come faster than workers take them, or no worker is left.",
            words=f"more than {limits.queue_length} jobs wait in a queue for 15 minutes",
            dashboard=Dashboard.SYSTEM,
        ),
        AlertRule(
            name="QueueOld",
            category=Category.JOBS,
            severity=Severity.WARNING,
            expr=each.now(JobMetrics.QUEUE_OLDEST, how="max") > limits.queue_age,
            by=_QUEUE,
            summary=f"{ON}: the oldest job in {queue} has waited {figure('humanizeDuration')}",
            description="Users wait for what the job would do.",
            words=f"the oldest job of a queue has waited more than {limits.queue_age:g} s, for 5 minutes",
            dashboard=Dashboard.SYSTEM,
            explained_by=("QueueLong",),
        ),
    )


def _disks(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(by=_DISK)
    used = each.now(HostMetrics.FILESYSTEM, equals(System.FILESYSTEM_STATE, "used")) / each.now(HostMetrics.FILESYSTEM)
    summary = f"{ON}: {told(System.MOUNTPOINT)} is {figure('humanizePercentage')} full"
    return (
        AlertRule(
            name="DiskNearlyFull",
            category=Category.SYSTEM,
            severity=Severity.WARNING,
            expr=used > limits.disk_share,
            by=_DISK,
            summary=summary,
            description="There is still time to make room.",
            words=f"a file system more than {limits.disk_share:.0%} full for 5 minutes",
            dashboard=Dashboard.SYSTEM,
            explained_by=("DiskFull",),
        ),
        AlertRule(
            name="DiskFull",
            category=Category.SYSTEM,
            severity=Severity.CRITICAL,
            expr=used > limits.disk_share_critical,
            by=_DISK,
            summary=summary,
            description="Databases and queues on this disk are about to stop.",
            words=f"a file system more than {limits.disk_share_critical:.0%} full for 5 minutes",
            dashboard=Dashboard.SYSTEM,
        ),
    )


def _memory(limits: Thresholds) -> AlertRule:
    each = Scope(by=_MACHINE)
    container = each.now(ContainerMetrics.WORKING_SET) / each.now(ContainerMetrics.MEMORY_LIMIT)
    used = each.now(HostMetrics.MEMORY, equals(System.MEMORY_STATE, "used"))
    return AlertRule(
        name="MemoryNearlyFull",
        category=Category.SYSTEM,
        severity=Severity.WARNING,
        expr=(container | (used / each.now(HostMetrics.MEMORY_LIMIT))) > limits.memory_share,
        wait="10m",
        by=_MACHINE,
        summary=f"{ON}: {figure('humanizePercentage')} of the memory is in use",
        description="The system will soon end processes to get memory back.",
        words=f"more than {limits.memory_share:.0%} of the container's (else the machine's) memory used for 10 minutes",
        dashboard=Dashboard.SYSTEM,
    )
