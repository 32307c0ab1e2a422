"""``init`` in real services: what arrives at an OTLP endpoint, and what must never happen to the service."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from otelkit.testing.otlp_sink import Answer, OtlpSink

from . import processes

UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as running:
        yield running


@pytest.fixture
def shop(sink: OtlpSink, tmp_path: Path) -> Iterator[processes.Service]:
    with processes.service(UVICORN, tmp_path, {"OTELKIT_ENDPOINT": sink.address}) as running:
        yield running


def test_one_line_gives_traces_metrics_logs_and_events(shop: processes.Service, sink: OtlpSink) -> None:
    status, _, headers = shop.get("/orders/7?token=hunter2", {"x-user": "u-17", "x-request-id": "req-1"})
    assert status == 200
    assert headers["x-request-id"] == "req-1"
    shop.get("/answer", {"x-user": "u-17"})
    shop.get("/flush")

    request = sink.span("GET /orders/{number}")
    tool = sink.span("execute_tool find_order")
    assert tool.trace_id == request.trace_id
    assert tool.parent_id == request.span_id
    assert request.resource.attributes["service.name"] == "shop"
    assert request.resource.attributes["otelkit.metrics"] == "sdk"
    assert request.attributes["otelkit.request.id"] == tool.attributes["otelkit.request.id"] == "req-1"
    assert len(str(request.attributes["user.id"])) == 32
    assert request.attributes["user.id"] == tool.attributes["user.id"] != "u-17"
    assert "hunter2" not in str(request)

    (line,) = [record for record in sink.logs if record.body == "looking for order 7"]
    assert line.trace_id == request.trace_id
    assert line.attributes["otelkit.request.id"] == "req-1"
    assert line.scope.name == "shop"
    assert line.severity_text == "INFO"

    llm = sink.span("chat gpt-4o-mini")
    assert llm.attributes["otelkit.cost.source"] == "genai-prices"
    assert llm.attributes["otelkit.cost.usd"] == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6)

    (event,) = [record for record in sink.logs if record.event_name == "feedback.given"]
    assert event.attributes["comment_length"] == 26
    assert "comment" not in event.attributes
    assert event.attributes["log.record.uid"]
    assert event.attributes["user.id"] == llm.attributes["user.id"]

    assert [
        (p.samples, p.attributes["http.route"])
        for p in sink.latest("http.server.request.duration")
        if p.attributes["http.route"] == "/answer"
    ] == [(1, "/answer")]
    tokens = {str(p.attributes["gen_ai.token.type"]): p.value for p in sink.latest("otelkit.llm.tokens")}
    assert tokens == {"input": 1000, "output": 100, "cache_read": 400}
    (pipeline,) = sink.latest("otelkit.rag.duration")
    assert pipeline.attributes == {"http.route": "/answer"}
    outcomes = {str(p.attributes["otelkit.outcome"]): p.value for p in sink.latest("otelkit.tool.calls")}
    assert outcomes == {"success": 1, "error": 0}
    assert all("user" not in str(key) for p in sink.points for key in p.attributes)


def test_errors_are_recorded_without_what_they_hold(shop: processes.Service, sink: OtlpSink) -> None:
    assert shop.get("/boom")[0] == 500
    assert shop.get("/refused")[0] == 403
    shop.get("/flush")
    boom, refused = sink.span("GET /boom"), sink.span("GET /refused")
    assert (boom.status, boom.attributes["error.type"]) == (2, "ValueError")
    assert refused.status == 0
    (record,) = [r for r in sink.logs if r.event_name == "http.server.request.exception"]
    assert "ValueError" in str(record.attributes["exception.stacktrace"])
    for request in sink.requests:
        assert b"jane@example.com" not in request.body
        assert b"sk-proj" not in request.body


def test_streaming_spans_end_with_the_stream_and_background_work_is_linked_to_it(
    shop: processes.Service, sink: OtlpSink
) -> None:
    shop.get("/stream")
    shop.get("/later")
    shop.get("/flush")
    assert sink.span("GET /stream").seconds >= 0.3
    later = sink.span("GET /later")
    job = next(span for span in sink.spans if span.name.startswith("run_job"))
    assert [(link.trace_id, link.span_id) for link in job.links] == [(later.trace_id, later.span_id)]
    assert sink.span("execute_tool find_order").trace_id == job.trace_id


def test_websockets_are_counted(shop: processes.Service, sink: OtlpSink) -> None:
    _websocket_hello(shop.address)
    shop.get("/flush")
    (disconnect,) = sink.latest("otelkit.websocket.disconnects")
    assert disconnect.value == 1
    assert disconnect.attributes == {"http.route": "/ws/{room}", "websocket.close.code": 4000}
    (now,) = sink.latest("otelkit.websocket.connections")
    assert now.value == 0


def test_addresses_of_websockets_are_in_no_record(sink: OtlpSink, tmp_path: Path) -> None:
    talking = [*UVICORN[:-1], "info"]
    with processes.service(talking, tmp_path, {"OTELKIT_ENDPOINT": sink.address}) as shop:
        _websocket_hello(shop.address)
        with pytest.raises(InvalidStatus), connect(f"{shop.address.replace('http://', 'ws://')}/nowhere?who=blue"):
            pass
        assert shop.waits_to_say("403")
        shop.get("/flush")
    bodies = [str(record.body) for record in sink.logs if record.scope.name == "uvicorn.error"]
    assert any("connection open" in body for body in bodies), "its other lines are taken"
    assert not any("WebSocket" in body or "blue" in body for body in bodies)


def test_messages_duration_and_the_clients_own_code(shop: processes.Service, sink: OtlpSink) -> None:
    address = shop.address.replace("http://", "ws://")
    with connect(f"{address}/echo") as connection:
        for text in ("one", "two", "three"):
            connection.send(text)
            connection.recv()
        connection.close(1001)
    for code in range(4000, 4060):
        with connect(f"{address}/echo") as connection:
            connection.close(code)
    assert shop.waits_for(lambda: shop.get("/flush")[0] == 200 and _disconnects(sink) == 61)
    messages = {
        point.attributes["websocket.message.direction"]: point.value
        for point in sink.latest("otelkit.websocket.messages")
    }
    assert messages == {"received": 3, "sent": 3}
    codes = {
        point.attributes["websocket.close.code"]: point.value for point in sink.latest("otelkit.websocket.disconnects")
    }
    assert codes[1001] == 1
    assert len(codes) == 51, "fifty, and one for all others: a client chooses its code"
    (duration,) = sink.latest("otelkit.websocket.duration")
    assert (duration.samples, duration.attributes) == (61, {"http.route": "/echo"})


def _disconnects(sink: OtlpSink) -> float:
    return sum(point.value or 0 for point in sink.latest("otelkit.websocket.disconnects"))


def _websocket_hello(address: str) -> None:
    """A handshake and one masked text frame by hand: no client library needed."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"GET /ws/blue HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in connection.recv(4096)
        connection.sendall(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
        data = b""
        while chunk := connection.recv(4096):
            data += chunk
            if b"\x88" in data:
                connection.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + (4000).to_bytes(2, "big"))
                break


