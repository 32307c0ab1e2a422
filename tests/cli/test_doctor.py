"""``otelkit doctor`` against real endpoints: what works is said, and each way of breaking says what to change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
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
    shown = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    assert all(line["found"] in shown for line in report["lines"] if line["hop"] in ("settings", "sdk"))
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


class Answers(BaseHTTPRequestHandler):
    """Says what a backend with something wrong about it says; remembers what it was asked with."""

    seconds_behind = 0.0
    redirect = ""
    dripping = False

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))  # type: ignore[attr-defined]
        body = (
            b"" if self.redirect else b'{"version": "3", "status": "success", "received": {}, "data": {"result": []}}'
        )
        self.send_response_only(302 if self.redirect else 200)
        if self.redirect:
            self.send_header("Location", self.redirect)
        self.send_header("Date", formatdate(time.time() - self.seconds_behind, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for piece in (bytes([byte]) for byte in body) if self.dripping else (body,):
            self.wfile.write(piece)
            time.sleep(1.0 if self.dripping else 0.0)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(**how: Any) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run such a backend; yields its host and port, and the headers of every question."""
    with QuietServer(("127.0.0.1", 0), type("Configured", (Answers,), how)) as running:
        running.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{running.server_port}", running.asked  # type: ignore[attr-defined]
        running.shutdown()


def test_a_backend_whose_clock_is_wrong(server: Server) -> None:
    with answering(seconds_behind=3600) as (late, _):
        _, report = doctor("--endpoint", server.url, "--loki", f"http://{late}", "--wait", "0.5")
    assert any("3600 s behind" in line or "3599 s behind" in line for line in said(report, "warn"))


def test_a_backend_that_drips_does_not_hold_the_doctor_up(server: Server) -> None:
    with answering(dripping=True) as (slow, _):
        started = time.monotonic()
        status, report = doctor("--endpoint", server.url, "--loki", f"http://{slow}", "--wait", "2")
    assert status == 1
    assert time.monotonic() - started < 40
    assert any(line.startswith("loki: not looked at") for line in said(report, "fail"))


def test_no_password_is_shown_and_it_is_sent_as_basic_authentication(server: Server) -> None:
    with answering() as (backend, asked):
        address = f"http://bob:hunter2@{backend}"
        _, report = doctor("--endpoint", server.url, "--prometheus", address, "--wait", "0.5")
    assert {headers.get("Authorization") for headers in asked} == {"Basic Ym9iOmh1bnRlcjI="}
    nowhere = f"http://bob:hunter2@127.0.0.1:{free_port()}"
    assert "hunter2" not in json.dumps([report, doctor("--endpoint", nowhere)])
    assert "hunter2" not in json.dumps(doctor("--endpoint", server.url, "--server", nowhere))


@pytest.mark.parametrize("address", ["http://bob:hunter2@h:x", "bob:hunter2@h", "http://bob:hunter2@"])
def test_no_password_is_shown_of_what_is_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--loki", address])
    assert "hunter2" not in capsys.readouterr().err


def test_the_servers_token_goes_to_nobody_else(server: Server) -> None:
    tokens = {"OTELKIT_TOKEN": "admin-token-0123456789", "OTELKIT_READ_TOKEN": READER}
    words = ["--endpoint", server.url, "--wait", "0.5"]
    with answering() as (elsewhere, asked):
        doctor(*words, "--server", f"http://{elsewhere}", **tokens)
        assert {headers.get("Authorization") for headers in asked} == {f"Bearer {READER}"}, "the lesser one will do"
        asked.clear()
        with answering(redirect=f"http://{elsewhere}/") as (first, _):
            doctor(*words, "--server", f"http://{first}", **tokens)
        assert asked == [], "a redirect is not followed"
        doctor(*words, "--prometheus", f"http://{elsewhere}", **tokens)
        assert {headers.get("Authorization") for headers in asked} == {None}


def test_what_is_kept_in_the_process_is_said_and_not_waited_for(server: Server) -> None:
    off = {f"OTEL_{kind}_EXPORTER": "none" for kind in ("TRACES", "METRICS", "LOGS")}
    status, report = doctor("--endpoint", server.url, **off)
    assert status == 1
    assert "no signal is sent" in said(report, "fail")[0]
    status, report = doctor("--endpoint", server.url, OTEL_METRICS_EXPORTER="none", OTELKIT_LOG_LEVEL="WARNING")
    assert status == 0, report
    assert any("the log, the metric" in line for line in said(report, "warn"))
    ends = {line["found"] for line in report["lines"] if line["hop"] == "server" and line["verdict"] == "ok"}
    assert ends == {"the trace arrived", "the event arrived"}


def test_grpc_and_an_address_for_each_signal(server: Server) -> None:
    grpc = f"http://127.0.0.1:{server.grpc_port}"
    status, report = doctor("--endpoint", grpc, "--server", server.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert status == 0, report
    assert doctor("--endpoint", grpc, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")[1]["lines"]
    each = {
        f"OTEL_EXPORTER_OTLP_{name.upper()}_ENDPOINT": f"{server.url}/v1/{name}"
        for name in ("traces", "metrics", "logs")
    }
    status, report = doctor(**each)
    assert status == 0, report
    assert sum(line["hop"] == "server" and line["found"].endswith("arrived") for line in report["lines"]) == 4


def test_something_else_that_listens_is_not_taken_for_a_backend(server: Server) -> None:
    status, report = doctor("--endpoint", server.url, "--prometheus", server.url, "--wait", "0.5")
    assert status == 1
    assert any("is not Prometheus" in line for line in said(report, "fail"))
    with answering() as (elsewhere, _):
        status, report = doctor("--endpoint", server.url, "--collector", f"http://{elsewhere}")
    assert status == 0, report
    assert doctor("--endpoint", server.url, "--collector", "none")[0] == 0


def test_nothing_followed_is_a_warning(server: Server) -> None:
    status, report = doctor("--endpoint", server.url, "--server", "none")
    assert status == 0
    assert any("no backend was found" in line for line in said(report, "warn"))


def test_the_log_file_of_the_service_is_left_alone(server: Server, tmp_path: Path) -> None:
    doctor("--endpoint", server.url, OTELKIT_LOG_FILE=str(tmp_path / "app.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_prints_what_was_found(server: Server) -> None:
    command = [sys.executable, "-m", "otelkit.cli", "doctor", "--json", "--endpoint", server.url, "--wait", "60"]
    with answering() as (backend, asked):
        running = subprocess.Popen([*command, "--loki", f"http://{backend}"], stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 30
        while len(asked) < 5 and time.monotonic() < end:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    report = json.loads(out)
    assert not report["ok"]
    assert any(line["hop"] == "endpoint" for line in report["lines"])


@pytest.mark.parametrize(
    "words", [["--wait", "soon"], ["--wait", "0"], ["--loki", "localhost:3100"], ["--server", "x"]]
)
def test_wrong_options_are_said_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", *words])
    assert stopped.value.code == 2
    assert words[1] in capsys.readouterr().err
