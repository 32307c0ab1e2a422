"""Every option, once; this module is the only reader of the environment.

Precedence: argument, then ``OTELKIT_*``, then the standard ``OTEL_*`` variable, then an alias other tools know,
then the default. A wrong value raises one :class:`~otelkit.errors.SettingsError` at start that names the variable, the
value's shape (never a secret's value) and what is allowed.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from otelkit.errors import SettingsError

__all__ = [
    "DESTINATIONS",
    "OPTIONS",
    "Option",
    "Settings",
    "current_environment",
    "data_directory",
    "load",
    "package_version",
    "read_table",
    "without_credentials",
    "without_telemetry_options",
]

T = TypeVar("T")
Parser = Callable[[str], Any]


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
        return self.parse.scale if isinstance(self.parse, _Number) else 1.0


# --- parsers: text → value, ValueError says what is allowed --------------------------------------


def _text(text: str) -> str:
    return text.strip()


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("true or false (also 1/0, yes/no, on/off)")


@dataclass(frozen=True, slots=True)
class _Number:
    """A number in the variable's unit; the field holds it times ``scale``."""

    low: float
    high: float = math.inf
    scale: float = 1.0

    def __call__(self, text: str) -> float:
        allowed = f"a number from {self.low:.12g}" + (f" to {self.high:.12g}" if self.high < math.inf else " up")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(allowed) from None
        if not self.low <= value <= self.high or math.isinf(value):  # false for NaN too
            raise ValueError(allowed)
        return value * self.scale

    def in_code(self) -> _Number:
        """The same for an argument, which is in the field's unit."""
        return _Number(self.low * self.scale, self.high * self.scale)


def _integer(low: int, high: int | None = None) -> Parser:
    allowed = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(allowed) from None
        if value < low or (high is not None and value > high):
            raise ValueError(allowed)
        return value

    return parse


def _choice(*names: str) -> Parser:
    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in names:
            raise ValueError("one of " + ", ".join(names))
        return word

    return parse


def _url(text: str) -> str:
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("an address such as http://127.0.0.1:4318") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address with http:// or https:// and a host, such as http://127.0.0.1:4318")
    return url


def _pairs(text: str) -> dict[str, str]:
    """``key=value,key=value`` with percent-encoded values, as OTEL_RESOURCE_ATTRIBUTES and OTLP headers are written."""
    result: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ValueError("key=value pairs separated by commas")
        result[key.strip()] = unquote(value.strip())
    return result


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a file path")
    return Path(text).expanduser()


def _capture(text: str) -> bool:
    """OpenTelemetry's four words, and true/false."""
    word = text.strip().upper()
    if word in {"NO_CONTENT", "EVENT_ONLY", ""}:  # content goes on spans here, and EVENT_ONLY wants none there
        return False
    if word in {"SPAN_ONLY", "SPAN_AND_EVENT"}:
        return True
    try:
        return _flag(text)
    except ValueError:
        raise ValueError("NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT, true or false") from None


def _patterns(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"regular expressions separated by commas; {name!r} is none: {error}") from None
    return names


def _salt(text: str) -> str:
    if len(text.strip()) < _SHORTEST_SALT:
        raise ValueError(f"at least {_SHORTEST_SALT} characters, or ids could be found by trying")
    return text.strip()


def _log_level(text: str) -> str:
    return str(_choice("debug", "info", "warning", "error", "critical")(text))


_SHORTEST_SALT: Final = 16
SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


