"""What goes where: one function a profile, each giving the files to run.

``dev``: everything to the local server, and one line a batch on the console. ``standard``: metrics scraped by
Prometheus, logs and events to Loki, traces to a trace store, product events and AI spans to ``otelkit serve``.
``gateway``: the same in two files, an agent beside the services and a gateway that samples whole traces.

Every pipeline that receives from outside has memory_limiter first and redaction before anything is copied. None has the
batch processor, which loses what was acknowledged when the process is killed: exporters batch behind queues on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from otelkit.provision.collector import derived_metrics, parts, redaction
from otelkit.provision.collector.components import Component, Configuration, Kind, Pipeline, Signal
from otelkit.provision.collector.options import Options
from otelkit.provision.documents import as_yaml

__all__ = ["PROFILES", "files", "render"]

_DEV: Final = """Everything to the local otelkit server, and a line a batch on the console.
Run: otelkit serve --port 4320 & otelkit collector run --profile dev"""
_STANDARD: Final = """Metrics for Prometheus, logs and events to Loki, traces to Tempo or Jaeger,
product events and AI spans to otelkit. Addresses, folders and limits are environment variables:
docs/pipeline.md lists them."""


def _dev(options: Options) -> Mapping[str, Configuration]:
    extensions, otlp = _front(options)
    debug = Component(Kind.EXPORTER, "debug", {"verbosity": "basic"})
    server = parts.server()
    first = (parts.LIMITER, parts.DETECTION, redaction.attributes(), redaction.names())
    pipelines = tuple(
        Pipeline(signal, "all", (otlp,), (first if signal is not Signal.METRICS else first[:3]), (server, debug))
        for signal in Signal
    )
    return {"dev.yaml": Configuration(_DEV, pipelines, extensions)}


def _standard(options: Options) -> Mapping[str, Configuration]:
    extensions, otlp = _front(options)
    pipelines = (*_traces(options, otlp), *_logs(options, otlp), *_metrics(options, otlp, (parts.PROMETHEUS,)))
    return {"standard.yaml": Configuration(_STANDARD, pipelines, extensions)}


def _traces(options: Options, otlp: Component) -> tuple[Pipeline, ...]:
    """Everything to the trace store; AI steps also to otelkit, and measured where their service does not measure."""
    ai, plain = parts.forward("ai_spans"), parts.forward("plain_spans")
    processors = (parts.LIMITER, parts.DETECTION, redaction.attributes(), redaction.names())
    whole = (parts.server(),) if options.server == "all" else ()
    some = (parts.server(),) if options.server == "ai" else ()
    measured = (plain,) if options.derived else ()
    made = [Pipeline(Signal.TRACES, "in", (otlp,), processors, (parts.traces(), *whole))]
    if some or measured:
        made[0] = replace(made[0], exporters=(*made[0].exporters, ai))
        made.append(Pipeline(Signal.TRACES, "ai", (ai,), (parts.ONLY_AI_SPANS,), (*some, *measured)))
    if measured:
        shaped = (derived_metrics.ONLY_PLAIN, derived_metrics.PREPARED)
        made.append(Pipeline(Signal.TRACES, "plain", measured, shaped, (derived_metrics.connector(options.names),)))
    return tuple(made)


def _logs(options: Options, otlp: Component) -> tuple[Pipeline, ...]:
    """Everything to Loki; product events, audit and security events also to otelkit."""
    kept, events = parts.forward("logs"), parts.forward("events")
    processors = (parts.LIMITER, parts.DETECTION, redaction.attributes(), redaction.names())
    whole = (parts.server(),) if options.server == "all" else ()
    some = (events,) if options.server == "ai" else ()
    made = [
        Pipeline(Signal.LOGS, "in", (otlp,), processors, (kept, *some, *whole)),
        Pipeline(Signal.LOGS, "loki", (kept,), (parts.EVENT_NAME,), (parts.loki(),)),
    ]
    if some:
        made.append(Pipeline(Signal.LOGS, "events", some, (parts.ONLY_EVENTS,), (parts.server(),)))
    return tuple(made)


def _metrics(options: Options, otlp: Component, exporters: tuple[Component, ...]) -> tuple[Pipeline, ...]:
    derived = (derived_metrics.connector(options.names),) if options.derived else ()
    once = (derived_metrics.OWN_NAMES_ONLY,) if options.derived else ()
    processors = (parts.LIMITER, parts.DETECTION, redaction.attributes(), *once, parts.CUMULATIVE, parts.SERIES_LABELS)
    return (Pipeline(Signal.METRICS, "all", (otlp, *derived), processors, exporters),)


def _front(options: Options) -> tuple[tuple[Component, ...], Component]:
    asked = options.token or options.public
    authenticator = parts.receiver_token() if asked else None
    otlp = parts.otlp(authenticator=authenticator, tls=asked and options.tls, public=options.public)
    extensions = (parts.HEALTH, parts.STORAGE, *((authenticator,) if authenticator else ()))
    return extensions, otlp


PROFILES: Final[Mapping[str, Callable[[Options], Mapping[str, Configuration]]]] = {
    "dev": _dev,
    "standard": _standard,
}


def render(profile: str, options: Options | None = None) -> Mapping[str, str]:
    """Return the profile's files, by name, as text."""
    made = PROFILES[profile](options or Options())
    return {name: as_yaml(content.document(), says=content.says) for name, content in made.items()}


def files() -> Mapping[str, str]:
    """Return every profile with the default options."""
    return {f"config/{name}": text for profile in PROFILES for name, text in render(profile).items()}
