"""Starting and stopping: the one place that knows about the process's global OpenTelemetry providers."""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider

from otelkit.errors import OtelkitError, SettingsError
from otelkit.mapping.cost import PriceBook, parse_prices
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor
from otelkit.sdk import budget_checks, trail
from otelkit.sdk import context as sdk_context
from otelkit.sdk.events import Events
from otelkit.sdk.export.entrance import LogEntrance, SpanEntrance
from otelkit.sdk.export.lane import Batch
from otelkit.sdk.export.ledger import Reason, Signal
from otelkit.sdk.export.points import LabelCleaner
from otelkit.sdk.export.readers import PushReader
from otelkit.sdk.export.worker import Record
from otelkit.sdk.fork import on_fork
from otelkit.sdk.guard import guard, logger
from otelkit.sdk.identity import load_salt
from otelkit.sdk.integrations import fastapi
from otelkit.sdk.integrations.jobs import switch_on_jobs
from otelkit.sdk.integrations.libraries import switch_on_libraries
from otelkit.sdk.logs import LogCapture
from otelkit.sdk.processors.context import ContextProcessor
from otelkit.sdk.route_sampling import RouteSampling
from otelkit.sdk.routes import DEFAULT_ADDRESS
from otelkit.sdk.runtime import Runtime, metric_views
from otelkit.sdk.sampling import sampler_of
from otelkit.sdk.steps import State
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.settings import OPTIONS, Settings, load, read_table

if TYPE_CHECKING:
    from otelkit.sdk.integrations.prometheus import PrometheusPage

__all__ = ["absorb", "flush", "hand_over", "lost", "shutdown", "start"]

_lock = threading.RLock()


class _Process:
    """What ``init`` made in this process."""

    runtime: Runtime | None = None
    prices: PriceBook | None = None
    pseudonym: Pseudonymiser | None = None
    labels: LabelCleaner | None = None
    tracer_provider: Any = None
    meter_provider: Any = None
    global_reader: PushReader | None = None
    logs: LogCapture | None = None
    prometheus: PrometheusPage | None = None
    installed = False


def start(app: object, session: Callable[[dict[str, Any]], Any] | None, instrument: bool, **options: Any) -> None:
    """What :func:`otelkit.init` does; ``options`` are fields of :class:`otelkit.settings.Settings`."""
    with _lock:
        if _Process.runtime is None:
            settings = load(**options)
            trail.end(quiet=not settings.audit)
            if settings.disabled:
                State.enabled = False
                return
            _start(settings)
            if instrument:
                switch_on_libraries(settings.disabled_instrumentations, capture_content=settings.capture_content)
                switch_on_jobs(settings.disabled_instrumentations, settings.queue_seconds)
        runtime = _Process.runtime
        assert runtime is not None
        fastapi.configure(runtime, _Process.tracer_provider, _Process.prometheus, session)
        if app is not None:
            fastapi.attach(app)
        else:
            fastapi.attach_future_apps()


def flush(timeout: float) -> bool:
    """What :func:`otelkit.flush` does."""
    runtime = _Process.runtime
    return runtime.flush(timeout) if runtime is not None else True


def lost() -> Mapping[tuple[Signal, Reason], int]:
    """What was not delivered so far, by signal and reason; empty when nothing was lost."""
    drops = _Process.runtime.ledger.drops() if _Process.runtime is not None else {}
    return {key: count for key, count in drops.items() if count}


def hand_over(timeout: float) -> tuple[bytes, bool]:
    """See :meth:`Runtime.hand_over`."""
    runtime = _Process.runtime
    return runtime.hand_over(timeout) if runtime is not None else (b"", True)


def absorb(left: bytes) -> None:
    """See :meth:`Runtime.absorb`."""
    if _Process.runtime is not None:
        _Process.runtime.absorb(left)


def shutdown(timeout: float | None = None) -> bool:
    """What :func:`otelkit.shutdown` does."""
    with _lock:
        runtime = _Process.runtime
        if runtime is None:
            return True
        _Process.runtime = None
        State.enabled = False
        if _Process.logs is not None:
            _Process.logs.uninstall()
        return runtime.shutdown(runtime.settings.shutdown_timeout if timeout is None else timeout)


