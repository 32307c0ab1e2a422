"""``otelkit doctor`` against real endpoints: what works is said, and each way of breaking says what to change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from otelkit.cli.main import main
from otelkit.cli.processes import free_port
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.testing.quiet_server import QuietServer

SENDER, READER = "sender-token-012345678", "reader-token-012345678"


def doctor(*words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Run it as a user does, looking at nothing that happens to listen on this machine; status and report."""
    elsewhere = [f"--{name}=none" for name in ("prometheus", "loki", "traces") if not any(name in w for w in words)]
    command = [sys.executable, "-m", "otelkit.cli", "doctor", "--json", "--wait", "5", *elsewhere, *words]
    collector = [] if any("collector" in word for word in words) else ["--collector", f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run([*command, *collector], env={**os.environ, **environment}, capture_output=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def said(report: Mapping[str, Any], verdict: str) -> list[str]:
    return [
        f"{line['hop']}: {line['found']} {line['advice']}" for line in report["lines"] if line["verdict"] == verdict
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(ServerConfig(port=0, grpc_port=0)) as running:
        yield running


def test_every_record_is_followed_into_the_server(server: Server) -> None:
    status, report = doctor("--endpoint", server.url, OTEL_SERVICE_NAME="shop")
    assert (status, report["ok"]) == (0, True)
    ends = {line["found"] for line in report["lines"] if line["hop"] == "server" and line["verdict"] == "ok"}
    assert ends == {f"the {kind} arrived" for kind in ("trace", "metric", "log", "event")}
    assert all(line["seconds"] > 0 for line in report["lines"] if line["found"].endswith("arrived"))


def test_a_missing_service_name_is_a_warning(server: Server) -> None:
    status, report = doctor("--endpoint", server.url)
    assert status == 0
    assert any("no service.name" in line and "OTEL_SERVICE_NAME" in line for line in said(report, "warn"))


@pytest.mark.parametrize(
    ("protocol", "port", "advice"),
    [
        ("http/protobuf", "closed", "start `otelkit serve`"),
        ("grpc", "closed", "start `otelkit serve`"),
        ("http/protobuf", "grpc", "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ("grpc", "http", "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
    ],
)
def test_a_closed_port_and_the_wrong_protocol(server: Server, protocol: str, port: str, advice: str) -> None:
    ports = {"closed": free_port(), "grpc": server.grpc_port, "http": server.port}
    status, report = doctor("--endpoint", f"http://127.0.0.1:{ports[port]}", OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert status == 1
    (failure,) = said(report, "fail")
    assert failure.startswith("endpoint: ")
    assert advice in failure


def test_a_path_given_twice(server: Server) -> None:
    status, report = doctor("--endpoint", f"{server.url}/v1/traces")
    assert status == 1
    assert "the address without /v1/traces" in said(report, "fail")[0]


def test_a_server_that_wants_a_token() -> None:
    with Server(ServerConfig(port=0, grpc_port=None, tokens={"read": READER, "ingest": SENDER})) as guarded:
        status, report = doctor("--endpoint", guarded.url)
        assert status == 1
        assert "OTEL_EXPORTER_OTLP_HEADERS" in said(report, "fail")[0]
        sends = {"OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {SENDER}"}
        status, report = doctor("--endpoint", guarded.url, "--server", guarded.url, **sends)
        assert status == 1
        assert "OTELKIT_READ_TOKEN" in said(report, "fail")[0]
        sends = {"OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {SENDER}", "OTELKIT_READ_TOKEN": READER}
        status, report = doctor("--endpoint", guarded.url, **sends)
        assert status == 0, report
        assert SENDER not in json.dumps(report)
        assert READER not in json.dumps(report)


def test_telemetry_that_is_switched_off() -> None:
    status, report = doctor("--endpoint", "http://127.0.0.1:9", OTEL_SDK_DISABLED="true")
    assert status == 1
    assert "OTEL_SDK_DISABLED" in said(report, "fail")[0]


def test_a_named_backend_must_answer_and_an_unnamed_one_need_not(server: Server) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    status, report = doctor("--endpoint", server.url, "--prometheus", nowhere)
    assert status == 1
    assert any(line.startswith("prometheus: not looked at") and "--prometheus" in line for line in said(report, "fail"))


def test_a_trace_that_is_not_the_only_service_without_llm_calls(server: Server) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "plain"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{server.url}/v1/traces")))
    with provider.get_tracer("t").start_as_current_span("GET /", attributes={"http.request.method": "GET"}):
        pass
    _, report = doctor("--endpoint", server.url)
    assert any("no gen_ai attributes" in line for line in said(report, "warn"))


def test_a_backend_whose_clock_is_wrong(server: Server) -> None:
    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", formatdate(time.time() - 3600, usegmt=True))
            self.end_headers()
            self.wfile.write(b"ready")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with QuietServer(("127.0.0.1", 0), Late) as late:
        threading.Thread(target=late.serve_forever, daemon=True).start()
        _, report = doctor("--endpoint", server.url, "--loki", f"http://127.0.0.1:{late.server_port}", "--wait", "0.5")
        late.shutdown()
    assert any("3600 s behind" in line or "3599 s behind" in line for line in said(report, "warn"))


@pytest.mark.parametrize(
    "words", [["--wait", "soon"], ["--wait", "0"], ["--loki", "localhost:3100"], ["--server", "x"]]
)
def test_wrong_options_are_said_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", *words])
    assert stopped.value.code == 2
    assert words[1] in capsys.readouterr().err
