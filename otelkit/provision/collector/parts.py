"""The components that the profiles share: what listens, what shapes records, what sends them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from otelkit.provision.collector.components import Component, Kind, Queue, Retry, listener, sender
from otelkit.provision.collector.variables import Variable, Variables
from otelkit.semconv.attributes import Audit, Core, GenAI, OpenInference, Otelkit, Traceloop

__all__ = [
    "CUMULATIVE",
    "DETECTION",
    "EVENT_NAME",
    "EVENT_NAME_KEY",
    "HEALTH",
    "LIMITER",
    "ONLY_AI_SPANS",
    "ONLY_EVENTS",
    "PROMETHEUS",
    "SERIES_LABELS",
    "STORAGE",
    "TOKENS",
    "cloud_logs",
    "elasticsearch",
    "forward",
    "from_kafka",
    "gateway",
    "loadbalancing",
    "loki",
    "otlp",
    "remote_write",
    "server",
    "to_kafka",
    "token",
    "traces",
]

EVENT_NAME_KEY: Final = "event_name"
"""The attribute under which Loki finds a record's event name, which its OTLP endpoint drops."""

HEALTH: Final = Component(
    Kind.EXTENSION, "health_check", {"endpoint": listener(Variables.SCRAPE_HOST, Variables.HEALTH_PORT)}
)

# Some damaged queues are put aside for a new one ("recreate"); others keep the Collector from starting, see the page on
# the pipeline. A crash damages none.
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


TOKENS: Final[Mapping[str, Variable]] = {
    "loki": Variables.LOKI_TOKEN,
    "traces": Variables.TRACES_TOKEN,
    "server": Variables.SERVER_TOKEN,
    "remote_write": Variables.REMOTE_WRITE_TOKEN,
}
"""The secret that each leg shows, where the option ``auth`` names it."""


def otlp(*, authenticator: Component | None = None, tls: bool = False, public: bool = False) -> Component:
    """Receive OTLP over gRPC and HTTP."""
    host = replace(Variables.HOST, default="0.0.0.0") if public else Variables.HOST  # noqa: S104 - with a token
    shared: dict[str, Any] = {**_shown(authenticator)}
    if tls:
        shared["tls"] = {"cert_file": str(Variables.CERTIFICATE), "key_file": str(Variables.KEY)}
    protocols = {"grpc": Variables.GRPC_PORT, "http": Variables.HTTP_PORT}
    return Component(
        Kind.RECEIVER,
        "otlp",
        {"protocols": {name: {"endpoint": listener(host, port), **shared} for name, port in protocols.items()}},
    )


def token(name: str, variable: Variable) -> Component:
    """A bearer token from the environment: asked for where a receiver names it, shown where an exporter does."""
    return Component(Kind.EXTENSION, f"bearertokenauth/{name}", {"token": str(variable)})


def forward(name: str) -> Component:
    """Join two pipelines of one signal."""
    return Component(Kind.CONNECTOR, f"forward/{name}")


def loki(shows: Component | None) -> Component:
    """Logs and events, to Loki."""
    return sender("otlp_http/loki", STORAGE, {"endpoint": str(Variables.LOKI), **_shown(shows)})


def server(shows: Component | None) -> Component:
    """To ``otelkit serve``."""
    return sender("otlp_http/otelkit", STORAGE, {"endpoint": str(Variables.SERVER), **_shown(shows)})


def traces(shows: Component | None) -> Component:
    """To Tempo, Jaeger or any other store that takes OTLP over gRPC."""
    # "insecure" leaves the choice to the address: http:// is plain text, https:// is TLS. gRPC shows a token over TLS
    # only, and does not start otherwise.
    settings = {"endpoint": str(Variables.TRACES), "tls": {"insecure": shows is None}, **_shown(shows)}
    return sender("otlp_grpc/traces", STORAGE, settings)


def cloud_logs(shows: Component) -> Component:
    """Logs to a cloud service that takes OTLP over HTTP with a bearer token."""
    return sender("otlp_http/cloud", STORAGE, {"endpoint": str(Variables.CLOUD_LOGS), **_shown(shows)})


def elasticsearch() -> Component:
    """Logs to Elasticsearch; its exporter is not in otelkit's distribution."""
    return Component(
        Kind.EXPORTER,
        "elasticsearch",
        {
            "endpoints": [str(Variables.ELASTICSEARCH)],
            "api_key": str(Variables.ELASTICSEARCH_KEY),
            "mapping": {"mode": "otel"},
            "retry": {"enabled": True, "max_retries": 1_000_000, "max_interval": "30s"},
            "sending_queue": Queue(STORAGE.name),
        },
    )


def remote_write(shows: Component | None) -> Component:
    """Metrics written to Prometheus, Mimir or Thanos; the label keeps apart what several Collectors write."""
    return Component(
        Kind.EXPORTER,
        "prometheus_remote_write",
        {
            "endpoint": str(Variables.REMOTE_WRITE),
            "external_labels": {"collector": str(Variables.NAME)},
            "send_metadata": True,
            "timeout": "10s",
            # In memory: counters are cumulative, so the next export makes up for what a crash takes.
            "remote_write_queue": {"enabled": True, "queue_size": 10_000, "num_consumers": 5},
            "retry_on_failure": Retry(),
            **_shown(shows),
        },
    )


def gateway(shows: Component) -> Component:
    """From an agent to a gateway."""
    settings = {"endpoint": str(Variables.GATEWAY), "tls": {"ca_file": str(Variables.AUTHORITY)}, **_shown(shows)}
    return sender("otlp_http/gateway", STORAGE, settings)


def loadbalancing(shows: Component) -> Component:
    """From an agent to the gateway that has the trace; its exporter is not in otelkit's distribution."""
    otlp = {"tls": {"ca_file": str(Variables.AUTHORITY)}, **_shown(shows), "sending_queue": {"enabled": False}}
    resolver = {"dns": {"hostname": str(Variables.GATEWAY_NAMES), "port": str(Variables.GRPC_PORT)}}
    settings = {"routing_key": "traceID", "protocol": {"otlp": otlp}, "resolver": resolver}
    return sender("loadbalancing", STORAGE, settings)


def to_kafka() -> Component:
    """From an agent into a topic a signal; a trace's spans go to one partition, and so to one gateway."""
    settings = {
        "brokers": [str(Variables.KAFKA)],
        "partition_traces_by_id": True,
        "partition_metrics_by_resource_attributes": True,
        "producer": {"required_acks": -1, "compression": "zstd"},
    }
    return sender("kafka", STORAGE, settings)


def from_kafka() -> Component:
    """A gateway's share of the topics; a message counts as read when the pipeline has taken it."""
    return Component(
        Kind.RECEIVER,
        "kafka",
        {
            "brokers": [str(Variables.KAFKA)],
            "group_id": "otelkit-gateways",
            "initial_offset": "earliest",
            "message_marking": {"after": True, "on_error": False},
            "error_backoff": {"enabled": True, "initial_interval": "1s", "max_interval": "30s", "max_elapsed_time": 0},
        },
    )


def _shown(shows: Component | None) -> Mapping[str, Any]:
    return {} if shows is None else {"auth": {"authenticator": shows.name}}