@pytest.mark.parametrize("backend", ["closed", "silent", "refusing"])
def test_a_dead_backend_neither_slows_nor_breaks_the_service(tmp_path: Path, backend: str) -> None:
    with OtlpSink() as sink:
        address = "http://127.0.0.1:9" if backend == "closed" else sink.address
        sink.script(then=Answer(0) if backend == "refusing" else Answer(200, {}, 60.0))
        with processes.service(
            UVICORN, tmp_path, {"OTELKIT_ENDPOINT": address, "OTELKIT_SHUTDOWN_SECONDS": "1"}
        ) as shop:
            slowest = 0.0
            for i in range(100):
                started = time.monotonic()
                assert shop.get(f"/orders/{i}")[0] == 200
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 2.0
            started = time.monotonic()
            shop.process.terminate()
            shop.process.wait(20)
            assert time.monotonic() - started < 6.0


def test_everything_finished_is_delivered_at_exit(sink: OtlpSink) -> None:
    code = """
import otelkit
otelkit.init(service="job", instrument=False)
for i in range(5000):
    with otelkit.traced_job("nightly"):
        pass
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_FLUSH_SECONDS": "30"})
    assert done.returncode == 0, done.stderr
    assert len(sink.spans) == 5000
    (runs,) = sink.latest("otelkit.job.duration")
    assert runs.samples == 5000


def test_tokens_by_route_add_up_to_all_tokens_when_requests_go_on_at_exit(sink: OtlpSink) -> None:
    code = """
import otelkit
from opentelemetry import trace
otelkit.init(service="shop", instrument=False)
tracer = trace.get_tracer("shop")