# --- start ---------------------------------------------------------------------------------------------------


def _start(settings: Settings) -> None:
    _check_log_file(settings.log_file)
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")  # contrib instrumentations: HTTP names of today
    State.enabled = True
    budget_checks.declare(settings.budgets)
    State.capture_content = settings.capture_content
    Events.policy_version = settings.policy_version
    _Process.pseudonym = Pseudonymiser(load_salt(settings))
    sdk_context.configure(_Process.pseudonym, settings.identify_users)
    _Process.prices = _price_book(settings)
    _Process.labels = LabelCleaner(Redactor())
    if settings.prometheus:
        from otelkit.sdk.integrations.prometheus import PrometheusPage  # costs 20 ms: only where it is asked for

        _Process.prometheus = PrometheusPage(_Process.labels, _DERIVED_HERE)
    resource = _resource(settings)
    trail.begin(settings, resource.attributes, _Process.pseudonym)
    _build_runtime(settings, resource)
    runtime = _Process.runtime
    assert runtime is not None
    if not _Process.installed:  # providers outlive a shutdown: a second start finds otelkit's processors in place
        _Process.installed = True
        _Process.tracer_provider = _tracer_provider(settings, resource)
        _install_meter_provider(settings, resource, runtime)
        _install_logger_provider(resource)
        atexit.register(shutdown)
        on_fork(_after_fork)
        multiprocessing.util.register_after_fork(_Process, _in_forked_worker)
    _Process.logs = LogCapture(settings, runtime.redactor, runtime.identities)
    _Process.logs.install()
    if settings.temporality != "cumulative":
        logger.warning(
            "metrics stay cumulative although %s is preferred: Prometheus needs them so", settings.temporality
        )
    if settings.posthog_key:
        name = OPTIONS["posthog_key"].variables[-1]
        logger.warning("%s is set, but this version sends nothing there yet", name)
    if not (settings.endpoint or settings.traces_endpoint or settings.protocol == "grpc"):
        logger.warning(
            "no endpoint is set: telemetry goes to %s. "
            "Start `otelkit serve` there, or set OTEL_EXPORTER_OTLP_ENDPOINT.",
            DEFAULT_ADDRESS,
        )


def _check_log_file(path: Path | None) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise SettingsError(f"OTELKIT_LOG_FILE: {path} cannot be written: {error.strerror}") from None


def _price_book(settings: Settings) -> PriceBook:
    overrides = parse_prices(read_table(settings.prices)) if settings.prices is not None else None
    return PriceBook(overrides, settings.free_providers)


def _build_runtime(settings: Settings, resource: Resource) -> None:
    prices, pseudonym, labels = _Process.prices, _Process.pseudonym, _Process.labels
    assert prices is not None
    assert pseudonym is not None
    assert labels is not None
    page = _Process.prometheus
    sampling = RouteSampling(settings.metric_sampling, settings.metric_aliases)
    readers = [page.reader("otelkit", sampling.weighed)] if page is not None else []
    _Process.runtime = Runtime(settings, resource, prices, pseudonym, labels, readers, sampling)
    if _Process.global_reader is not None:
        _Process.runtime.adopt(_Process.global_reader)
    _Process.runtime.start()


def _resource(settings: Settings) -> Resource:
    attributes: dict[str, Any] = {
        **settings.resource_attributes,
        Core.SERVICE_NAME: settings.service or settings.resource_attributes.get(Core.SERVICE_NAME) or _program_name(),
        Otelkit.METRICS: "sdk",
    }
    if settings.environment:
        attributes[Core.DEPLOYMENT_ENVIRONMENT] = settings.environment
    if settings.version:
        attributes[Core.SERVICE_VERSION] = settings.version
    # Two processes that share an instance id write one series: a given id is only the beginning of ours.
    given = settings.resource_attributes.get(Core.SERVICE_INSTANCE_ID)
    own = str(uuid.uuid4())
    attributes[Core.SERVICE_INSTANCE_ID] = f"{given}-{own[:8]}" if given else own
    return Resource.create(attributes)


