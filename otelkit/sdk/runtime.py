"""Everything one process runs: worker, pipeline, lanes, metrics. Built anew after a fork."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from otelkit.errors import MissingExtraError
from otelkit.mapping.cost import PriceBook
from otelkit.mapping.genai import Usage
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor
from otelkit.mapping.stamp import Stamper
from otelkit.sdk import alarms, budget_checks, observed
from otelkit.sdk.events import Events
from otelkit.sdk.export.lane import Batch, Lane
from otelkit.sdk.export.ledger import DeliveryLedger, Signal
from otelkit.sdk.export.pipeline import Pipeline
from otelkit.sdk.export.points import LabelCleaner
from otelkit.sdk.export.readers import PushReader, Ticker
from otelkit.sdk.export.worker import Worker
from otelkit.sdk.failures import ErrorCounter
from otelkit.sdk.guard import guard, logger
from otelkit.sdk.identity import IdentityGuard
from otelkit.sdk.instruments import Instruments, Tally
from otelkit.sdk.integrations.databases.pools import Pools
from otelkit.sdk.integrations.system.loops import Loops
from otelkit.sdk.processors import DatabaseProcessor, RagProcessor, StepProcessor, TokenProcessor, ToolProcessor
from otelkit.sdk.reports import Reports
from otelkit.sdk.route_sampling import RouteSampling
from otelkit.sdk.routes import open_transport
from otelkit.sdk.vectors import observe_indexes
from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import Metrics
from otelkit.settings import Settings

if TYPE_CHECKING:
    from otelkit.sdk.integrations.sentry import Sentry
    from otelkit.sdk.integrations.system.machine import Machine

__all__ = ["Runtime"]


class Runtime:
    """The parts of one process, wired.

    Args:
        settings: all options.
        resource: what the telemetry says it comes from.
        prices: what LLM calls cost.
        pseudonym: makes pseudonyms of ids.
        labels: cleans metric attributes.
        readers: more readers for otelkit's own metrics (Prometheus).
        sampling: of the request metrics of busy routes; none is sampled by default.
    """

    def __init__(
        self,
        settings: Settings,
        resource: Resource,
        prices: PriceBook,
        pseudonym: Pseudonymiser,
        labels: LabelCleaner,
        readers: Iterable[MetricReader] = (),
        sampling: RouteSampling | None = None,
    ) -> None:
        self.settings = settings
        self.ledger = DeliveryLedger()
        self.redactor = Redactor(capture_content=settings.capture_content)
        self.identities = IdentityGuard(pseudonym, settings.identify_users)
        self.lanes = {signal: self._lane(signal) for signal in Signal if exported(settings, signal)}
        self._started = time.monotonic()
        self._left: list[bytes] | None = None  # metrics for the parent instead of for the lane
        sampling = sampling or RouteSampling({})
        self._push_readers = [PushReader(self.deliver_metrics, labels, weighed=sampling.weighed)]
        self.meter_provider = MeterProvider(
            [*readers, *self._push_readers], resource, shutdown_on_exit=False, views=metric_views(settings)
        )
        self.request_meters = sampling.over(self.meter_provider)
        self._observe()
        self.instruments = Instruments(self.meter_provider, settings.metric_profile)
        alarms.begin(pseudonym, self.instruments)
        self.refusals = alarms.Refusals(pseudonym, settings.security_burst)
        observe_indexes(self.meter_provider.get_meter("otelkit"))
        Pools.report_to(self.meter_provider.get_meter("otelkit"), self.instruments)
        self._machine = _machine(settings, self.meter_provider.get_meter("otelkit"))
        Loops.report_to(self.instruments if settings.system_metrics != "off" else None)
        tally = Tally(self.instruments)
        databases = DatabaseProcessor(tally, slow_seconds=settings.slow_query_seconds)
        self.tokens = TokenProcessor(tally)
        processors = [self.tokens, *(kind(tally) for kind in (RagProcessor, ToolProcessor, StepProcessor))]
        self.sentry = _sentry(settings, self.redactor, self.identities)
        self._errors = ErrorCounter(self.instruments.record)

        def settle() -> None:
            tally.settle()
            self._errors.settle()

        observers = [
            *(processor.observe for processor in (*processors, databases)),
            self._errors.observe,
            budget_checks.follow,
        ]
        pipeline = Pipeline(
            stamper=Stamper(prices, slow_seconds=settings.slow_request_seconds, repeated=settings.repeated_queries),
            observers=observers,
            observe_log=self._errors.observe_log,
            leaving=self.sentry.traces.observe if self.sentry is not None and self.sentry.traces is not None else None,
            settle=settle,
            identities=self.identities,
            redactor=self.redactor,
            lanes=self.lanes,
            ledger=self.ledger,
            told=databases.told,
        )
        self.worker = Worker(
            pipeline.process,
            pipeline.refuse,
            queue_size=settings.queue_size,
            interval=settings.flush_interval,
            warm_up=lambda: _warm_up(prices),
        )
        self._ticker = Ticker(settings.metric_interval, self.collect)

    def start(self) -> None:
        """Start the metric clock and the lanes; the worker starts with its first record.

        The lanes' threads start here and not with their first batch: for a short job that would be at the exit of the
        interpreter, which from Python 3.12 on starts no threads any more.
        """
        Reports.to = self.sentry
        for lane in self.lanes.values():
            lane.start()
        if Signal.METRICS in self.lanes:
            self._ticker.start()

    def adopt(self, reader: PushReader) -> None:
        """Collect another reader too: one of a provider that outlives this runtime."""
        self._push_readers.append(reader)

    def collect(self) -> None:
        """Collect and queue all metrics now."""
        self._settle()
        if Signal.METRICS in self.lanes:
            for reader in self._push_readers:
                with guard:
                    reader.collect()

    def hand_over(self, timeout: float) -> tuple[bytes, bool]:
        """End as a child that lived for one job: deliver spans and logs, return the metrics for the parent to absorb.

        Also returns whether everything was delivered. Nothing is collected after it: processes that are gone in a
        moment would only be one more series each.
        """
        deadline = time.monotonic() + timeout
        processed = self.worker.flush(deadline)
        self._settle(everything=True)
        self._flush_sentry(deadline)
        self._ticker.stop()
        self._left = []
        if self._machine is not None:
            self._machine.stop()  # a process that is gone in a moment has no figures of its own
        self.collect()
        self._push_readers.clear()
        flushed = [lane.flush(deadline) for lane in self.lanes.values()]
        # Messages of protobuf put together are the message of all their parts.
        return b"".join(self._left), processed and all(flushed)

    def absorb(self, left: bytes) -> None:
        """Count what :meth:`hand_over` returned in a child."""
        self._push_readers[0].absorb(ExportMetricsServiceRequest.FromString(left))

    def flush(self, timeout: float) -> bool:
        """Deliver everything that is finished now, within ``timeout`` seconds; False when something is left."""
        deadline = time.monotonic() + timeout
        processed = self.worker.flush(deadline)
        self._flush_sentry(deadline)
        self.collect()  # after the worker: it derives metrics from the spans that waited
        flushed = [lane.flush(deadline) for lane in self.lanes.values()]  # every lane gets its chance
        return processed and all(flushed)

    def shutdown(self, timeout: float) -> bool:
        """Flush what a living backend takes within ``timeout`` seconds, count the rest as dropped, stop."""
        deadline = time.monotonic() + timeout
        self._ticker.stop()
        processed = self.worker.stop(deadline)
        self._settle(everything=True)
        Reports.to = None
        if self.sentry is not None:
            with guard:
                self.sentry.close(_share(deadline))
        self.collect()
        if self._machine is not None:
            self._machine.stop()
        closed = [lane.close(deadline) for lane in self.lanes.values()]
        return processed and all(closed)

    def _settle(self, everything: bool = False) -> None:
        """Count what waits for its trace to end and has waited long enough, or everything."""
        with guard:
            self._errors.settle(everything)
            for measured in self.tokens.untold(everything):
                self.instruments.record(measured)

    def _flush_sentry(self, deadline: float) -> None:
        if self.sentry is not None:
            with guard:
                self.sentry.flush(_share(deadline))

    def _lane(self, signal: Signal) -> Lane:
        settings = self.settings
        return Lane(
            signal,
            open_transport(settings, signal),
            self.ledger,
            limit_bytes=settings.send_buffer_bytes,
            timeout=settings.export_timeout,
        )

    def deliver_metrics(self, batch: Batch) -> None:
        """Hand encoded metrics to the metrics lane, where they are exported at all."""
        if self._left is not None:
            self._left.append(batch.body)
        elif lane := self.lanes.get(Signal.METRICS):
            lane.put(batch)

    def _observe(self) -> None:
        """Self-metrics, read when metrics are collected; zeros included."""
        meter = self.meter_provider.get_meter("otelkit")
        for entry, read in (
            (Metrics.DROPPED, self._dropped),
            (Metrics.EXPORTED, self._exported),
            (Metrics.EVENTS_WITHHELD, self._withheld),
        ):
            meter.create_observable_counter(entry.name, [read], entry.unit, entry.description)
        for entry in observed.GAUGES:
            meter.create_observable_gauge(entry.name, [partial(observed.read, entry)], entry.unit, entry.description)
        meter.create_observable_gauge(
            Metrics.UPTIME.name, [self._uptime], Metrics.UPTIME.unit, Metrics.UPTIME.description
        )

    def _dropped(self, options: CallbackOptions) -> list[Observation]:
        return [
            Observation(count, {Otelkit.SIGNAL: str(signal), Otelkit.DROP_REASON: str(reason)})
            for (signal, reason), count in self.ledger.drops().items()
        ]

    def _exported(self, options: CallbackOptions) -> list[Observation]:
        return [Observation(n, {Otelkit.SIGNAL: str(signal)}) for signal, n in self.ledger.deliveries().items()]

    def _withheld(self, options: CallbackOptions) -> list[Observation]:
        return [
            Observation(count, {"event.name": event, Otelkit.DROP_REASON: reason})
            for (event, reason), count in list(Events.withheld.items())
        ]

    def _uptime(self, options: CallbackOptions) -> list[Observation]:
        return [Observation(time.monotonic() - self._started)]


def _machine(settings: Settings, meter: Meter) -> Machine | None:
    """What reads the machine and the process, where its package is installed and nobody switched it off."""
    if settings.system_metrics == "off" or settings.metrics_exporter == "none":
        return None
    try:
        from otelkit.sdk.integrations.system.machine import Machine  # psutil is an extra
    except ImportError:
        if settings.system_metrics == "on":
            logger.warning("OTELKIT_SYSTEM_METRICS=on needs psutil: pip install 'otelkit[system]'")
        return None
    with guard:
        return Machine(meter, settings.metrics_endpoint or settings.endpoint)
    return None


def _sentry(settings: Settings, redactor: Redactor, identities: IdentityGuard) -> Sentry | None:
    if not settings.sentry_dsn:
        return None
    try:
        from otelkit.sdk.integrations.sentry import open_sentry
    except ImportError as error:
        raise MissingExtraError("SENTRY_DSN", "sentry") from error
    return open_sentry(settings, redactor, identities)


def _share(deadline: float) -> float:
    """How long Sentry may take of what is left: it may be away while the endpoint is not."""
    return max(0.0, deadline - time.monotonic()) / 3


def _warm_up(prices: PriceBook) -> None:
    """Load the price tables (0.2 s of CPU) on the worker, before the first span needs them."""
    prices.price("openai", "gpt-4o", Usage(1, 1, None, None, None), time.time_ns())


def exported(settings: Settings, signal: Signal) -> bool:
    """Whether a signal is sent at all (``OTEL_*_EXPORTER``)."""
    return {
        Signal.TRACES: settings.traces_exporter,
        Signal.LOGS: settings.logs_exporter,
        Signal.METRICS: settings.metrics_exporter,
    }[signal] != "none"


def metric_views(settings: Settings) -> list[View]:
    """``OTELKIT_METRIC_ALIASES``: a metric under the name a team already has dashboards for."""
    return [View(instrument_name=name, name=alias) for name, alias in settings.metric_aliases.items()]