def call():
    with otelkit.traced_llm("gpt-4o-mini", provider="openai") as step:
        step.record_usage(input_tokens=100, output_tokens=20)

def within(route):
    attributes = {"http.route": route} if route else {}
    span = tracer.start_span("request", kind=trace.SpanKind.SERVER, attributes=attributes)
    with trace.use_span(span, end_on_exit=False):
        call()
    return span

chat, socket, unknown = map(within, ("/chat", "/ws", None))
chat.end()
otelkit.flush()
with trace.use_span(chat, end_on_exit=False):
    call()  # a task of a request that has ended
call()
within("/ws")
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address})
    assert done.returncode == 0, done.stderr
    assert sum(point.value for point in sink.latest("otelkit.llm.tokens")) == 6 * 120
    routes: dict[object, float] = {}
    for point in sink.latest("otelkit.route.tokens"):
        route = point.attributes.get("http.route")
        routes[route] = routes.get(route, 0) + point.value
    assert routes == {"/chat": 240, "/ws": 240, None: 240}
    assert len(sink.latest("otelkit.route.cost")) == 3


def test_init_twice_and_default_endpoint_is_said_once() -> None:
    code = """
import logging, otelkit
logging.basicConfig(level=logging.INFO)
for _ in range(3):
    otelkit.init(service="x", instrument=False)
from opentelemetry import trace
assert len(trace.get_tracer_provider()._active_span_processor._span_processors) == 2
otelkit.shutdown(0.2)
otelkit.shutdown(0.2)
"""
    done = processes.python(code, {})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("telemetry goes to http://127.0.0.1:4318") == 1


def test_disabled_is_silent_and_sends_nothing(sink: OtlpSink) -> None:
    code = """
import otelkit
otelkit.init(service="x")
@otelkit.traced_tool
def tool(): return 1
assert tool() == 1
assert otelkit.track("feedback.given", rating=1) is False
assert otelkit.flush(1)
"""
    for variable in ("OTEL_SDK_DISABLED", "OTELKIT_DISABLED"):
        done = processes.python(code, {variable: "true", "OTELKIT_ENDPOINT": sink.address})
        assert (done.returncode, done.stderr) == (0, "")
    assert not sink.requests


def test_a_wrong_setting_stops_the_start_with_one_line() -> None:
    done = processes.python("import otelkit; otelkit.init()", {"OTELKIT_HEADERS": "my-secret-header"})
    assert done.returncode == 1
    assert "OTELKIT_HEADERS is 16 characters, but must be key=value pairs" in done.stderr
    assert "my-secret-header" not in done.stderr


def test_existing_providers_are_respected(sink: OtlpSink) -> None:
    code = """
from opentelemetry import trace, metrics
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
theirs, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider(); provider.add_span_processor(SimpleSpanProcessor(theirs))
trace.set_tracer_provider(provider); metrics.set_meter_provider(MeterProvider([reader]))
import otelkit
otelkit.init(service="x", instrument=False)
assert trace.get_tracer_provider() is provider
with otelkit.traced_tool("find"): pass
otelkit.counter("timers.started").add(3)
metrics.get_meter("lib").create_histogram("gen_ai.client.token.usage").record(5)
assert [span.name for span in theirs.get_finished_spans()] == ["execute_tool find"]
names = {m.name for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics}
assert names == {"timers.started", "gen_ai.client.token.usage"}, names
assert otelkit.flush()
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address})
    assert done.returncode == 0, done.stderr
    assert sink.span("execute_tool find")
    assert [p.value for p in sink.latest("timers.started")] == [3]
    assert not sink.latest("gen_ai.client.token.usage")  # what otelkit derives itself is not taken a second time


def test_sampling_thins_the_export_and_not_the_metrics(sink: OtlpSink) -> None:
    code = """
import otelkit
otelkit.init(service="x", instrument=False)
for _ in range(400):
    with otelkit.traced_tool("find"): pass
"""
    environment = {
        "OTELKIT_ENDPOINT": sink.address,
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    assert processes.python(code, environment).returncode == 0
    assert 40 < len(sink.spans) < 180
    (duration,) = sink.latest("gen_ai.execute_tool.duration")
    assert duration.samples == 400


def test_fork_gives_the_child_its_own_identity_and_counts(sink: OtlpSink) -> None:
    code = """