def _option(
    *variables: str, default: Any, meaning: str, parse: Parser = _text, group: str, secret: bool = False
) -> Any:
    option = Option(variables, meaning, parse, group, secret)
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata={"option": option}, repr=not secret)
    shown = not secret and parse is not _url  # an address may hold credentials
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
        parse=_pairs,
        group="Service",
        meaning="More resource attributes as key=value,key=value.",
    )
    disabled: bool = _option(
        "OTELKIT_DISABLED",
        "OTEL_SDK_DISABLED",
        default=False,
        parse=_flag,
        group="Service",
        meaning="true switches all telemetry off; decorators stay and cost almost nothing.",
    )
    enable_telemetry: bool = _option(
        "ENABLE_TELEMETRY",
        default=True,
        parse=_flag,
        group="Service",
        meaning="Known from other tools: false switches all telemetry off, as OTELKIT_DISABLED=true does.",
    )

    # --- where it goes
    endpoint: str = _option(
        "OTELKIT_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default="",
        parse=_url,
        group="Export",
        meaning="Where OTLP goes: a Collector or `otelkit serve`. Unset: http://127.0.0.1:4318, said once at start.",
    )
    traces_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        default="",
        parse=_url,
        group="Export",
        meaning="Full address for traces where they go elsewhere.",
    )
    metrics_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        default="",
        parse=_url,
        group="Export",
        meaning="Full address for metrics where they go elsewhere.",
    )
    logs_endpoint: str = _option(
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        default="",
        parse=_url,
        group="Export",
        meaning="Full address for logs where they go elsewhere.",
    )
    protocol: str = _option(
        "OTELKIT_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        default="http/protobuf",
        group="Export",
        parse=_choice("http/protobuf", "grpc"),
        meaning="OTLP transport; grpc needs the extra otelkit[grpc].",
    )
    headers: Mapping[str, str] = _option(
        "OTELKIT_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
        default={},
        parse=_pairs,
        group="Export",
        secret=True,
        meaning="Headers sent with every export, as key=value,key=value.",
    )
    compression: str = _option(
        "OTELKIT_COMPRESSION",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        default="none",
        parse=_choice("none", "gzip"),
        group="Export",
        meaning="Compression of exported bodies.",
    )
    export_timeout: float = _option(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        default=10.0,
        parse=_Number(0.05, 600),
        group="Export",
        meaning="Seconds one export attempt may take.",
    )
    certificate: Path | None = _option(
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        default=None,
        parse=_path,
        group="Export",
        meaning="PEM file with the certificate authority to trust for https.",
    )
    flush_interval: float = _option(
        "OTELKIT_FLUSH_SECONDS",
        default=1.0,
        parse=_Number(0.01, 60),
        group="Export",
        meaning="Seconds between exports of spans and logs.",
    )
    metric_interval: float = _option(
        "OTEL_METRIC_EXPORT_INTERVAL",
        default=15.0,
        parse=_Number(100, 3_600_000, scale=0.001),
        group="Export",
        meaning="Milliseconds between exports of metrics (default 15000).",
    )
    queue_size: int = _option(
        "OTELKIT_QUEUE_SIZE",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        default=16_384,
        parse=_integer(64, 10_000_000),
        group="Export",
        meaning="Finished spans and log records that may wait for the worker; more are dropped and counted.",
    )
    send_buffer_bytes: int = _option(
        "OTELKIT_SEND_BUFFER_BYTES",
        default=32 * 1024 * 1024,
        parse=_integer(65_536),
        group="Export",
        meaning="Encoded bytes that may wait for a backend that is down; the oldest are dropped and counted.",
    )
    shutdown_timeout: float = _option(
        "OTELKIT_SHUTDOWN_SECONDS",
        default=5.0,
        parse=_Number(0, 600),
        group="Export",
        meaning="Seconds the exit of the process waits at most for unsent telemetry.",
    )

    # --- traces
    sampler: str = _option(
        "OTEL_TRACES_SAMPLER",
        default="parentbased_always_on",
        parse=_choice(*SAMPLERS),
        group="Traces",
        meaning="Which traces are exported. Metrics are derived from all spans whatever is sampled.",
    )
    sampler_ratio: float = _option(
        "OTEL_TRACES_SAMPLER_ARG",
        default=1.0,
        parse=_Number(0, 1),
        group="Traces",
        meaning="Share of traces for the traceidratio samplers, 0 to 1.",
    )
    traces_exporter: str = _option(
        "OTEL_TRACES_EXPORTER",
        default="otlp",
        parse=_choice("otlp", "none"),
        group="Traces",
        meaning="none keeps spans in the process: metrics are derived, nothing is sent.",
    )
    disabled_instrumentations: tuple[str, ...] = _option(
        "OTELKIT_DISABLED_INSTRUMENTATIONS",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        default=(),
        parse=_names,
        group="Traces",
        meaning="Instrumentations not to switch on, by entry point or package name, separated by commas.",
    )
    fastapi_operation_spans: bool = _option(
        "OTELKIT_FASTAPI_OPERATION_SPANS",
        default=False,
        parse=_flag,
        group="Traces",
        meaning="Also record FastAPI's inner spans (dependencies, endpoint, serialization).",
    )
    excluded_urls: tuple[str, ...] = _option(
        "OTELKIT_EXCLUDED_URLS",
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS",
        "OTEL_PYTHON_EXCLUDED_URLS",
        default=("^/health$", "^/healthz$", "^/metrics$"),
        parse=_patterns,
        group="Traces",
        meaning="Paths that are not traced: regular expressions separated by commas.",
    )
    slow_request_seconds: float = _option(
        "OTELKIT_SLOW_REQUEST_SECONDS",
        default=2.0,
        parse=_Number(0.001),
        group="Traces",
        meaning="Requests longer than this many seconds are marked otelkit.slow.",
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
        parse=_choice("otlp", "none"),
        group="Metrics",
        meaning="none sends no metrics; /metrics still works.",
    )
    temporality: str = _option(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        default="cumulative",
        parse=_choice("cumulative", "delta", "lowmemory"),
        group="Metrics",
        meaning="Metrics are always cumulative, as Prometheus needs them; another preference gets a warning.",
    )
    prometheus: bool = _option(
        "OTELKIT_PROMETHEUS",
        default=False,
        parse=_flag,
        group="Metrics",
        meaning="true adds GET /metrics to the app, for one worker only; with more, scrape the Collector.",
    )
    prometheus_path: str = _option(
        "OTELKIT_PROMETHEUS_PATH",
        default="/metrics",
        group="Metrics",
        meaning="Path of that page.",
    )
    metric_profile: str = _option(
        "OTELKIT_METRIC_PROFILE",
        default="classic",
        parse=_choice("classic", "latest", "both"),
        group="Metrics",
        meaning="Names of GenAI metrics: what dashboards use today, the convention's newest, or both.",
    )
    metric_aliases: Mapping[str, str] = _option(
        "OTELKIT_METRIC_ALIASES",
        default={},
        parse=_pairs,
        group="Metrics",
        meaning="Other names for metrics, as name=alias,name=alias (process.uptime=app_uptime).",
    )

    # --- logs
    logs_exporter: str = _option(
        "OTEL_LOGS_EXPORTER",
        default="otlp",
        parse=_choice("otlp", "none"),
        group="Logs",
        meaning="none sends no log records.",
    )
    log_level: str = _option(
        "OTELKIT_LOG_LEVEL",
        "LOG_LEVEL",
        default="info",
        parse=_log_level,
        group="Logs",
        meaning="Least severity that becomes telemetry: debug, info, warning, error, critical.",
    )
    console_logs: bool = _option(
        "OTELKIT_CONSOLE_LOGS",
        default=False,
        parse=_flag,
        group="Logs",
        meaning="true writes every log record as one JSON line to standard output.",
    )
    log_file: Path | None = _option(
        "OTELKIT_LOG_FILE",
        default=None,
        parse=_path,
        group="Logs",
        meaning="File for JSON lines, rotated, such as logs/app.jsonl. Unset: no file.",
    )
    log_file_bytes: int = _option(
        "OTELKIT_LOG_FILE_BYTES",
        default=20_000_000,
        parse=_integer(1024),
        group="Logs",
        meaning="Size in bytes at which the file is rotated.",
    )
    log_file_backups: int = _option(
        "OTELKIT_LOG_FILE_BACKUPS",
        default=5,
        parse=_integer(0, 1000),
        group="Logs",
        meaning="Rotated files that are kept.",
    )
    log_fields: str = _option(
        "OTELKIT_LOG_FIELDS",
        default="otel",
        parse=_choice("otel", "classic"),
        group="Logs",
        meaning="Field names in JSON lines: otel (timestamp, severity_text …) or classic (asctime, levelname …).",
    )

    # --- privacy
    capture_content: bool = _option(
        "OTELKIT_CAPTURE_CONTENT",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        default=False,
        parse=_capture,
        group="Privacy",
        meaning="true exports prompts, answers, tool arguments and results. Off: only names, sizes, counts.",
    )
    identify_users: str = _option(
        "OTELKIT_IDENTIFY_USERS",
        default="consent",
        parse=_choice("never", "consent", "always"),
        group="Privacy",
        meaning="When the user's pseudonym is on spans and logs: never, with their consent, or always.",
    )
    salt: str = _option(
        "OTELKIT_SALT",
        "TELE_SALT",
        default="",
        parse=_salt,
        group="Privacy",
        secret=True,
        meaning="Secret that user ids are pseudonymised with. Unset: made once and kept in a file only you can read.",
    )
    salt_file: Path | None = _option(
        "OTELKIT_SALT_FILE",
        default=None,
        parse=_path,
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
        parse=_path,
        group="Cost",
        meaning="TOML or JSON file with prices per provider and model that override the built-in ones.",
    )
    free_providers: tuple[str, ...] = _option(
        "OTELKIT_FREE_PROVIDERS",
        default=(),
        parse=_names,
        group="Cost",
        meaning="Providers whose calls cost nothing, such as ollama. Undeclared local providers count as unknown.",
    )

    # --- known from other tools, for parts of otelkit that later versions bring; set ones are said at start
    sentry_dsn: str = _option(
        "SENTRY_DSN",
        default="",
        group="Later versions",
        secret=True,
        meaning="Where errors go in Sentry. Not used yet: nothing is sent there.",
    )
    sentry_traces_rate: float = _option(
        "SENTRY_TRACES_RATE",
        default=0.0,
        parse=_Number(0, 1),
        group="Later versions",
        meaning="Share of traces Sentry gets, 0 to 1. Not used yet.",
    )
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
        parse=_url,
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
        parse=_integer(0, 65_535),
        group="Server",
        meaning="Port for OTLP, the API and the page; 0 takes a free one.",
    )
    database: Path | None = _option(
        "OTELKIT_DATABASE",
        default=None,
        parse=_path,
        group="Server",
        meaning="SQLite file of `otelkit serve`. Unset: otelkit/otelkit.db in the user's data directory.",
    )


