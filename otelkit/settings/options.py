"""Every option, once: name, variables, default, meaning, type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otelkit.settings.budgets import Budget, budgets
from otelkit.settings.parsers import (
    SAMPLERS,
    Age,
    Number,
    Parser,
    Size,
    access_token,
    age,
    capture,
    choice,
    flag,
    integer,
    log_level,
    names,
    pairs,
    path,
    patterns,
    port_or,
    postgres_url,
    salt,
    shares,
    size,
    text,
    url,
)

__all__ = ["OPTIONS", "Option", "Settings"]


@dataclass(frozen=True, slots=True)
class Option:
    """How one field of :class:`Settings` is set from outside.

    Attributes:
        variables: environment variables in order of precedence, ours first.
        meaning: one sentence, with the unit.
        parse: text → value; raises ``ValueError`` with what is allowed.
        group: heading in ``env.example`` and the reference page.
        secret: its value is never printed.
    """

    variables: tuple[str, ...]
    meaning: str
    parse: Parser
    group: str
    secret: bool = False

    @property
    def scale(self) -> float:
        """The field is the variable's number times this (seconds from milliseconds)."""
        return self.parse.scale if isinstance(self.parse, Number) else 1.0


def _option(*variables: str, default: Any, meaning: str, parse: Parser = text, group: str, secret: bool = False) -> Any:
    option = Option(variables, meaning, parse, group, secret)
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata={"option": option}, repr=not secret)
    shown = not secret and parse is not url  # an address may hold credentials
    return dataclasses.field(default=default, metadata={"option": option}, repr=shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All options with their values; frozen. Made by :func:`load`."""

    # --- identity of the service
    service: str = _option(
        "OTELKIT_SERVICE",
        "OTEL_SERVICE_NAME",
        default="",
        group="Service",
        meaning="Name of the service (service.name). Unset: from the resource attributes, else the program's name.",
    )
    environment: str = _option(
        "OTELKIT_ENVIRONMENT",
        default="",
        group="Service",
        meaning="Deployment environment, such as production (deployment.environment.name).",
    )
    version: str = _option(
        "OTELKIT_VERSION",
        "APP_VERSION",
        default="",
        group="Service",
        meaning="Version of the service (service.version).",
    )
    resource_attributes: Mapping[str, str] = _option(
        "OTEL_RESOURCE_ATTRIBUTES",
        default={},
        parse=pairs,
        group="Service",
        meaning="More resource attributes as key=value,key=value.",
    )
    disabled: bool = _option(
        "OTELKIT_DISABLED",
        "OTEL_SDK_DISABLED",
        default=False,
        parse=flag,
        group="Service",
        meaning="true switches all telemetry off; decorators stay and cost almost nothing.",
    )
    enable_telemetry: bool = _option(
        "ENABLE_TELEMETRY",
        default=True,
        parse=flag,
        group="Service",
        meaning="Known from other tools: false switches all telemetry off, as OTELKIT_DISABLED=true does.",
    )

    # --- where it goes
    endpoint: str = _option(
        "OTELKIT_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default="",
        parse=url,
        group="Export",
        meaning="Where OTLP goes: a Collector or `otelkit serve`. Unset: http://127.0.0.1:4318, said once at start.",
    )
    traces_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        default="",
        parse=url,
        group="Export",
        meaning="Full address for traces where they go elsewhere.",
    )
    metrics_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        default="",
        parse=url,
        group="Export",
        meaning="Full address for metrics where they go elsewhere.",
    )
    logs_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        default="",
        parse=url,
        group="Export",
        meaning="Full address for logs where they go elsewhere.",
    )
    protocol: str = _option(
        "OTELKIT_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        default="http/protobuf",
        group="Export",
        parse=choice("http/protobuf", "grpc"),
        meaning="OTLP transport; grpc needs the extra otelkit[grpc].",
    )
    headers: Mapping[str, str] = _option(
        "OTELKIT_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
        default={},
        parse=pairs,
        group="Export",
        secret=True,
        meaning="Headers sent with every export, as key=value,key=value.",
    )
    compression: str = _option(
        "OTELKIT_COMPRESSION",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        default="none",
        parse=choice("none", "gzip"),
        group="Export",
        meaning="Compression of exported bodies.",
    )
    export_timeout: float = _option(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        default=10.0,
        parse=Number(0.05, 600),
        group="Export",
        meaning="Seconds one export attempt may take.",
    )
    certificate: Path | None = _option(
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        default=None,
        parse=path,
        group="Export",
        meaning="PEM file with the certificate authority to trust for https.",
    )
    flush_interval: float = _option(
        "OTELKIT_FLUSH_SECONDS",
        default=1.0,
        parse=Number(0.01, 60),
        group="Export",
        meaning="Seconds between exports of spans and logs.",
    )
    metric_interval: float = _option(
        "OTEL_METRIC_EXPORT_INTERVAL",
        default=15.0,
        parse=Number(100, 3_600_000, scale=0.001),
        group="Export",
        meaning="Milliseconds between exports of metrics (default 15000).",
    )
    queue_size: int = _option(
        "OTELKIT_QUEUE_SIZE",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        default=16_384,
        parse=integer(64, 10_000_000),
        group="Export",
        meaning="Finished spans and log records that may wait for the worker; more are dropped and counted.",
    )
    send_buffer_bytes: int = _option(
        "OTELKIT_SEND_BUFFER_BYTES",
        default=32 * 1024 * 1024,
        parse=integer(65_536),
        group="Export",
        meaning="Encoded bytes that may wait for a backend that is down; the oldest are dropped and counted.",
    )
    shutdown_timeout: float = _option(
        "OTELKIT_SHUTDOWN_SECONDS",
        default=5.0,
        parse=Number(0, 600),
        group="Export",
        meaning="Seconds the exit of the process waits at most for unsent telemetry.",
    )

    # --- audit
    audit: bool = _option(
        "OTELKIT_AUDIT",
        default=True,
        parse=flag,
        group="Audit",
        meaning="false: audit() writes nothing and raises nothing, for tests and development.",
    )
    audit_endpoint: str = _option(
        "OTELKIT_AUDIT_ENDPOINT",
        default="",
        parse=url,
        group="Audit",
        meaning="Address of the otelkit server that audit() writes to; default the endpoint of all telemetry.",
    )
    audit_timeout: float = _option(
        "OTELKIT_AUDIT_SECONDS",
        default=5.0,
        parse=Number(0.05, 600),
        group="Audit",
        meaning="Seconds that audit() tries for, before it raises AuditError.",
    )

    # --- security
    security_burst: int = _option(
        "OTELKIT_SECURITY_BURST",
        default=10,
        parse=integer(0, 200),
        group="Security",
        meaning="How many 401, 403 and 429 answers to one client within a minute are a security event; 0: none is.",
    )

    # --- traces
    sampler: str = _option(
        "OTEL_TRACES_SAMPLER",
        default="parentbased_always_on",
        parse=choice(*SAMPLERS),
        group="Traces",
        meaning="Which traces are exported. Metrics are derived from all spans whatever is sampled.",
    )
    sampler_ratio: float = _option(
        "OTEL_TRACES_SAMPLER_ARG",
        default=1.0,
        parse=Number(0, 1),
        group="Traces",
        meaning="Share of traces for the traceidratio samplers, 0 to 1.",
    )
    traces_exporter: str = _option(
        "OTEL_TRACES_EXPORTER",
        default="otlp",
        parse=choice("otlp", "none"),
        group="Traces",
        meaning="none keeps spans in the process: metrics are derived, nothing is sent.",
    )
    disabled_instrumentations: tuple[str, ...] = _option(
        "OTELKIT_DISABLED_INSTRUMENTATIONS",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        default=(),
        parse=names,
        group="Traces",
        meaning="Instrumentations not to switch on, by entry point or package name: redis,otelkit-rq.",
    )
    fastapi_operation_spans: bool = _option(
        "OTELKIT_FASTAPI_OPERATION_SPANS",
        default=False,
        parse=flag,
        group="Traces",
        meaning="Also record FastAPI's inner spans (dependencies, endpoint, serialization).",
    )
    excluded_urls: tuple[str, ...] = _option(
        "OTELKIT_EXCLUDED_URLS",
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS",
        "OTEL_PYTHON_EXCLUDED_URLS",
        default=("^/health$", "^/healthz$", "^/metrics$"),
        parse=patterns,
        group="Traces",
        meaning="Paths that are not traced: regular expressions separated by commas.",
    )
    slow_request_seconds: float = _option(
        "OTELKIT_SLOW_REQUEST_SECONDS",
        default=2.0,
        parse=Number(0.001),
        group="Traces",
        meaning="Requests longer than this many seconds are marked otelkit.slow.",
    )
    slow_query_seconds: float = _option(
        "OTELKIT_SLOW_QUERY_SECONDS",
        default=0.5,
        parse=Number(0.001),
        group="Traces",
        meaning="Database calls longer than this many seconds are told as events, by fingerprint.",
    )
    repeated_queries: int = _option(
        "OTELKIT_REPEATED_QUERIES",
        default=10,
        parse=integer(2, 1_000_000),
        group="Traces",
        meaning="A request that runs one statement so many times is told as an event (N+1).",
    )
    request_id_header: str = _option(
        "OTELKIT_REQUEST_ID_HEADER",
        default="x-request-id",
        group="Traces",
        meaning="Header a request id is read from and answered in.",
    )

    # --- metrics
    metrics_exporter: str = _option(
        "OTEL_METRICS_EXPORTER",
        default="otlp",
        parse=choice("otlp", "none"),
        group="Metrics",
        meaning="none sends no metrics; /metrics still works.",
    )
    temporality: str = _option(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        default="cumulative",
        parse=choice("cumulative", "delta", "lowmemory"),
        group="Metrics",
        meaning="Metrics are always cumulative, as Prometheus needs them; another preference gets a warning.",
    )
    prometheus: bool = _option(
        "OTELKIT_PROMETHEUS",
        default=False,
        parse=flag,
        group="Metrics",
        meaning="true adds GET /metrics to the app, for one worker only; with more, scrape the Collector.",
    )
    prometheus_path: str = _option(
        "OTELKIT_PROMETHEUS_PATH",
        default="/metrics",
        group="Metrics",
        meaning="Path of that page.",
    )
    queue_seconds: float = _option(
        "OTELKIT_QUEUE_SECONDS",
        default=15.0,
        parse=Number(1, 3600, zero=True),
        group="Metrics",
        meaning="Seconds between looks at the queues of Celery, RQ and arq (length, age of the oldest); 0: never.",
    )
    system_metrics: str = _option(
        "OTELKIT_SYSTEM_METRICS",
        default="auto",
        parse=choice("auto", "on", "off"),
        group="Metrics",
        meaning="The machine's and the process's figures: auto where otelkit[system] is installed, on, off.",
    )
    metric_sampling: Mapping[str, float] = _option(
        "OTELKIT_METRIC_SAMPLING",
        default={},
        parse=shares,
        group="Metrics",
        meaning="Routes whose request metrics are sampled, as GET /health=0.1,GET /ready=0.01; counts stay exact.",
    )
    budgets: tuple[Budget, ...] = _option(
        "OTELKIT_BUDGETS",
        default=(),
        parse=budgets,
        group="Metrics",
        meaning="What requests may take: POST /chat: p95=2s, tokens=4000; static: path=dist, bytes=300KB.",
    )
    metric_profile: str = _option(
        "OTELKIT_METRIC_PROFILE",
        default="classic",
        parse=choice("classic", "latest", "both"),
        group="Metrics",
        meaning="Names of GenAI metrics: what dashboards use today, the convention's newest, or both.",
    )
    metric_aliases: Mapping[str, str] = _option(
        "OTELKIT_METRIC_ALIASES",
        default={},
        parse=pairs,
        group="Metrics",
        meaning="Other names for metrics, as name=alias,name=alias (process.uptime=app_uptime).",
    )

    # --- logs
    logs_exporter: str = _option(
        "OTEL_LOGS_EXPORTER",
        default="otlp",
        parse=choice("otlp", "none"),
        group="Logs",
        meaning="none sends no log records.",
    )
    log_level: str = _option(
        "OTELKIT_LOG_LEVEL",
        "LOG_LEVEL",
        default="info",
        parse=log_level,
        group="Logs",
        meaning="Least severity that becomes telemetry: debug, info, warning, error, critical.",
    )
    console_logs: bool = _option(
        "OTELKIT_CONSOLE_LOGS",
        default=False,
        parse=flag,
        group="Logs",
        meaning="true writes every log record as one JSON line to standard output.",
    )
    log_file: Path | None = _option(
        "OTELKIT_LOG_FILE",
        default=None,
        parse=path,
        group="Logs",
        meaning="File for JSON lines, rotated, such as logs/app.jsonl. Unset: no file.",
    )
    log_file_bytes: int = _option(
        "OTELKIT_LOG_FILE_BYTES",
        default=20_000_000,
        parse=integer(1024),
        group="Logs",
        meaning="Size in bytes at which the file is rotated.",
    )
    log_file_backups: int = _option(
        "OTELKIT_LOG_FILE_BACKUPS",
        default=5,
        parse=integer(0, 1000),
        group="Logs",
        meaning="Rotated files that are kept.",
    )
    log_fields: str = _option(
        "OTELKIT_LOG_FIELDS",
        default="otel",
        parse=choice("otel", "classic"),
        group="Logs",
        meaning="Field names in JSON lines: otel (timestamp, severity_text …) or classic (asctime, levelname …).",
    )

    # --- privacy
    capture_content: bool = _option(
        "OTELKIT_CAPTURE_CONTENT",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        default=False,
        parse=capture,
        group="Privacy",
        meaning="true exports prompts, answers, tool arguments and results. Off (EVENT_ONLY too): names, sizes.",
    )
    identify_users: str = _option(
        "OTELKIT_IDENTIFY_USERS",
        default="consent",
        parse=choice("never", "consent", "always"),
        group="Privacy",
        meaning="When the user's pseudonym is on spans and logs: never, with their consent, or always.",
    )
    salt: str = _option(
        "OTELKIT_SALT",
        "TELE_SALT",
        default="",
        parse=salt,
        group="Privacy",
        secret=True,
        meaning="Secret for pseudonyms, 16 characters or more. Unset: made once, in a file only you can read.",
    )
    salt_file: Path | None = _option(
        "OTELKIT_SALT_FILE",
        default=None,
        parse=path,
        group="Privacy",
        meaning="Where that file is. Unset: otelkit/salt in the user's data directory.",
    )
    policy_version: str = _option(
        "OTELKIT_POLICY_VERSION",
        default="1",
        group="Privacy",
        meaning="Version of the privacy policy that consent was given to, stamped on product events.",
    )

    # --- cost
    prices: Path | None = _option(
        "OTELKIT_PRICES",
        default=None,
        parse=path,
        group="Cost",
        meaning="TOML or JSON file with prices per provider and model that override the built-in ones.",
    )
    free_providers: tuple[str, ...] = _option(
        "OTELKIT_FREE_PROVIDERS",
        default=(),
        parse=names,
        group="Cost",
        meaning="Providers whose calls cost nothing, such as ollama. Undeclared local providers count as unknown.",
    )

    # --- errors
    sentry_dsn: str = _option(
        "SENTRY_DSN",
        default="",
        group="Errors",
        secret=True,
        meaning="Where errors go in Sentry, from otelkit[sentry]; unset sends none there.",
    )
    sentry_traces_rate: float = _option(
        "SENTRY_TRACES_RATE",
        default=0.0,
        parse=Number(0, 1),
        group="Errors",
        meaning="Share of traces that Sentry gets as transactions, 0 to 1.",
    )

    # --- known from other tools, for parts of otelkit that later versions bring; set ones are said at start
    posthog_key: str = _option(
        "OTELKIT_POSTHOG_KEY",
        "POSTHOG_API_KEY",
        default="",
        group="Later versions",
        secret=True,
        meaning="Project key of PostHog. Not used yet: nothing is sent there.",
    )
    posthog_host: str = _option(
        "OTELKIT_POSTHOG_HOST",
        "POSTHOG_HOST",
        default="",
        parse=url,
        group="Later versions",
        meaning="Address of PostHog. Not used yet.",
    )

    # --- server
    host: str = _option(
        "OTELKIT_HOST", default="127.0.0.1", group="Server", meaning="Address `otelkit serve` listens on."
    )
    port: int = _option(
        "OTELKIT_PORT",
        default=4318,
        parse=integer(0, 65_535),
        group="Server",
        meaning="Port for OTLP, the API and the page; 0 takes a free one.",
    )
    grpc_port: int | str = _option(
        "OTELKIT_GRPC_PORT",
        default="auto",
        parse=port_or("auto", "off"),
        group="Server",
        meaning="Port for OTLP/gRPC (extra otelkit[grpc]). auto: 4317 where it is free; off: none.",
    )
    token: str = _option(
        "OTELKIT_TOKEN",
        default="",
        parse=access_token,
        group="Server",
        secret=True,
        meaning="What callers of `otelkit serve` must show; needed on any address but this machine's.",
    )
    read_token: str = _option(
        "OTELKIT_READ_TOKEN",
        default="",
        parse=access_token,
        group="Server",
        secret=True,
        meaning="A second token that may look and change nothing.",
    )
    ingest_token: str = _option(
        "OTELKIT_INGEST_TOKEN",
        default="",
        parse=access_token,
        group="Server",
        secret=True,
        meaning="A token for services, which may send and see nothing.",
    )
    tls_certificate: Path | None = _option(
        "OTELKIT_TLS_CERTIFICATE",
        default=None,
        parse=path,
        group="Server",
        meaning="Certificate of `otelkit serve` in PEM, with its chain. Unset: no TLS.",
    )
    tls_key: Path | None = _option(
        "OTELKIT_TLS_KEY",
        default=None,
        parse=path,
        group="Server",
        meaning="The certificate's private key in PEM.",
    )
    database: Path | None = _option(
        "OTELKIT_DATABASE",
        default=None,
        parse=path,
        group="Server",
        meaning="SQLite file of `otelkit serve`. Unset: otelkit/otelkit.db in the user's data directory.",
    )
    database_url: str = _option(
        "OTELKIT_DATABASE_URL",
        default="",
        parse=postgres_url,
        group="Server",
        secret=True,
        meaning="PostgreSQL instead of a file, as postgresql://user:password@host:5432/name (extra otelkit[postgres]).",
    )
    keep: Age = _option(
        "OTELKIT_KEEP",
        default=Age(30 * 86_400),
        parse=age,
        group="Server",
        meaning="How long `otelkit serve` keeps spans, logs and metric points; sums by hour stay.",
    )
    audit_keep: Age = _option(
        "OTELKIT_AUDIT_KEEP",
        default=Age(7 * 365 * 86_400 + 2 * 86_400),
        parse=age,
        group="Server",
        meaning="How long `otelkit serve` keeps audit records; the default is 7 years.",
    )
    max_size: Size = _option(
        "OTELKIT_MAX_SIZE",
        default=Size(0),
        parse=size,
        group="Server",
        meaning="How large the file of `otelkit serve` may grow before the oldest records are deleted.",
    )

    # --- alerts
    alertmanager_url: str = _option(
        "OTELKIT_ALERTMANAGER_URL",
        default="http://127.0.0.1:9093",
        parse=url,
        group="Alerts",
        meaning="Address of the Alertmanager that `otelkit alerts` asks; may hold user:password.",
    )
    alertmanager_token: str = _option(
        "OTELKIT_ALERTMANAGER_TOKEN",
        default="",
        parse=access_token,
        group="Alerts",
        secret=True,
        meaning="Bearer token for what stands before Alertmanager, which has no log-in of its own.",
    )


OPTIONS: Final[Mapping[str, Option]] = {field.name: field.metadata["option"] for field in dataclasses.fields(Settings)}
"""Field name → option, in reading order."""
