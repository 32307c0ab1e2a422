"""FastAPI before its native telemetry (0.142): the contrib instrumentation carries the same, and never both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from otelkit.testing.otlp_sink import OtlpSink
from tests.clients.environments import ROOT, Unavailable, interpreter
from tests.sdk import processes

pytestmark = pytest.mark.clients


@pytest.fixture(params=["init", "run"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[processes.Service, OtlpSink]]:
    try:
        python = str(interpreter("fastapi"))
    except Unavailable as error:
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(f"no environment with an older FastAPI: {error}")
        pytest.skip(f"no environment with an older FastAPI: {error}")
    uvicorn = [python, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]
    command = uvicorn if request.param == "init" else [python, "-m", "otelkit.cli", "run", "--", *uvicorn]
    with OtlpSink() as sink:
        environment = {
            "OTELKIT_ENDPOINT": sink.address,
            "PYTHONPATH": str(ROOT),
            "SERVICE_INIT": "yes" if request.param == "init" else "no",
        }
        with processes.service(command, tmp_path, environment) as running:
            yield running, sink


def test_requests_metrics_ids_and_streams(shop: tuple[processes.Service, OtlpSink]) -> None:
    service, sink = shop
    assert service.get("/orders/7?token=hunter2", {"x-request-id": "req-1"})[2]["x-request-id"] == "req-1"
    service.get("/stream")
    service.get("/boom")
    service.get("/flush")
    request = sink.span("GET /orders/{number}")
    assert request.scope.name == "opentelemetry.instrumentation.fastapi"
    assert request.attributes["otelkit.request.id"] == "req-1"
    assert sink.span("execute_tool find_order").trace_id == request.trace_id
    assert sink.span("GET /stream").seconds >= 0.3
    assert sink.span("GET /boom").status == 2
    assert not [span for span in sink.spans if span.name.endswith(("http send", "http receive"))]
    routes = {str(point.attributes.get("http.route")) for point in sink.latest("http.server.request.duration")}
    routes |= {str(point.attributes.get("http.target")) for point in sink.latest("http.server.duration")}
    assert "/orders/{number}" in routes
    for sent in sink.requests:
        assert b"hunter2" not in sent.body
        assert b"jane@example.com" not in sent.body