OPTIONS: Final[Mapping[str, Option]] = {field.name: field.metadata["option"] for field in dataclasses.fields(Settings)}
"""Field name → option, in reading order."""


DESTINATIONS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTELKIT_HEADERS",
)
"""Variables that would send telemetry elsewhere, or secrets along, whatever the endpoint says."""


def without_telemetry_options(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without options of otelkit or OpenTelemetry: for runs whose figures must not depend on them."""
    return {name: value for name, value in environ.items() if not name.startswith(("OTEL_", "OTELKIT_"))}


def current_environment() -> dict[str, str]:
    """A copy of the process environment, for commands that start others."""
    return dict(os.environ)


def package_version() -> str:
    """otelkit's version; ``0+source`` where it runs from a folder and is not installed."""
    try:
        return importlib.metadata.version("otelkit")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


def data_directory() -> Path:
    """Where otelkit keeps what outlives a process: ``otelkit`` in the user's data directory (XDG)."""
    home = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(home) if home else Path.home() / ".local" / "share") / "otelkit"


def read_table(path: Path) -> Mapping[str, Any]:
    """Read a TOML or JSON file that a setting names.

    Raises:
        SettingsError: it cannot be read, or is neither.
    """
    try:
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # both parsers' errors say where
        raise SettingsError(f"{path} is no valid {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{path} must hold a table, not a {type(data).__name__}")
    return data


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read all options.

    Args:
        environ: variables to read; the process's own by default.
        overrides: values by field name that win over the environment; ``None`` means not given.

    Raises:
        SettingsError: a value is wrong, or an override names no option.
    """
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name, option in OPTIONS.items():
        variable = next((key for key in option.variables if source.get(key, "").strip()), None)
        if variable is not None:
            values[name] = _parsed(variable, option, source[variable])
    for name, value in overrides.items():
        if name not in OPTIONS:
            raise SettingsError(f"there is no option {name!r}; `otelkit settings` lists them")
        if value is not None:
            values[name] = _checked(name, OPTIONS[name], value)
    settings = Settings(**values)  # type: ignore[arg-type]
    return settings if settings.enable_telemetry else dataclasses.replace(settings, disabled=True)


_URL_CREDENTIALS: Final = re.compile(r"//[^/\s]*@")


def without_credentials(address: str) -> str:
    """An address as it may be shown: ``https://…@host`` for ``https://user:password@host``."""
    return _URL_CREDENTIALS.sub("//…@", address)


def _parsed(variable: str, option: Option, text: str, parse: Parser | None = None) -> object:
    try:
        return (parse or option.parse)(text)
    except ValueError as error:
        shape = f"{len(text)} characters" if option.secret else repr(without_credentials(text)[:80])
        raise SettingsError(f"{variable} is {shape}, but must be {error}") from None


def _checked(name: str, option: Option, value: object) -> object:
    """An override given in code: text and plain numbers are checked as the environment's are, other types are taken."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Path)):
        return value
    parse = option.parse.in_code() if isinstance(option.parse, _Number) else option.parse
    return _parsed(f"{name}=", option, str(value), parse)
