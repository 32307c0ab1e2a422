"""The components that the profiles share: what listens, what shapes records, what sends them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from otelkit.provision.collector.components import Component, Kind, listener, sender
from otelkit.provision.collector.variables import Variable, Variables
from otelkit.semconv.attributes import Audit, Core, GenAI, OpenInference, Otelkit, Traceloop

__all__ = [
    "CUMULATIVE",
    "DETECTION",
    "EVENT_NAME",
    "HEALTH",
    "LIMITER",
    "ONLY_AI_SPANS",
    "ONLY_EVENTS",
    "PROMETHEUS",
    "SERIES_LABELS",
    "STORAGE",
    "cloud_logs",
    "forward",
    "loki",
    "otlp",
    "receiver_token",
    "server",
    "token",
    "traces",
]

EVENT_NAME_KEY: Final = "event_name"
"""The attribute under which Loki finds a record's event name, which its OTLP endpoint drops."""

HEALTH: Final = Component(
    Kind.EXTENSION, "health_check", {"endpoint": listener(Variables.SCRAPE_HOST, Variables.HEALTH_PORT)}
)

# A queue that cannot be read is put aside and a new one begun: one broken file must not keep everything down.
STORAGE: Final = Component(
    Kind.EXTENSION,
    "file_storage",
    {
        "directory": str(Variables.QUEUES),
        "create_directory": True,
        "recreate": True,
        "timeout": "5s",
        "compaction": {"directory": str(Variables.QUEUES), "on_rebound": True, "cleanup_on_start": True},
    },
)

# First in every pipeline: what is refused here is sent again by its sender.
LIMITER: Final = Component(
    Kind.PROCESSOR,
    "memory_limiter",
    {"check_interval": "1s", "limit_mib": str(Variables.MEMORY)},
)

DETECTION: Final = Component(
    Kind.PROCESSOR,
    "resource_detection",
    {"detectors": ["env", "system"], "system": {"hostname_sources": ["os"]}, "override": False},
)

CUMULATIVE: Final = Component(
    Kind.PROCESSOR,
    "deltatocumulative",
    {"max_stale": "24h", "max_streams": 100_000},
)

EVENT_NAME: Final = Component(
    Kind.PROCESSOR,
    "transform/event_name",
    {
        "error_mode": "ignore",
        "log_statements": [
            {
                "context": "log",
                "conditions": ['log.event_name != ""'],
                "statements": [f'set(log.attributes["{EVENT_NAME_KEY}"], log.event_name)'],
            }
        ],
    },
)

_SERIES: Final = (Core.SERVICE_NAME, Core.SERVICE_NAMESPACE, Core.SERVICE_VERSION, Core.DEPLOYMENT_ENVIRONMENT)

SERIES_LABELS: Final = Component(
    Kind.PROCESSOR,
    "transform/labels",
    {
        "error_mode": "ignore",
        "metric_statements": [
            {
                "context": "datapoint",
                "statements": [
                    f'set(datapoint.attributes["{key}"], resource.attributes["{key}"])'
                    f' where resource.attributes["{key}"] != nil'
                    for key in _SERIES
                ],
            }
        ],
    },
)
"""Service and environment as labels of every series, as Prometheus has them with promoted resource attributes."""

# What marks a span as one of an LLM application, in any of the conventions that are read.
_AI_KEYS: Final = (
    GenAI.OPERATION,
    GenAI.PROVIDER,
    GenAI.SYSTEM,
    OpenInference.KIND,
    Traceloop.KIND,
    Traceloop.REQUEST_TYPE,
    Otelkit.STEP,
)

ONLY_AI_SPANS: Final = Component(
    Kind.PROCESSOR,
    "filter/ai_spans",
    {
        "error_mode": "ignore",
        "traces": {"span": [" and ".join(f'span.attributes["{key}"] == nil' for key in _AI_KEYS)]},
    },
)

ONLY_EVENTS: Final = Component(
    Kind.PROCESSOR,
    "filter/events",
    {
        "error_mode": "ignore",
        "logs": {"log_record": [f'log.event_name == "" and log.attributes["{Audit.ACTION}"] == nil']},
    },
)

PROMETHEUS: Final = Component(
    Kind.EXPORTER,
    "prometheus",
    {
        "endpoint": listener(Variables.SCRAPE_HOST, Variables.PROMETHEUS_PORT),
        "enable_open_metrics": True,  # or no exemplars
        "metric_expiration": "5m",
    },
)


def otlp(*, authenticator: Component | None, tls: bool, public: bool) -> Component:
    """Receive OTLP over gRPC and HTTP."""
    host = replace(Variables.HOST, default="0.0.0.0") if public else Variables.HOST  # noqa: S104 - with a token
    shared: dict[str, Any] = {}
    if authenticator is not None:
        shared["auth"] = {"authenticator": authenticator.name}
    if tls:
        shared["tls"] = {"cert_file": str(Variables.CERTIFICATE), "key_file": str(Variables.KEY)}
    protocols = {"grpc": Variables.GRPC_PORT, "http": Variables.HTTP_PORT}
    return Component(
        Kind.RECEIVER,
        "otlp",
        {"protocols": {name: {"endpoint": listener(host, port), **shared} for name, port in protocols.items()}},
    )


def receiver_token() -> Component:
    """Return what senders must show."""
    return token("receiver", Variables.TOKEN)


def token(name: str, variable: Variable) -> Component:
    """A bearer token from the environment: asked for where a receiver names it, shown where an exporter does."""
    return Component(Kind.EXTENSION, f"bearertokenauth/{name}", {"token": str(variable)})


def forward(name: str) -> Component:
    """Join two pipelines of one signal."""
    return Component(Kind.CONNECTOR, f"forward/{name}")


def loki(authenticator: Component | None = None) -> Component:
    """Logs and events, to Loki."""
    return sender("otlp_http/loki", STORAGE, {"endpoint": str(Variables.LOKI), **_shown(authenticator)})


def server(authenticator: Component | None = None) -> Component:
    """To ``otelkit serve``."""
    return sender("otlp_http/otelkit", STORAGE, {"endpoint": str(Variables.SERVER), **_shown(authenticator)})


def traces(authenticator: Component | None = None) -> Component:
    """To Tempo, Jaeger or any other store that takes OTLP over gRPC."""
    # "insecure" leaves the choice to the address: http:// is plain text, https:// is TLS.
    settings = {"endpoint": str(Variables.TRACES), "tls": {"insecure": True}, **_shown(authenticator)}
    return sender("otlp_grpc/traces", STORAGE, settings)


def cloud_logs() -> Component:
    """To a cloud service that takes OTLP over HTTP with a bearer token."""
    settings = {"logs_endpoint": str(Variables.CLOUD_LOGS), "auth": {"authenticator": "bearertokenauth/cloud"}}
    return sender("otlp_http/cloud", STORAGE, settings)


def _shown(authenticator: Component | None) -> Mapping[str, Any]:
    return {} if authenticator is None else {"auth": {"authenticator": authenticator.name}}
