"""A gateway keeps whole traces that failed, were slow or expensive, however late their spans come, and few others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from otelkit.model import Span
from otelkit.semconv.metrics import Metrics
from tests.stack.collector_support import Client, Rig, rig
from tests.stack.running import Prometheus, until

pytestmark = pytest.mark.stack

TOKEN = "of-the-gateway"
# The committed waits of 4 minutes and 10 seconds, sixty times as fast.
WAITS = ("tls=false", "decision_wait=4s", "root_wait=500ms", "slow=5s", "keep=0")
SECOND = 10**9


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    home = tmp_path_factory.mktemp("sampling")
    with rig(home, "gateway.yaml", *WAITS, TOKEN=TOKEN, HOST="127.0.0.1") as made:
        yield made


@pytest.fixture
def tracer(running: Rig) -> Tracer:
    return Client(running.collector.url, {"authorization": f"Bearer {TOKEN}"}).tracer


def request(tracer: Tracer, *, seconds: float = 0.2, failed: bool = False, **call: float) -> str:
    """A request of one model call, all spans at once; its trace's id."""
    start = time.time_ns() - int(seconds * SECOND)
    root = tracer.start_span("POST /chat", kind=SpanKind.SERVER, start_time=start)
    child = tracer.start_span("chat m", trace.set_span_in_context(root), start_time=start)
    child.set_attribute("gen_ai.operation.name", "chat")
    child.set_attributes({name.replace("__", "."): value for name, value in call.items()})
    if failed:
        child.set_status(Status(StatusCode.ERROR))
    child.end(start + SECOND // 10)
    root.end(start + int(seconds * SECOND))
    return f"{root.get_span_context().trace_id:032x}"


def kept(running: Rig, trace_id: str) -> list[Span]:
    return [span for span in running.traces.spans if span.trace_id.hex() == trace_id]


def test_failed_slow_and_expensive_traces_are_kept_whole_and_the_others_are_not(running: Rig, tracer: Tracer) -> None:
    wanted = [
        request(tracer, failed=True),
        request(tracer, seconds=6),
        request(tracer, otelkit__cost__usd=0.06),
        request(tracer, gen_ai__usage__output_tokens=5000),
    ]
    others = [
        request(tracer),
        request(tracer, otelkit__cost__usd=0.01),
        request(tracer, otelkit__cost__usd=0.0, gen_ai__usage__output_tokens=5000),  # known to cost nothing
        request(tracer, gen_ai__usage__output_tokens=50),
    ]
    for trace_id in wanted:
        until(lambda trace_id=trace_id: len(kept(running, trace_id)) == 2, 15, "both its spans are kept")  # type: ignore[misc]
    running.never(lambda: [span for trace_id in others for span in kept(running, trace_id)], 5)
    everything = {span.trace_id.hex() for span in running.server.spans}
    assert everything >= {*wanted, *others}, "what the server gets is not sampled"


def test_a_long_agent_run_is_kept_whole_though_it_fails_at_its_end(running: Rig, tracer: Tracer) -> None:
    root = tracer.start_span("invoke_agent planner")  # three minutes, in three seconds
    within = trace.set_span_in_context(root)
    for number in range(3):
        tracer.start_span(f"step {number}", within).end()
        time.sleep(1)
    trace_id = f"{root.get_span_context().trace_id:032x}"
    assert kept(running, trace_id) == []
    root.set_status(Status(StatusCode.ERROR))
    root.end()
    until(lambda: len(kept(running, trace_id)) == 4, 15, "the steps and the run are kept")
    tracer.start_span("a late step", within).end()
    until(lambda: len(kept(running, trace_id)) == 5, 15, "what comes after the decision follows it")


def test_what_comes_late_to_a_trace_that_was_not_kept_is_not_kept_either(running: Rig, tracer: Tracer) -> None:
    root = tracer.start_span("GET /")
    root.end()
    trace_id = f"{root.get_span_context().trace_id:032x}"
    time.sleep(2.5)
    late = tracer.start_span("late", trace.set_span_in_context(root))
    late.set_status(Status(StatusCode.ERROR))
    late.end()
    running.never(lambda: kept(running, trace_id), 2)


def test_traces_that_wait_for_a_decision_are_decided_when_the_gateway_is_stopped(tmp_path: Path) -> None:
    words = ("tls=false", "decision_wait=4m", "root_wait=1m")
    with rig(tmp_path, "gateway.yaml", *words, TOKEN=TOKEN, HOST="127.0.0.1") as running:
        tracer = Client(running.collector.url, {"authorization": f"Bearer {TOKEN}"}).tracer
        trace_id = request(tracer, failed=True)
        until(lambda: running.server.spans, 15, "it has arrived")
        running.collector.stop()
        running.collector.start()
        until(lambda: len(kept(running, trace_id)) == 2, 20, "it is kept")


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    made = Prometheus(tmp_path / "prometheus", {})
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_agent_and_gateway_together_bring_everything_on(tmp_path: Path, prometheus: Prometheus) -> None:
    """The committed agent before a gateway: spans, events and derived metrics come through."""
    words = ("tls=false", "keep=100", "root_wait=200ms")
    written = {"REMOTE_WRITE": f"{prometheus.url}/api/v1/write", "NAME": "gateway-7"}
    with rig(tmp_path / "gateway", "gateway.yaml", *words, TOKEN=TOKEN, HOST="127.0.0.1", **written) as gateway:
        told = {"GATEWAY": gateway.collector.url, "TOKEN": TOKEN}
        with rig(tmp_path / "agent", "agent.yaml", **told) as agent:
            client = agent.client()
            trace_id = request(client.tracer)
            client.logger.emit(timestamp=time.time_ns(), body="mail to jane@example.com", event_name="test.event")
            until(lambda: len(kept(gateway, trace_id)) == 2, 15, "the trace is kept")
            until(lambda: gateway.loki.logs and gateway.server.logs, 15, "the event is there")
            assert gateway.loki.logs[0].body == "mail to ****"
            assert gateway.loki.logs[0].attributes["event_name"] == "test.event"
            assert kept(gateway, trace_id)[0].resource.attributes["host.name"]
            until(lambda: [span for span in gateway.server.spans if span.name == "chat m"], 15, "the AI span is there")
            asked = f'{Metrics.LLM_CALLS.prometheus_name}{{collector="gateway-7",service_name="plain"}}'
            until(lambda: prometheus.total(asked) == 1, 30, "the call is counted in Prometheus")
