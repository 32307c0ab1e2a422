"""Settings: who wins, what a wrong value says, and what is never printed."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otelkit.cli.main import main
from otelkit.cli.settings import as_variable, env_example
from otelkit.errors import OtelkitError, SettingsError
from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.export.transport import HttpTransport
from otelkit.sdk.routes import address_of
from otelkit.settings import OPTIONS, Settings, load, read_table
from otelkit.settings.budgets import Budget
from otelkit.testing.otlp_sink import OtlpSink

SECRET = "hunter2-and-more"

SAMPLES: dict[str, tuple[str, Any]] = {
    "service": ("shop", "shop"),
    "environment": ("production", "production"),
    "version": ("1.2.3", "1.2.3"),
    "resource_attributes": ("team=search,region=eu%20west", {"team": "search", "region": "eu west"}),
    "disabled": ("yes", True),
    "enable_telemetry": ("on", True),
    "endpoint": ("https://collector:4318/", "https://collector:4318"),
    "traces_endpoint": ("http://t:1/v1/traces", "http://t:1/v1/traces"),
    "metrics_endpoint": ("http://m:1/v1/metrics", "http://m:1/v1/metrics"),
    "logs_endpoint": ("http://l:1/v1/logs", "http://l:1/v1/logs"),
    "protocol": ("GRPC", "grpc"),
    "headers": ("authorization=Bearer%20abc", {"authorization": "Bearer abc"}),
    "compression": ("gzip", "gzip"),
    "export_timeout": ("2.5", 2.5),
    "certificate": ("/etc/ca.pem", Path("/etc/ca.pem")),
    "flush_interval": ("0.2", 0.2),
    "metric_interval": ("5000", 5.0),
    "queue_size": ("1024", 1024),
    "send_buffer_bytes": ("1000000", 1_000_000),
    "shutdown_timeout": ("0", 0.0),
    "audit": ("off", False),
    "audit_endpoint": ("http://audit:4318/", "http://audit:4318"),
    "audit_timeout": ("2.5", 2.5),
    "security_burst": ("25", 25),
    "sampler": ("traceidratio", "traceidratio"),
    "sampler_ratio": ("0.1", 0.1),
    "traces_exporter": ("none", "none"),
    "disabled_instrumentations": ("redis, httpx", ("redis", "httpx")),
    "fastapi_operation_spans": ("true", True),
    "excluded_urls": ("^/ready$", ("^/ready$",)),
    "slow_request_seconds": ("0.5", 0.5),
    "slow_query_seconds": ("0.25", 0.25),
    "repeated_queries": ("25", 25),
    "request_id_header": ("x-correlation-id", "x-correlation-id"),
    "metrics_exporter": ("none", "none"),
    "temporality": ("cumulative", "cumulative"),
    "prometheus": ("1", True),
    "prometheus_path": ("/prom", "/prom"),
    "queue_seconds": ("0", 0.0),
    "system_metrics": ("off", "off"),
    "metric_sampling": ("GET /health=0.1, POST /chat=0.5", {"GET /health": 0.1, "POST /chat": 0.5}),
    "budgets": ("POST /chat: p95=2s", (Budget("POST /chat", (("p95", 2.0),)),)),
    "metric_profile": ("both", "both"),
    "metric_aliases": ("process.uptime=app_uptime", {"process.uptime": "app_uptime"}),
    "logs_exporter": ("none", "none"),
    "log_level": ("WARNING", "warning"),
    "console_logs": ("true", True),
    "log_file": ("logs/app.jsonl", Path("logs/app.jsonl")),
    "log_file_bytes": ("2048", 2048),
    "log_file_backups": ("0", 0),
    "log_fields": ("classic", "classic"),
    "capture_content": ("SPAN_ONLY", True),
    "identify_users": ("never", "never"),
    "salt": ("a salt of sixteen", "a salt of sixteen"),
    "salt_file": ("/var/lib/salt", Path("/var/lib/salt")),
    "policy_version": ("2026-11", "2026-11"),
    "prices": ("prices.toml", Path("prices.toml")),
    "free_providers": ("ollama,vllm", ("ollama", "vllm")),
    "sentry_dsn": ("https://key@sentry/1", "https://key@sentry/1"),
    "sentry_traces_rate": ("0.2", 0.2),
    "posthog_key": ("phc_key", "phc_key"),
    "posthog_host": ("https://eu.example.com/", "https://eu.example.com"),
    "host": ("localhost", "localhost"),
    "port": ("0", 0),
    "grpc_port": ("14317", 14317),
    "token": ("a token of the operator's", "a token of the operator's"),
    "read_token": ("a token that may look", "a token that may look"),
    "ingest_token": ("a token that may send", "a token that may send"),
    "tls_certificate": ("/etc/tls/cert.pem", Path("/etc/tls/cert.pem")),
    "tls_key": ("/etc/tls/key.pem", Path("/etc/tls/key.pem")),
    "database": ("./t.db", Path("t.db")),
    "database_url": ("postgresql://u:p@db:5432/telemetry", "postgresql://u:p@db:5432/telemetry"),
    "keep": ("12h", 12 * 3600),
    "audit_keep": ("400d", 400 * 86_400),
    "max_size": ("10 GB", 10 * 10**9),
    "alertmanager_url": ("https://alerts.example/am/", "https://alerts.example/am"),
    "alertmanager_token": ("0123456789abcdef", "0123456789abcdef"),
}
"""Each option as its variable is written, and the value it becomes."""

EVERY_VARIABLE = [(name, variable) for name, option in OPTIONS.items() for variable in option.variables]


def test_there_is_a_sample_of_every_option() -> None:
    assert list(SAMPLES) == list(OPTIONS)


@pytest.mark.parametrize(("name", "variable"), EVERY_VARIABLE)
def test_every_variable_sets_its_option_and_nothing_else(name: str, variable: str) -> None:
    text, value = SAMPLES[name]
    assert load({variable: text}) == dataclasses.replace(Settings(), **{name: value})


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if len(option.variables) > 1])
def test_of_several_variables_the_first_that_is_set_wins(name: str) -> None:
    option = OPTIONS[name]
    text, value = SAMPLES[name]
    other = as_variable(option, getattr(Settings(), name)) or "http://127.0.0.1:1"
    variables = dict.fromkeys(option.variables[1:], other if not option.secret else "x=y of sixteen characters")
    assert getattr(load({**variables, option.variables[0]: text}), name) == value
    assert getattr(load({**variables, option.variables[0]: "  "}), name) != value, "blank is unset"


def test_the_order_is_argument_ours_opentelemetrys_alias_default() -> None:
    environ = {"LOG_LEVEL": "debug", "OTELKIT_LOG_LEVEL": "error"}
    assert load({}).log_level == "info"
    assert load({"LOG_LEVEL": "debug"}).log_level == "debug"
    assert load(environ).log_level == "error"
    assert load(environ, log_level="critical").log_level == "critical"
    assert load(environ, log_level=None).log_level == "error"
    names = {"OTEL_SERVICE_NAME": "theirs"}
    assert load(names).service == "theirs"
    assert load({**names, "OTELKIT_SERVICE": "ours"}).service == "ours"
    for option in OPTIONS.values():  # ours before OpenTelemetry's before what other tools know
        rank = [0 if v.startswith("OTELKIT_") else 1 if v.startswith("OTEL_") else 2 for v in option.variables]
        assert rank == sorted(rank), option.variables


@pytest.mark.parametrize(
    ("variable", "wrong", "allowed"),
    [
        ("OTELKIT_DISABLED", "maybe", "true or false"),
        ("OTELKIT_ENDPOINT", "collector:4318", "http:// or https:// and a host"),
        ("OTELKIT_ENDPOINT", "http://", "http:// or https:// and a host"),
        ("OTELKIT_ENDPOINT", "http://host:99999", "an address such as"),
        ("OTELKIT_ENDPOINT", "http://[::1", "an address such as"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "one of http/protobuf, grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization", "key=value pairs"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x", "key=value pairs"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a number from 0.05 to 600"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", "a number from 0.05 to 600"),
        ("OTELKIT_SLOW_REQUEST_SECONDS", "inf", "a number from 0.001 up"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15", "a number from 100 to 3600000"),
        ("OTELKIT_QUEUE_SECONDS", "0.0001", "a number from 1 to 3600, or 0"),
        ("OTELKIT_QUEUE_SIZE", "1e3", "a whole number from 64"),
        ("OTELKIT_PORT", "70000", "a whole number from 0 to 65535"),
        ("OTELKIT_PORT", "-1", "a whole number from 0 to 65535"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "one of always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "a number from 0 to 1"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SOME", "NO_CONTENT, SPAN_ONLY"),
        ("OTELKIT_LOG_FILE", "a\0b", "a file path"),
        ("LOG_LEVEL", "loud", "one of debug, info"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_is_allowed(variable: str, wrong: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load({variable: wrong})
    message = str(raised.value)
    assert message.startswith(f"{variable} is ")
    assert allowed in message
    assert isinstance(raised.value, OtelkitError)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("endpoint", "nowhere"),
        ("port", "x"),
        ("queue_size", 1),
        ("log_level", "loud"),
        ("metric_interval", "soon"),
        ("metric_interval", -1),
        ("metric_interval", math.nan),
        ("slow_request_seconds", 0),
    ],
)
def test_a_wrong_argument_is_refused_as_well(name: str, wrong: Any) -> None:
    with pytest.raises(SettingsError, match=f"^{name}= is "):
        load({}, **{name: wrong})


def test_arguments_are_in_the_units_of_the_field() -> None:
    assert load({}, metric_interval=0.5).metric_interval == 0.5
    assert load({"OTEL_METRIC_EXPORT_INTERVAL": "500"}).metric_interval == 0.5
    assert load({}, log_file="logs/app.jsonl").log_file == Path("logs/app.jsonl")
    assert load({}, headers={"a": "b"}).headers == {"a": "b"}


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(SettingsError, match="no option 'servcie'"):
        load({}, servcie="shop")


# --- secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["OTELKIT_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"])
def test_a_wrong_secret_is_not_repeated(variable: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load({variable: SECRET})
    assert SECRET not in str(raised.value)
    assert f"{len(SECRET)} characters" in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "ftp://ada:{}@host/x",
        "ftp://ada:a@{}@host",
        f"http://{'a' * 90}{{}}@host:port",
        "http://ada:{}@host:port",
        "grpc://{}@host",
    ],
)
def test_credentials_in_a_wrong_address_are_not_repeated(wrong: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load({"OTEL_EXPORTER_OTLP_ENDPOINT": wrong.format(SECRET)})
    assert SECRET not in str(raised.value)


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTELKIT_HEADERS", f"authorization={SECRET}")
    monkeypatch.setenv("TELE_SALT", SECRET)
    monkeypatch.setenv("OTELKIT_ENDPOINT", f"https://ada:{SECRET}@collector:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"https://{SECRET}@collector:4318/v1/traces")
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert SECRET not in printed
    assert "OTELKIT_HEADERS = set" in printed
    assert "OTELKIT_SALT = set" in printed
    assert "https://…@collector:4318" in printed
    assert SECRET not in repr(load())
    assert SECRET in address_of(load(), Signal.TRACES), "what is sent is untouched"


def test_what_the_log_says_of_an_address_holds_no_credentials() -> None:
    with OtlpSink() as sink:
        address = sink.address.replace("://", f"://ada:{SECRET}@")
        transport = HttpTransport(f"{address}/v1/traces", {})
        assert transport.send(b"", timeout=5).verdict == "accepted"
        transport.close()
    assert transport.address == f"{sink.address.replace('://', '://…@')}/v1/traces"
    assert [request.path for request in sink.requests] == ["/v1/traces"]


def test_a_wrong_setting_ends_a_command_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTELKIT_PORT", "many")
    assert main(["settings"]) == 2
    assert capsys.readouterr().err == (
        "otelkit settings: OTELKIT_PORT is 'many', but must be a whole number from 0 to 65535\n"
    )


# --- aliases -------------------------------------------------------------------------------------------------


def test_enable_telemetry_false_switches_everything_off() -> None:
    assert load({"ENABLE_TELEMETRY": "false"}).disabled is True
    assert load({"ENABLE_TELEMETRY": "false", "OTELKIT_DISABLED": "false"}).disabled is True
    assert load({"ENABLE_TELEMETRY": "true"}).disabled is False
    assert load({"ENABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true"}).disabled is True


def test_names_of_other_tools_are_understood() -> None:
    settings = load({"TELE_SALT": "a salt of sixteen", "APP_VERSION": "2.0", "LOG_LEVEL": "DEBUG"})
    assert (settings.salt, settings.version, settings.log_level) == ("a salt of sixteen", "2.0", "debug")


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("NO_CONTENT", False),
        ("SPAN_ONLY", True),
        ("EVENT_ONLY", False),
        ("span_and_event", True),
        ("true", True),
        ("false", False),
    ],
)
def test_opentelemetrys_words_for_content(word: str, kept: bool) -> None:
    assert load({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": word}).capture_content is kept


# --- env.example and tables ----------------------------------------------------------------------------------


def test_env_example_with_every_comment_taken_off_says_the_defaults() -> None:
    lines = [line.removeprefix("# ") for line in env_example().splitlines()]
    environ = dict(line.split("=", 1) for line in lines if line.split("=", 1)[0].isupper() and "=" in line)
    assert list(environ) == [option.variables[0] for option in OPTIONS.values()]
    assert load(environ) == Settings()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_value_is_printed_as_its_variable_is_written(name: str) -> None:
    option = OPTIONS[name]
    value = getattr(load({option.variables[0]: SAMPLES[name][0]}), name)
    if not option.secret:
        assert getattr(load({option.variables[0]: as_variable(option, value)}), name) == value


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load({}).service = "other"  # type: ignore[misc]


def test_tables_are_read_or_refused_by_name(tmp_path: Path) -> None:
    (good := tmp_path / "prices.toml").write_text('[openai."gpt-4o"]\ninput = 1.0\n')
    assert read_table(good) == {"openai": {"gpt-4o": {"input": 1.0}}}
    (same := tmp_path / "prices.json").write_text('{"openai": {}}')
    assert read_table(same) == {"openai": {}}
    for name, text, said in (
        ("a.toml", "x = ", "no valid TOML"),
        ("b.json", "{", "no valid JSON"),
        ("c.json", "[]", "a table"),
    ):
        (path := tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=said):
            read_table(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_table(tmp_path / "none.toml")


def test_a_reader_who_has_read_enough_ends_a_command_quietly() -> None:
    command = [sys.executable, "-m", "otelkit.cli", "settings"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""
