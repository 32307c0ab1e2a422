"""What goes where: one function a profile, each giving the files to run.

``dev``: everything to the local server, and one line a batch on the console. ``standard``: metrics scraped by
Prometheus, logs and events to Loki, traces to a trace store, product events and AI spans to ``otelkit serve``.
``gateway``: the same in two files, an agent beside the services and a gateway that samples whole traces.

Every pipeline that receives from outside has memory_limiter first and redaction before anything is copied. None has the
batch processor, which loses what was acknowledged when the process is killed: exporters batch behind queues on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from otelkit.provision.collector import derived_metrics, parts, redaction, sampling
from otelkit.provision.collector.components import Component, Configuration, Kind, Pipeline, Signal
from otelkit.provision.collector.log_files import FILE_LOG
from otelkit.provision.collector.options import Options
from otelkit.provision.collector.variables import Variables
from otelkit.provision.documents import as_yaml

__all__ = ["PROFILES", "files", "render"]

_Components = tuple[Component, ...]

_DEV: Final = """Everything to the local otelkit server, and a line a batch on the console.
Run: otelkit serve --port 4320 & otelkit collector run --profile dev"""
_STANDARD: Final = """Metrics for Prometheus, logs and events to Loki, traces to Tempo or Jaeger,
product events and AI spans to otelkit. Addresses, folders and limits are environment variables:
docs/pipeline.md lists them."""
_AGENT: Final = """Beside the services of one host: redacts, measures, and hands everything to a gateway.
Addresses, folders and limits are environment variables: docs/pipeline.md lists them."""
_GATEWAY: Final = """Takes what agents send, keeps the traces that matter whole, and sends on.
Product events and AI spans leave before traces are sampled. Addresses, folders, limits and the
token are environment variables: docs/pipeline.md lists them."""
_CONTRIB: Final = """
{} is not in otelkit's distribution (not published at this version): this file
needs the Collector's contrib image, and was rendered but not run by otelkit's tests."""

# Redaction before anything is copied to several legs.
_REDACTED: Final = (redaction.by_key(), redaction.lifted(), redaction.attributes(), redaction.lowered())


@dataclass(frozen=True, slots=True)
class _Legs:
    """Where data is sent to under some options, and the extensions that it takes."""

    options: Options

    @property
    def tokens(self) -> Mapping[str, Component]:
        """What is shown to each leg that there is and that wants a token."""
        chosen = set(self.options.auth) - ({"server"} if self.options.server == "off" else set())
        return {leg: parts.token(leg, variable) for leg, variable in parts.TOKENS.items() if leg in chosen}

    @property
    def cloud(self) -> Component:
        return parts.token("cloud", Variables.CLOUD_TOKEN)

    @property
    def extensions(self) -> _Components:
        cloud = (self.cloud,) if self.options.cloud_logs else ()
        return (parts.HEALTH, parts.STORAGE, *self.tokens.values(), *cloud)

    @property
    def server(self) -> Component:
        return parts.server(self.tokens.get("server"))

    @property
    def traces(self) -> Component:
        return parts.traces(self.tokens.get("traces"))

    @property
    def remote_write(self) -> Component:
        return parts.remote_write(self.tokens.get("remote_write"))

    @property
    def logs(self) -> _Components:
        cloud = (parts.cloud_logs(self.cloud),) if self.options.cloud_logs else ()
        elastic = (parts.elasticsearch(),) if self.options.elasticsearch else ()
        return (parts.loki(self.tokens.get("loki")), *cloud, *elastic)

    def server_if(self, *wanted: str) -> _Components:
        """The server where the option of that name is among ``wanted``."""
        return (self.server,) if self.options.server in wanted else ()


def _dev(options: Options) -> Mapping[str, Configuration]:
    extensions, received = _received(options)
    debug = Component(Kind.EXPORTER, "debug", {"verbosity": "basic"})
    first = (parts.LIMITER, parts.DETECTION, *_REDACTED)
    kept = (parts.server(None), debug)
    pipelines = (
        Pipeline(Signal.TRACES, "all", received, first, kept),
        Pipeline(Signal.METRICS, "all", received, first, kept),
        Pipeline(Signal.LOGS, "all", (*received, *_file_log(options)), first, kept),
    )
    return {"dev.yaml": Configuration(_DEV, pipelines, (parts.HEALTH, parts.STORAGE, *extensions))}


def _standard(options: Options) -> Mapping[str, Configuration]:
    legs = _Legs(options)
    extensions, received = _received(options)
    first = (parts.LIMITER, parts.DETECTION)
    scraped = (parts.PROMETHEUS, *((legs.remote_write,) if options.remote_write else ()))
    pipelines = (
        Pipeline(Signal.TRACES, "in", received, (*first, *_REDACTED), (legs.traces, *legs.server_if("all"))),
        *_logs(legs, (*received, *_file_log(options)), first),
        Pipeline(
            Signal.METRICS,
            "all",
            (*received, *_derived(options)),
            (*first, *_REDACTED, *_counted_once(options), parts.CUMULATIVE, parts.SERIES_LABELS),
            scraped,
        ),
    )
    made = Configuration(_says(_STANDARD, options), _with_ai_spans(pipelines, legs), (*legs.extensions, *extensions))
    return {"standard.yaml": made}


def _gateway(options: Options) -> Mapping[str, Configuration]:
    return {"agent.yaml": _agent(options), "gateway.yaml": _gateway_itself(options)}


def _agent(options: Options) -> Configuration:
    received = (parts.otlp(),)
    first = (parts.LIMITER, parts.DETECTION)
    shown = parts.token("gateway", Variables.TOKEN)
    sent = parts.to_kafka() if options.kafka else parts.gateway(shown)
    spans = parts.loadbalancing(shown) if options.loadbalancing else sent
    pipelines = (
        Pipeline(Signal.TRACES, "in", received, (*first, *_REDACTED), (spans,)),
        Pipeline(Signal.LOGS, "in", (*received, *_file_log(options)), (*first, *_REDACTED), (sent,)),
        Pipeline(
            Signal.METRICS,
            "all",
            (*received, *_derived(options)),
            (*first, *_REDACTED, *_counted_once(options), parts.CUMULATIVE),
            (sent,),
        ),
    )
    legs = _Legs(replace(options, server="off"))
    extensions = (parts.HEALTH, parts.STORAGE, *(() if options.kafka else (shown,)))
    return Configuration(
        _says(_AGENT, replace(options, elasticsearch=False)), _with_ai_spans(pipelines, legs), extensions
    )


def _gateway_itself(options: Options) -> Configuration:
    legs = _Legs(options)
    asked = parts.token("receiver", Variables.TOKEN)
    otlp = parts.otlp(authenticator=asked, tls=options.tls, public=True)
    received = (otlp, *((parts.from_kafka(),) if options.kafka else ()))
    sampled = parts.forward("sampled")
    first = (parts.LIMITER,)
    pipelines = (
        Pipeline(Signal.TRACES, "in", received, (*first, *_REDACTED), (sampled, *legs.server_if("all"))),
        Pipeline(Signal.TRACES, "sampled", (sampled,), (sampling.tail_sampling(options),), (legs.traces,)),
        *_logs(legs, received, first),
        Pipeline(Signal.METRICS, "all", received, (*first, *_REDACTED, parts.SERIES_LABELS), (legs.remote_write,)),
    )
    spans = _with_ai_spans(pipelines, replace(legs, options=replace(options, derived=False)))
    says = _says(_GATEWAY, replace(options, loadbalancing=False))
    return Configuration(says, spans, (*legs.extensions, asked))


# --- pieces of several profiles -----------------------------------------------------------------------------------


def _received(options: Options) -> tuple[_Components, _Components]:
    """Return the extensions that receiving takes, and the receiver."""
    asked = options.token or options.public
    shown = parts.token("receiver", Variables.TOKEN) if asked else None
    receiver = parts.otlp(authenticator=shown, tls=asked and options.tls, public=options.public)
    return ((shown,) if shown else ()), (receiver,)


def _file_log(options: Options) -> _Components:
    return (FILE_LOG,) if options.file_log else ()


def _derived(options: Options) -> _Components:
    return (derived_metrics.connector(options.names),) if options.derived else ()


def _counted_once(options: Options) -> _Components:
    return (derived_metrics.OWN_NAMES_ONLY,) if options.derived else ()


def _with_ai_spans(pipelines: tuple[Pipeline, ...], legs: _Legs) -> tuple[Pipeline, ...]:
    """Add the leg of AI spans, which leaves the first pipeline before anything is sampled: to otelkit, and measured."""
    options = legs.options
    ai, plain = parts.forward("ai_spans"), parts.forward("plain_spans")
    ends = (*legs.server_if("ai"), *((plain,) if options.derived else ()))
    if not ends:
        return pipelines
    first, *others = pipelines
    made = [
        replace(first, exporters=(*first.exporters, ai)),
        Pipeline(Signal.TRACES, "ai", (ai,), (parts.ONLY_AI_SPANS,), ends),
    ]
    if options.derived:
        shaped = (derived_metrics.ONLY_PLAIN, derived_metrics.PREPARED)
        made.append(Pipeline(Signal.TRACES, "plain", (plain,), shaped, _derived(options)))
    return (*made, *others)


def _logs(legs: _Legs, received: _Components, first: _Components) -> tuple[Pipeline, ...]:
    """Everything to Loki and its like; product events, audit and security events also to otelkit."""
    kept, events = parts.forward("logs"), parts.forward("events")
    some = (events,) if legs.options.server == "ai" else ()
    made = (
        Pipeline(Signal.LOGS, "in", received, (*first, *_REDACTED), (kept, *some, *legs.server_if("all"))),
        Pipeline(Signal.LOGS, "kept", (kept,), (parts.EVENT_NAME,), legs.logs),
    )
    return (*made, *(Pipeline(Signal.LOGS, "events", some, (parts.ONLY_EVENTS,), (legs.server,)) for _ in some))


def _says(text: str, options: Options) -> str:
    """What stands at the head of a file, with what it takes to run one that this distribution cannot."""
    needed = [name for name in ("elasticsearch", "loadbalancing") if getattr(options, name)]
    return text + (_CONTRIB.format(" and ".join(needed)) if needed else "")


PROFILES: Final[Mapping[str, Callable[[Options], Mapping[str, Configuration]]]] = {
    "dev": _dev,
    "standard": _standard,
    "gateway": _gateway,
}
"""By name; each gives its files by theirs."""


def render(profile: str, options: Options | None = None) -> Mapping[str, str]:
    """Return the profile's files, by name, as text."""
    made = PROFILES[profile](options or Options())
    return {name: as_yaml(content.document(), says=content.says) for name, content in made.items()}


def files(chosen: Mapping[str, Options] | None = None) -> Mapping[str, str]:
    """Return every profile, with its options where some are chosen."""
    options = chosen or {}
    made = (render(profile, options.get(profile)) for profile in PROFILES)
    return {f"config/{name}": text for files in made for name, text in files.items()}
