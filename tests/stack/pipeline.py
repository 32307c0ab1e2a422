"""The standard profile, running: Collector, Loki, Jaeger, Prometheus, Alertmanager, otelkit, and the demo service."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from otelkit.cli.processes import free_port
from tests.stack.running import COMMITTED, Alertmanager, Collector, Jaeger, Loki, Program, Prometheus, Python, fetch

__all__ = ["SERVICE", "Load", "Pipeline"]

_EXAMPLES: Final = COMMITTED.parent / "examples"
_USAGE: Final = "analytics.usage_patterns"
SERVICE: Final = "rag-chatbot"


class Pipeline:
    """Starts in a ``with`` block, in the order in which the parts need each other, and stops the other way round."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.loki = Loki(home / "loki")
        self.jaeger = Jaeger(home / "jaeger")
        self.server = _server(home / "server")
        self.alertmanager = Alertmanager(home / "alertmanager", COMMITTED / "alertmanager" / "alertmanager.yml")
        addresses = {
            "TRACES": f"http://127.0.0.1:{self.jaeger.otlp_port}",
            "SERVER": self.server.url,
            "LOKI": f"{self.loki.url}/otlp",
        }
        self.collector = Collector(home / "collector", "standard", addresses)
        targets = {
            "services": self.collector.prometheus_port,
            "collector": self.collector.metrics_port,
            "loki": self.loki.port,
            "otelkit": self.server.port,
            "alertmanager": self.alertmanager.port,
        }
        self.prometheus = Prometheus(home / "prometheus", targets)
        self._running = ExitStack()

    def __enter__(self) -> Pipeline:
        parts: Sequence[Program] = (
            self.loki, self.jaeger, self.server, self.alertmanager, self.collector, self.prometheus,
        )  # fmt: skip
        with ExitStack() as starting:
            for part in parts:
                starting.callback(part.stop)
                part.start()
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def addresses(self) -> Mapping[str, str]:
        """Return the address of each hop, by the option of `otelkit doctor` that names it."""
        return {
            "endpoint": self.collector.url,
            "collector": f"http://127.0.0.1:{self.collector.metrics_port}",
            "prometheus": self.prometheus.url,
            "loki": self.loki.url,
            "traces": self.jaeger.url,
            "server": self.server.url,
        }

    def events(self, name: str) -> int:
        """Return how many product events of a name the server has stored."""
        found: int = fetch(f"{self.server.url}/api/logs?event_name={name}&range=all")["total"]
        return found

    def start(self, program: Program) -> None:
        """Start one more, which stops before the others."""
        self._running.callback(program.stop)
        program.start()


class Load:
    """The demo's service and the model it asks, in front of a pipeline.

    Attributes:
        report: what was asked and answered, as the drive saw it from outside.
        events: how many product events of a kind the users' deeds and consent make.
    """

    report: Any
    events: Mapping[str, int]

    def __init__(self, pipeline: Pipeline, endpoint: str) -> None:
        home = pipeline.home / "service"
        self._server = pipeline.server.url
        model_port, chat_port = free_port(), free_port()
        self.model = f"http://127.0.0.1:{model_port}"
        self.chat = f"http://127.0.0.1:{chat_port}"
        stand_in = ["otelkit.testing.openai_server", "--port", str(model_port), "--latency", "0"]
        pipeline.start(Python("model", home, stand_in, f"{self.model}/ledger"))
        words = ["uvicorn", "rag_chatbot.app:app", "--app-dir", str(_EXAMPLES), "--port", str(chat_port)]
        self.service = Python("chat", home, words, f"{self.chat}/health", self._environment(endpoint))
        pipeline.start(self.service)

    def _environment(self, endpoint: str) -> dict[str, str]:
        return {
            "OTELKIT_ENDPOINT": endpoint,
            "OTELKIT_AUDIT_ENDPOINT": self._server,  # an audit entry is stored when the call returns: no hop between
            "OTELKIT_ENVIRONMENT": "test",
            "OTELKIT_FLUSH_SECONDS": "0.2",
            # Longer than a scrape interval: an exemplar is in one export only and must be there when it is scraped.
            "OTEL_METRIC_EXPORT_INTERVAL": "17000",
            "OPENAI_BASE_URL": f"{self.model}/v1",
            "OPENAI_API_KEY": "sk-test",
        }

    def drive(self, number: int, seed: int = 1) -> None:
        """Have that many conversations, and note what the outside world knows of them."""
        drive = _drive()
        conversations = drive.conversations(number, seed=seed)
        self.report = asyncio.run(drive.run(self.chat, conversations, lambda *_: None))
        allowed = [talk for talk in conversations if _USAGE in talk.consent]
        taken = sum(turn.message != drive.LONG for talk in allowed for turn in talk.turns)
        self.events = {"conversation.created": len(allowed), "chat.message_sent": taken}

    def ledger(self) -> list[dict[str, Any]]:
        """Return the model's own account of every call and its tokens."""
        answer = fetch(f"{self.model}/ledger")
        entries: list[dict[str, Any]] = answer["entries"] if isinstance(answer, dict) else answer
        return entries


class _Server(Python):
    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        words = ["otelkit.cli", "serve", "--port", str(self.port), "--grpc-port", "0", "--db", str(home / "otelkit.db")]
        super().__init__("server", home, words, f"{self.url}/healthz")


def _server(home: Path) -> _Server:
    home.mkdir(parents=True)
    return _Server(home)


def _drive() -> ModuleType:
    spec = importlib.util.spec_from_file_location("otelkit_stack_drive", _EXAMPLES / "rag_chatbot" / "drive.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