import os, otelkit
otelkit.init(service="x", instrument=False)
for _ in range(5):
    with otelkit.traced_tool("before"): pass
children = []
for n in range(2):
    pid = os.fork()
    if pid == 0:
        for _ in range(7):
            with otelkit.traced_tool("child"): pass
        os._exit(0 if otelkit.flush(5) else 1)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
assert otelkit.flush(5)
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_FLUSH_SECONDS": "30"})
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in sink.spans) == ["execute_tool before"] * 5 + ["execute_tool child"] * 14
    calls = {}
    for point in sink.points:
        if point.name == "otelkit.tool.calls" and point.attributes["otelkit.outcome"] == "success":
            key = (point.resource.attributes["service.instance.id"], point.attributes["gen_ai.tool.name"])
            calls[key] = point.value
    assert sorted((name, value) for (_, name), value in calls.items()) == [("before", 5), ("child", 7), ("child", 7)]
    assert len({instance for instance, _ in calls}) == 3


def test_prometheus_page_and_its_refusal_with_workers(sink: OtlpSink, tmp_path: Path) -> None:
    environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_PROMETHEUS": "true"}
    with processes.service(UVICORN, tmp_path, environment) as shop:
        shop.get("/answer")
        shop.get("/flush")
        status, text, headers = shop.get("/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain")
        assert "otelkit_llm_tokens_total{" in text
        assert "http_server_request_duration_seconds_bucket{" in text
        assert 'otelkit_telemetry_dropped_total{otelkit_drop_reason="queue_full",otelkit_signal="traces"} 0.0' in text
    done = processes.python(
        "import sys; sys.argv = ['uvicorn']; import service", {**environment, "WEB_CONCURRENCY": "4"}
    )
    assert done.returncode == 1
    workers = [*UVICORN, "--workers", "2"]
    with processes.service(workers, tmp_path, environment, ready="") as shop:
        assert shop.waits_to_say("let Prometheus scrape the OpenTelemetry Collector")


def test_json_lines_on_file_and_console(sink: OtlpSink, tmp_path: Path) -> None:
    log_file = tmp_path / "logs" / "app.jsonl"
    environment = {
        "OTELKIT_ENDPOINT": sink.address,
        "OTELKIT_LOG_FILE": str(log_file),
        "OTELKIT_LOG_FIELDS": "classic",
        "OTELKIT_CONSOLE_LOGS": "true",
    }
    with processes.service(UVICORN, tmp_path, environment) as shop:
        shop.get("/orders/5", {"x-request-id": "req-9", "x-user": "u-1"})
        shop.get("/boom")
        lines = [json.loads(line) for line in log_file.read_text().splitlines()]
        (line,) = [line for line in lines if line["message"] == "looking for order 5"]
        assert line["levelname"] == "INFO"
        assert line["name"] == "shop"
        assert line["request_id"] == "req-9"
        assert len(line["user_id"]) == 32
        assert len(line["trace_id"]) == 32
        assert '"looking for order 5"' in shop.output
        assert "jane@example.com" not in log_file.read_text()


def test_slow_requests_are_marked_and_counted(sink: OtlpSink, tmp_path: Path) -> None:
    environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_SLOW_REQUEST_SECONDS": "0.2"}
    with processes.service(UVICORN, tmp_path, environment) as shop:
        shop.get("/stream")
        shop.get("/orders/1")
        shop.get("/flush")
    assert sink.span("GET /stream").attributes["otelkit.slow"] is True
    assert "otelkit.slow" not in sink.span("GET /orders/{number}").attributes
    slow = {str(p.attributes["http.route"]): p.value for p in sink.latest("otelkit.http.slow_requests")}
    assert (slow["/stream"], slow["/orders/{number}"]) == (1, 0)


