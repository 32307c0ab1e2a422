"""Background jobs, their queues, and syncs with other systems."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Core, Messaging, Otelkit
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["JobMetrics"]

_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_JOB: Final = (Otelkit.JOB_NAME, Core.MESSAGING_SYSTEM, Messaging.DESTINATION)
_QUEUE: Final = (Core.MESSAGING_SYSTEM, Messaging.DESTINATION)


class JobMetrics:
    """Runs of jobs, queues and syncs. Nothing here carries a user, a group or a job's id."""

    RUNS: Final = MetricDef(
        "otelkit.job.runs",
        Instrument.COUNTER,
        "{run}",
        "Runs of background jobs by outcome; retry is a failed attempt that will be made again.",
        (*_JOB, Otelkit.OUTCOME),
    )
    DURATION: Final = MetricDef(
        "otelkit.job.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one run of a background job.",
        (Otelkit.JOB_NAME, Otelkit.OUTCOME),
        _SECONDS,
    )
    FAILURES: Final = MetricDef(
        "otelkit.job.failures",
        Instrument.COUNTER,
        "{run}",
        "Runs that failed, by type of error; attempts that will be made again are among them.",
        (*_JOB, Core.ERROR_TYPE),
    )
    RETRIES: Final = MetricDef(
        "otelkit.job.retries",
        Instrument.COUNTER,
        "{run}",
        "Runs that were another attempt at the same job.",
        _JOB,
    )
    WAIT: Final = MetricDef(
        "otelkit.job.wait",
        Instrument.HISTOGRAM,
        "s",
        "Time from when a job was due until it began.",
        _JOB,
        _SECONDS,
    )
    LAST_SUCCESS: Final = MetricDef(
        "otelkit.job.last_success",
        Instrument.GAUGE,
        "s",
        "When the job last succeeded, in seconds since 1970: a heartbeat.",
        _JOB,
    )
    QUEUE_LENGTH: Final = MetricDef(
        "otelkit.job.queue.length",
        Instrument.GAUGE,
        "{job}",
        "Jobs that wait in the queue; one process a queue reports it.",
        _QUEUE,
    )
    QUEUE_OLDEST: Final = MetricDef(
        "otelkit.job.queue.oldest",
        Instrument.GAUGE,
        "s",
        "How long the oldest job in the queue has been waiting; absent where that is unknown.",
        _QUEUE,
    )
    SYNC_RUNS: Final = MetricDef(
        "otelkit.sync.runs",
        Instrument.COUNTER,
        "{run}",
        "Syncs with another system, by integration and outcome.",
        (Otelkit.SYNC_INTEGRATION, Otelkit.OUTCOME),
    )
    SYNC_DURATION: Final = MetricDef(
        "otelkit.sync.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one sync.",
        (Otelkit.SYNC_INTEGRATION, Otelkit.OUTCOME),
        _SECONDS,
    )
    SYNC_FAILURES: Final = MetricDef(
        "otelkit.sync.failures",
        Instrument.COUNTER,
        "{run}",
        "Syncs that failed, by type of error.",
        (Otelkit.SYNC_INTEGRATION, Core.ERROR_TYPE),
    )
    SYNC_LAST_SUCCESS: Final = MetricDef(
        "otelkit.sync.last_success",
        Instrument.GAUGE,
        "s",
        "When the integration last synced, in seconds since 1970: a heartbeat.",
        (Otelkit.SYNC_INTEGRATION,),
    )
