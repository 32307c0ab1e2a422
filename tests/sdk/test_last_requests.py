"""The last requests before a service is told to end: servers that end by the signal itself run no ``atexit``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from otelkit.testing.otlp_sink import Answer, OtlpSink
from tests.sdk import processes

UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]
GUNICORN = [sys.executable, "-m", "gunicorn", "service:app", "-b", "127.0.0.1:{port}", "-k"]


@pytest.mark.parametrize(
    "command",
    [UVICORN, [*UVICORN, "--workers", "2"], [*GUNICORN, "asgi"], [*GUNICORN, "uvicorn.workers.UvicornWorker"]],
    ids=["uvicorn", "uvicorn-workers", "gunicorn-asgi", "gunicorn-uvicorn"],
)
def test_arrive_although_the_service_is_terminated_at_once(command: list[str], tmp_path: Path) -> None:
    with OtlpSink() as sink:
        environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_FLUSH_SECONDS": "60"}
        with processes.service(command, tmp_path, environment) as shop:
            for number in range(5):
                assert shop.get(f"/orders/{number}")[0] == 200
        assert sum(span.name == "GET /orders/{number}" for span in sink.spans) == 5
        assert sum(span.name == "execute_tool find_order" for span in sink.spans) == 5


def test_do_not_hold_the_service_up_when_the_backend_is_away(tmp_path: Path) -> None:
    with OtlpSink() as sink:
        sink.script(then=Answer(503))
        with processes.service(UVICORN, tmp_path, {"OTELKIT_ENDPOINT": sink.address}) as shop:
            assert shop.get("/orders/1")[0] == 200
            started = time.monotonic()
            shop.process.terminate()
            shop.process.wait(20)
        assert time.monotonic() - started < 5
