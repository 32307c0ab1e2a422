"""``otelkit run -- CMD``: services without a line of otelkit in them, under each way people start them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk import processes

RUN = [sys.executable, "-m", "otelkit.cli", "run", "--service", "shop", "--"]
UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]
GUNICORN = [sys.executable, "-m", "gunicorn", "service:app", "-k", "asgi", "-b", "127.0.0.1:{port}"]
PLAIN = [sys.executable, "-c", "import sys, uvicorn; uvicorn.run('service:app', port=int(sys.argv[1]))", "{port}"]


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as running:
        yield running


@pytest.mark.parametrize(
    ("command", "workers"),
    [
        (UVICORN, 1),
        ([*UVICORN, "--workers", "2"], 2),
        ([*UVICORN, "--reload"], 1),
        ([*GUNICORN, "--workers", "2"], 2),
        ([*GUNICORN, "--workers", "2", "--preload"], 2),
        (PLAIN, 1),
    ],
    ids=["uvicorn", "uvicorn-workers", "uvicorn-reload", "gunicorn", "gunicorn-preload", "python"],
)
def test_every_way_to_start(sink: OtlpSink, tmp_path: Path, command: list[str], workers: int) -> None:
    environment = {
        "OTELKIT_ENDPOINT": sink.address,
        "SERVICE_INIT": "no",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }
    with processes.service([*RUN, *command], tmp_path, environment) as shop:
        pids: set[str] = set()
        assert shop.waits_for(lambda: len(pids) == workers or pids.update(_pids(shop)) is not None)
        for _ in range(20):
            assert shop.get("/orders/7")[0] == 200
        assert shop.waits_for(lambda: sum(span.name == "GET /orders/{number}" for span in sink.spans) == 20)
        assert shop.waits_for(lambda: requests(sink) == 20)
    assert sum(span.name == "execute_tool find_order" for span in sink.spans) == 20
    instances = {span.resource.attributes["service.instance.id"] for span in sink.spans}
    assert len(instances) == workers


def _pids(shop: processes.Service) -> set[str]:
    """Who answers when several ask at once: one after the other, the kernel may always choose the same worker."""
    with ThreadPoolExecutor(8) as pool:
        return {answer[1] for answer in pool.map(shop.get, ["/pid"] * 16)}


def requests(sink: OtlpSink) -> int:
    """Requests to the order route, summed over worker processes: each writes a series of its own."""
    newest = {
        point.resource.attributes["service.instance.id"]: point.samples
        for point in sink.points
        if point.name == "http.server.request.duration" and point.attributes.get("http.route") == "/orders/{number}"
    }
    return sum(newest.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to run after --"),
        (["--", "no-such-program"], "no-such-program: no such program"),
    ],
)
def test_wrong_commands_say_what_to_do(words: list[str], said: str) -> None:
    done = processes.command([sys.executable, "-m", "otelkit.cli", "run", *words])
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_said_before_the_service_starts() -> None:
    done = processes.command([*RUN, sys.executable, "-c", "print('started')"], {"OTEL_TRACES_SAMPLER": "sometimes"})
    assert done.returncode == 2
    assert "OTEL_TRACES_SAMPLER is 'sometimes', but must be one of always_on" in done.stderr
    assert "started" not in done.stdout


def test_exit_status_arguments_and_own_sitecustomize_are_kept(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.own_site = 'ran'\n")
    code = "import sys; print(sys.own_site, sys.argv[1:]); sys.exit(7)"
    done = processes.command(
        [*RUN, sys.executable, "-c", code, "--port", "1"],
        {"PYTHONPATH": str(tmp_path), "OTELKIT_ENDPOINT": "http://127.0.0.1:9", "OTELKIT_SHUTDOWN_SECONDS": "0"},
    )
    assert done.stdout == "ran ['--port', '1']\n"
    assert done.returncode == 7


def test_help_has_examples() -> None:
    for words in ([], ["run"], ["dev"], ["serve"], ["demo"], ["settings"]):
        done = processes.command([sys.executable, "-m", "otelkit.cli", *words, "--help"])
        assert done.returncode == 0
        assert "examples:" in done.stdout
