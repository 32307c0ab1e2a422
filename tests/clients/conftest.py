"""One run of all calls for each environment: what the model API counted, what was sent, what the server shows."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.testing.openai_ledger import LedgerEntry
from otelkit.testing.openai_server import OpenAIServer
from otelkit.testing.otlp_sink import OtlpSink
from tests.clients.environments import ROOT, Unavailable, interpreter


@dataclass(frozen=True)
class Kind:
    """An environment, and which calls to make in it."""

    environment: str
    library: str = "openai"
    notices_cuts: bool = True
    """Whether its instrumentation marks a stream as failed whose connection broke."""

    def __str__(self) -> str:
        return f"{self.library} under {self.environment}"


KINDS = (
    Kind("genai"),
    Kind("openinference"),
    Kind("traceloop", notices_cuts=False),
    Kind("openinference", "langchain"),
)


@dataclass(frozen=True)
class Run:
    """What came of it."""

    kind: Kind
    said: dict[str, Any]
    calls: dict[str, list[LedgerEntry]]
    """The model API's own entries, by the job that made them."""
    sink: OtlpSink
    server: str

    def ask(self, path: str) -> Any:
        """The server's answer to a GET."""
        with urllib.request.urlopen(self.server + path, timeout=30) as answer:
            return json.load(answer)

    def contains(self, words: str) -> bool:
        """Whether any byte that left the process spells these words."""
        return any(words.encode() in request.body for request in self.sink.requests)


@pytest.fixture(scope="session", params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="session")
def run(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All calls made, and delivered to the server byte for byte as they left the process."""
    with ExitStack() as stack:
        api = stack.enter_context(OpenAIServer(latency=0))
        sink = stack.enter_context(OtlpSink())
        server = stack.enter_context(Server(ServerConfig(port=0)))
        said = make_calls(kind, sink.address, api.base_url, tmp_path_factory.mktemp("client"))
        for request in list(sink.requests):
            headers = {"Content-Type": request.headers["Content-Type"]}
            urllib.request.urlopen(urllib.request.Request(server.url + request.path, request.body, headers)).close()
        entries = iter(api.ledger)
        calls = {name: [next(entries) for _ in range(count)] for name, count in said["made"].items()}
        assert list(entries) == []
        yield Run(kind, said, calls, sink, server.url)


def make_calls(kind: Kind, telemetry: str, address: str, folder: Path, *options: str) -> dict[str, Any]:
    """Run the calls in their environment; what they printed."""
    try:
        python = interpreter(kind.environment)
    except Unavailable as reason:
        message = f"real clients under {kind.environment} are NOT tested: {reason}"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message, pytrace=False)
        warnings.warn(message, stacklevel=1)  # shown at the end even where skips are only dots
        pytest.skip(message)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OTELKIT_"))}
    environment |= {"PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder), "LANGSMITH_TRACING": "false"}
    script = str(Path(__file__).with_name("calls.py"))
    done = subprocess.run(
        [str(python), script, kind.library, telemetry, address, *options],
        *(), cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "log": done.stderr}
