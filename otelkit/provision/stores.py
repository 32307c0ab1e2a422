"""Where logs and traces are kept: Loki, Tempo, and Jaeger for who would rather have one small program.

Addresses and folders come from the environment (``-config.expand-env`` for Loki and Tempo), with the containers' as
defaults, so that the same file runs in a container and beside a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otelkit.provision.documents import as_yaml
from otelkit.semconv.attributes import Core

__all__ = ["INDEX_LABELS", "files"]

INDEX_LABELS: Final = (Core.SERVICE_NAME, Core.SERVICE_NAMESPACE, Core.DEPLOYMENT_ENVIRONMENT)
"""What Loki indexes. By default it would also index the process (``service.instance.id``): a stream for each worker."""

_LOKI_SAYS: Final = "Logs and product events. Start with -config.expand-env=true."
_TEMPO_SAYS: Final = """Traces. Start with -config.expand-env=true.
Rendered, not run in this project's tests: those run Jaeger, fed by the same exporter."""
_JAEGER_SAYS: Final = "Traces in memory, and a page to search them: instead of Tempo, for one machine."
_LOG_HOURS: Final = 30 * 24
_TRACE_HOURS: Final = 14 * 24
_REPLAY: Final = "24h"  # how far behind its stream an entry may be: an outage of the Collector's queue, replayed


def files() -> Mapping[str, str]:
    """Return one configuration a store."""
    return {
        "loki/loki.yaml": as_yaml(_loki(), says=_LOKI_SAYS),
        "tempo/tempo.yaml": as_yaml(_tempo(), says=_TEMPO_SAYS),
        "jaeger/jaeger.yaml": as_yaml(_jaeger(), says=_JAEGER_SAYS),
    }


def _loki() -> Mapping[str, Any]:
    folder = "${LOKI_DIR:-/loki}"
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": "${LOKI_HOST:-0.0.0.0}",
            "http_listen_port": "${LOKI_PORT:-3100}",
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": "${LOKI_GRPC_PORT:-9096}",
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": folder,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": f"{folder}/chunks", "rules_directory": f"{folder}/rules"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        # An entry may be half of a chunk's greatest age behind its stream; with the default of two hours, what the
        # Collector sends after a longer outage would be refused for good.
        "ingester": {"max_chunk_age": "48h", "chunk_idle_period": "30m", "wal": {"dir": f"{folder}/wal"}},
        "compactor": {
            "working_directory": f"{folder}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        "limits_config": {
            "retention_period": f"{_LOG_HOURS}h",
            "reject_old_samples_max_age": _REPLAY,
            "allow_structured_metadata": True,
            "discover_log_levels": False,
            "ingestion_rate_mb": 32,
            "ingestion_burst_size_mb": 64,
            "per_stream_rate_limit": "16MB",
            "per_stream_rate_limit_burst": "64MB",
            "otlp_config": {
                "resource_attributes": {
                    "ignore_defaults": True,
                    "attributes_config": [{"action": "index_label", "attributes": list(INDEX_LABELS)}],
                }
            },
        },
    }


def _tempo() -> Mapping[str, Any]:
    folder = "${TEMPO_DIR:-/var/tempo}"
    return {
        "server": {"http_listen_port": 3200, "log_level": "warn"},
        "usage_report": {"reporting_enabled": False},
        "distributor": {"receivers": {"otlp": {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317"}}}}},
        "storage": {
            "trace": {"backend": "local", "wal": {"path": f"{folder}/wal"}, "local": {"path": f"{folder}/blocks"}}
        },
        "compactor": {"compaction": {"block_retention": f"{_TRACE_HOURS}h"}},
        "metrics_generator": {
            "storage": {
                "path": f"{folder}/generator",
                "remote_write": [
                    {"url": "${PROMETHEUS_URL:-http://prometheus:9090}/api/v1/write", "send_exemplars": True}
                ],
            }
        },
        "overrides": {"defaults": {"metrics_generator": {"processors": ["service-graphs"]}}},
    }


def _jaeger() -> Mapping[str, Any]:
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"traces": {"memory": {"max_traces": 100_000}}}},
            "jaeger_query": {
                "storage": {"traces": "traces"},
                "http": {"endpoint": "${env:JAEGER_HOST:-0.0.0.0}:${env:JAEGER_PORT:-16686}"},
                "grpc": {"endpoint": "127.0.0.1:${env:JAEGER_GRPC_PORT:-16685}"},
            },
        },
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": "${env:JAEGER_HOST:-0.0.0.0}:${env:JAEGER_OTLP_PORT:-4317}"}}}
        },
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
    }