def test_prices_of_ones_own_and_free_providers(sink: OtlpSink, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[openai."acme-ft"]\ninput = 1.0\noutput = 2.0\n')
    code = """
import otelkit
otelkit.init(service="x", instrument=False)
for provider, model in (("openai", "acme-ft"), ("ollama", "llama3"), ("openai", "other-ft")):
    with otelkit.traced_llm(model, provider=provider):
        otelkit.record_usage(input_tokens=1_000_000, output_tokens=500_000)
"""
    environment = {"OTELKIT_PRICES": str(prices), "OTELKIT_FREE_PROVIDERS": "ollama", "OTELKIT_ENDPOINT": sink.address}
    assert processes.python(code, environment).returncode == 0
    assert sink.span("chat acme-ft").attributes["otelkit.cost.usd"] == 2.0
    assert sink.span("chat llama3").attributes["otelkit.cost.usd"] == 0.0
    assert "otelkit.cost.usd" not in sink.span("chat other-ft").attributes
    prices.write_text("[openai]\nx = ")
    done = processes.python(code, environment)
    assert done.returncode == 1
    assert "prices.toml is no valid TOML" in done.stderr


def test_variables_for_later_versions_are_said() -> None:
    done = processes.python(
        "import otelkit; otelkit.init(endpoint='http://127.0.0.1:9', instrument=False); otelkit.shutdown(0)",
        {"POSTHOG_API_KEY": "phc_secret"},
    )
    assert "POSTHOG_API_KEY is set" in done.stderr
    assert "phc_secret" not in done.stderr


def test_a_second_start_after_shutdown_exports_once(sink: OtlpSink) -> None:
    code = """
import otelkit
for n in range(3):
    otelkit.init(service="x", instrument=False)
    with otelkit.traced_tool(f"find{n}"): pass
    assert otelkit.shutdown()
    with otelkit.traced_tool("between"): pass
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address})
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in sink.spans) == [f"execute_tool find{n}" for n in range(3)]


def test_forked_multiprocessing_workers_deliver_what_they_finished(sink: OtlpSink) -> None:
    code = """
import multiprocessing, otelkit
otelkit.init(service="x", instrument=False)
def work(n):
    with otelkit.traced_job("work"): pass
context = multiprocessing.get_context("fork")
workers = [context.Process(target=work, args=(n,)) for n in range(4)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert not any(worker.exitcode for worker in workers)
"""
    done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_FLUSH_SECONDS": "30"})
    assert done.returncode == 0, done.stderr
    assert [span.name for span in sink.spans] == ["run_job work"] * 4


def test_spans_of_a_provider_that_was_there_say_who_derives_metrics(sink: OtlpSink) -> None:
    code = """
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(resource=Resource({"service.name": "theirs"})))
import otelkit
otelkit.init(instrument=False)
with otelkit.traced_tool("find"): pass
"""
    assert processes.python(code, {"OTELKIT_ENDPOINT": sink.address}).returncode == 0
    resource = sink.span("execute_tool find").resource.attributes
    assert (resource["service.name"], resource["otelkit.metrics"]) == ("theirs", "sdk")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTELKIT_EXCLUDED_URLS", "*", "OTELKIT_EXCLUDED_URLS is '*', but must be regular expressions"),
        ("OTELKIT_LOG_FILE", "/proc/none/app.jsonl", "/proc/none/app.jsonl cannot be written"),
        ("OTELKIT_SALT", "short", "OTELKIT_SALT is 5 characters, but must be at least 16 characters"),
    ],
)
def test_wrong_settings_stop_the_start_with_a_typed_error(variable: str, value: str, said: str) -> None:
    done = processes.python("import service", {variable: value})
    assert done.returncode == 1
    assert "otelkit.errors.SettingsError" in done.stderr
    assert said in done.stderr


def test_an_app_found_by_itself_says_a_wrong_setting_and_runs(tmp_path: Path, sink: OtlpSink) -> None:
    environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_PROMETHEUS": "true", "WEB_CONCURRENCY": "3"}
    code = "import otelkit; otelkit.init()\nfrom service import app"
    done = processes.python(code, {**environment, "SERVICE_INIT": "no", "OTELKIT_SERVICE": "uvicorn"})
    assert done.returncode == 0, done.stderr
    assert "internal error" not in done.stderr


def test_processors_alone_count_every_span_of_many_threads() -> None:
    code = """
import sys, threading
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from otelkit.sdk.guard import guard
from otelkit.sdk.processors import TokenProcessor
reader = InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(TokenProcessor(meter_provider=MeterProvider([reader])))
tracer = provider.get_tracer("x")
sys.setswitchinterval(1e-5)
def work():
    for n in range(500):
        tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}).end()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
data = reader.get_metrics_data()
calls = sum(p.value for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics
            if m.name == "otelkit.llm.calls" for p in m.data.data_points)
assert (calls, guard.swallowed) == (4000, 0), (calls, guard.swallowed)
"""
    done = processes.python(code, {})
    assert done.returncode == 0, done.stderr