def _program_name() -> str:
    name = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in {"", "-c", "-m"} else ""
    return name if name and name != "__main__" else "unknown_service"


def _tracer_provider(settings: Settings, resource: Resource) -> Any:
    """The seam behind which spans are made: an existing provider, else the SDK's."""
    existing = trace.get_tracer_provider()
    if hasattr(existing, "add_span_processor"):
        logger.info("using the TracerProvider that is there; its sampler and exporters stay")
        provider: Any = existing
    else:
        provider = TracerProvider(sampler=sampler_of(settings), resource=resource, shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    provider.add_span_processor(ContextProcessor())
    provider.add_span_processor(SpanEntrance(_submit, flush, _begun))
    return provider


_DERIVED_HERE: Final = "gen_ai."
# Ours comes from spans and pools; what a driver's or an engine's instrumentation counts would be the same again.
_ALSO_DERIVED: Final = ("db.client.operation.duration", "db.client.connections.usage")


def _install_meter_provider(settings: Settings, resource: Resource, runtime: Runtime) -> None:
    """The global provider for everyone else's metrics; what otelkit derives itself is kept out of it."""
    assert _Process.labels is not None
    reader = PushReader(_deliver_metrics, _Process.labels, _is_wanted)
    _Process.global_reader = reader
    runtime.adopt(reader)
    existing = metrics.get_meter_provider()
    page = _Process.prometheus
    if hasattr(existing, "add_metric_reader"):
        existing.add_metric_reader(reader)
        if page is not None:
            existing.add_metric_reader(page.reader("global"))
        return
    provider = MeterProvider(
        [reader, *([page.reader("global")] if page is not None else [])],
        resource,
        shutdown_on_exit=False,
        views=[*_dropping(), *metric_views(settings)],
    )
    metrics.set_meter_provider(provider)


def _is_wanted(name: str) -> bool:
    return not name.startswith(_DERIVED_HERE) and name not in _ALSO_DERIVED


def _dropping() -> list[View]:
    names = (f"{_DERIVED_HERE}*", *_ALSO_DERIVED)
    return [View(instrument_name=name, aggregation=DropAggregation()) for name in names]


def _install_logger_provider(resource: Resource) -> None:
    provider: Any = _logs.get_logger_provider()
    if not hasattr(provider, "add_log_record_processor"):
        provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        _logs.set_logger_provider(provider)
    provider.add_log_record_processor(LogEntrance(_submit, flush))


def _deliver_metrics(batch: Batch) -> None:
    runtime = _Process.runtime
    if runtime is not None:
        runtime.deliver_metrics(batch)


def _submit(record: Record) -> None:
    runtime = _Process.runtime
    if runtime is not None:
        runtime.worker.submit(record)


def _begun(span: Span, context: Context | None) -> None:
    runtime = _Process.runtime
    if runtime is not None:
        runtime.tokens.on_start(span, context)


# --- fork ----------------------------------------------------------------------------------------------------


def _in_forked_worker(process: type[_Process]) -> None:
    """A forked ``multiprocessing`` worker ends without ``atexit``: flush where it does end."""
    multiprocessing.util.Finalize(None, shutdown, exitpriority=0)


def _after_fork() -> None:
    """In a forked child: threads are gone, queues and counts are the parent's; start with fresh ones."""
    global _lock
    _lock = threading.RLock()
    old = _Process.runtime
    if old is None:
        return
    with guard:
        try:
            # The SDK has given the child's tracer provider an instance id of its own by now; metrics share it.
            resource = getattr(_Process.tracer_provider, "resource", None) or _resource(old.settings)
            _Process.runtime = None
            Events.withheld.clear()
            if _Process.global_reader is not None:
                _Process.global_reader.inherit()
            _build_runtime(old.settings, resource)
            assert _Process.runtime is not None
            fastapi.configure(_Process.runtime, _Process.tracer_provider, _Process.prometheus, None)
        except OtelkitError as error:
            logger.warning("telemetry stays off in this forked process: %s", error)
