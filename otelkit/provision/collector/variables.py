"""What may be set from outside in a rendered file: hosts, ports, folders, limits and secrets, once each.

Committed files run unchanged here, in a container and in tests: what differs between them is one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["VARIABLES", "Variable", "Variables"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable of the Collector; without a ``default`` it must be set where it is used.

    Attributes:
        optional: it may be unset although it has no default.
    """

    name: str
    meaning: str
    default: str = ""
    secret: bool = False
    optional: bool = False

    def __str__(self) -> str:
        """Return how a configuration refers to it."""
        return f"${{env:{self.name}:-{self.default}}}" if self.default else f"${{env:{self.name}}}"


class Variables:
    """All of them, in the order in which they are explained."""

    HOST: Final = Variable(
        "OTELKIT_COLLECTOR_HOST", "Address that OTLP is received on; any but this machine's needs a token.", "127.0.0.1"
    )
    HTTP_PORT: Final = Variable("OTELKIT_COLLECTOR_HTTP_PORT", "Port of OTLP over HTTP.", "4318")
    GRPC_PORT: Final = Variable("OTELKIT_COLLECTOR_GRPC_PORT", "Port of OTLP over gRPC.", "4317")
    SCRAPE_HOST: Final = Variable(
        "OTELKIT_COLLECTOR_SCRAPE_HOST",
        "Address of what Prometheus scrapes and of the health check: no login, so a private network's.",
        "127.0.0.1",
    )
    PROMETHEUS_PORT: Final = Variable(
        "OTELKIT_COLLECTOR_PROMETHEUS_PORT", "Port where Prometheus scrapes what services sent.", "9464"
    )
    METRICS_PORT: Final = Variable(
        "OTELKIT_COLLECTOR_METRICS_PORT", "Port where Prometheus scrapes the Collector's own metrics.", "8888"
    )
    HEALTH_PORT: Final = Variable("OTELKIT_COLLECTOR_HEALTH_PORT", "Port of the health check.", "13133")
    QUEUES: Final = Variable(
        "OTELKIT_COLLECTOR_QUEUES", "Folder of the queues on disk; it must outlive the process.", "collector-queues"
    )
    QUEUE_BYTES: Final = Variable(
        "OTELKIT_COLLECTOR_QUEUE_BYTES", "Largest queue of one exporter and signal, in bytes of OTLP.", "1073741824"
    )
    MEMORY: Final = Variable(
        "OTELKIT_COLLECTOR_MEMORY_MIB", "MiB of heap from which data is refused (and sent again later).", "512"
    )
    LOKI: Final = Variable("OTELKIT_COLLECTOR_LOKI", "Where Loki takes OTLP over HTTP.", "http://127.0.0.1:3100/otlp")
    TRACES: Final = Variable(
        "OTELKIT_COLLECTOR_TRACES", "Where Tempo or Jaeger takes OTLP over gRPC; http:// or https://.",
        "http://127.0.0.1:14317",
    )  # fmt: skip
    SERVER: Final = Variable(
        "OTELKIT_COLLECTOR_SERVER", "Where `otelkit serve` takes OTLP over HTTP.", "http://127.0.0.1:4320"
    )
    GATEWAY: Final = Variable(
        "OTELKIT_COLLECTOR_GATEWAY", "Where agents reach the gateway, OTLP over HTTP.", "https://gateway:4318"
    )
    GATEWAY_NAMES: Final = Variable(
        "OTELKIT_COLLECTOR_GATEWAY_NAMES", "DNS name that resolves to every gateway, for loadbalancing.", "gateways"
    )
    KAFKA: Final = Variable("OTELKIT_COLLECTOR_KAFKA", "A Kafka broker, host:port.", "127.0.0.1:9092")
    REMOTE_WRITE: Final = Variable(
        "OTELKIT_COLLECTOR_REMOTE_WRITE", "Where metrics are written to.", "http://127.0.0.1:9090/api/v1/write"
    )
    NAME: Final = Variable(
        "OTELKIT_COLLECTOR_NAME", "Label `collector` on what this gateway writes; another for each one.", "gateway-1"
    )
    CLOUD_LOGS: Final = Variable("OTELKIT_COLLECTOR_CLOUD_LOGS", "Where a cloud log service takes OTLP over HTTP.")
    ELASTICSEARCH: Final = Variable(
        "OTELKIT_COLLECTOR_ELASTICSEARCH", "Address of Elasticsearch.", "https://elasticsearch:9200"
    )
    LOG_FILE: Final = Variable(
        "OTELKIT_COLLECTOR_LOG_FILE", "The service's log file, rotated ones with a wildcard.", "logs/app.jsonl"
    )
    LOG_SERVICE: Final = Variable(
        "OTELKIT_COLLECTOR_LOG_SERVICE", "service.name of what is read from the log file.", "app"
    )
    TOKEN: Final = Variable("OTELKIT_COLLECTOR_TOKEN", "What senders must show.", secret=True)
    CERTIFICATE: Final = Variable("OTELKIT_COLLECTOR_TLS_CERTIFICATE", "PEM file of the receiver's certificate.")
    KEY: Final = Variable("OTELKIT_COLLECTOR_TLS_KEY", "PEM file of its private key.")
    AUTHORITY: Final = Variable(
        "OTELKIT_COLLECTOR_TLS_AUTHORITY",
        "PEM file of the authority that signed the gateway's certificate, unless the system knows it.",
        optional=True,
    )
    LOKI_TOKEN: Final = Variable("OTELKIT_COLLECTOR_LOKI_TOKEN", "Bearer token for Loki.", secret=True)
    TRACES_TOKEN: Final = Variable("OTELKIT_COLLECTOR_TRACES_TOKEN", "Bearer token for the trace store.", secret=True)
    SERVER_TOKEN: Final = Variable(
        "OTELKIT_COLLECTOR_SERVER_TOKEN", "Token of `otelkit serve` (its OTELKIT_TOKEN).", secret=True
    )
    REMOTE_WRITE_TOKEN: Final = Variable(
        "OTELKIT_COLLECTOR_REMOTE_WRITE_TOKEN", "Bearer token for remote write.", secret=True
    )
    CLOUD_TOKEN: Final = Variable("OTELKIT_COLLECTOR_CLOUD_TOKEN", "Bearer token of the cloud service.", secret=True)
    ELASTICSEARCH_KEY: Final = Variable("OTELKIT_COLLECTOR_ELASTICSEARCH_KEY", "API key of Elasticsearch.", secret=True)


VARIABLES: Final[tuple[Variable, ...]] = tuple(
    entry for entry in vars(Variables).values() if isinstance(entry, Variable)
)
"""All in the order above."""
