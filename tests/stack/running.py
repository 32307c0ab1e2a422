"""Real programs, running: started on free ports of this machine with the committed files, stopped at the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import yaml

from otelkit.cli.processes import free_port
from otelkit.provision.prometheus.scrape import FLAGS, TOKEN_FILE
from tests.stack.parts import program

__all__ = [
    "COMMITTED",
    "Alertmanager",
    "Collector",
    "Jaeger",
    "Loki",
    "Program",
    "Prometheus",
    "Python",
    "fetch",
    "until",
]

_T = TypeVar("_T")

COMMITTED: Final = Path(__file__).parents[2] / "collector"


class Program:
    """One process with its output in a file; ``url`` answers at ``ready`` once it has started."""

    def __init__(
        self, name: str, home: Path, *, ready: str, longest_start: float = 60.0, runs: Path | None = None
    ) -> None:
        self.name = name
        self.home = home
        self.log = home / f"{name}.log"
        self._program = runs or program(name)
        self._ready = ready
        self._longest_start = longest_start
        self._process: subprocess.Popen[bytes] | None = None
        self._arguments: Sequence[str] = ()
        self._environment: Mapping[str, str] = {}
        home.mkdir(parents=True, exist_ok=True)

    def configure(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Say what it is started with, now and at every restart."""
        self._arguments = arguments
        self._environment = environment or {}

    def start(self) -> None:
        """Start it and return when it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), *self._arguments], cwd=self.home, stdout=log, stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self._environment},
            )  # fmt: skip
        until(self._answers, self._longest_start, f"{self.name} is ready")

    def pause(self) -> None:
        """Stop it from doing anything, as a machine without a processor does."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does: kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does; idempotent."""
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """The running process's number."""
        assert self._process is not None
        return self._process.pid

    def said(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended at its start:\n{self.said()[-3000:]}"
        try:
            with urllib.request.urlopen(self._ready, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Collector(Program):
    """otelkit's distribution with a committed profile; ports, folders and addresses from the environment."""

    def __init__(self, home: Path, profile: str, addresses: Mapping[str, str]) -> None:
        self.http_port, self.grpc_port, self.prometheus_port = free_port(), free_port(), free_port()
        self.metrics_port, self.health_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        super().__init__("otelcol-otelkit", home, ready=f"http://127.0.0.1:{self.health_port}/")
        self.configure(
            ["--config", str(COMMITTED / "config" / f"{profile}.yaml")],
            {
                "OTELKIT_COLLECTOR_HTTP_PORT": str(self.http_port),
                "OTELKIT_COLLECTOR_GRPC_PORT": str(self.grpc_port),
                "OTELKIT_COLLECTOR_PROMETHEUS_PORT": str(self.prometheus_port),
                "OTELKIT_COLLECTOR_METRICS_PORT": str(self.metrics_port),
                "OTELKIT_COLLECTOR_HEALTH_PORT": str(self.health_port),
                "OTELKIT_COLLECTOR_QUEUES": str(home / "queues"),
                **{f"OTELKIT_COLLECTOR_{name}": address for name, address in addresses.items()},
            },
        )

    def runs(self, file: Path) -> None:
        """Take another file than the committed one."""
        self.configure(["--config", str(file)], self._environment)

    @contextmanager
    def told(self, **variables: str) -> Iterator[None]:
        """Give other values to variables of the profile for the starts inside the block."""
        before = self._environment
        self.configure(
            self._arguments, {**before, **{f"OTELKIT_COLLECTOR_{key}": value for key, value in variables.items()}}
        )
        try:
            yield
        finally:
            self.configure(self._arguments, before)

    def own(self, name: str) -> float:
        """Return the sum of one of its own metrics over all labels; 0 where it has none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


class Prometheus(Program):
    """Prometheus on a copy of the committed folder, where only the addresses in ``targets/`` are changed."""

    def __init__(self, home: Path, targets: Mapping[str, int], *, token: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("prometheus", home, ready=f"{self.url}/-/ready")
        folder = home / "configuration"
        shutil.copytree(COMMITTED / "prometheus", folder)
        for path in (folder / "targets").iterdir():
            port = targets.get(path.stem)
            path.write_text(yaml.safe_dump([{"targets": [f"127.0.0.1:{port}"]}] if port else []))
        (folder / TOKEN_FILE).parent.mkdir()
        (folder / TOKEN_FILE).write_text(token)
        self.configure([
            f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", *FLAGS,
        ])  # fmt: skip

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the instant vector (or a scalar as one entry) that an expression gives."""
        words = {"query": expression} | ({"time": str(at)} if at else {})
        data = fetch(f"{self.url}/api/v1/query?{urlencode(words)}")["data"]
        result = data["result"]
        return result if data["resultType"] != "scalar" else [{"metric": {}, "value": result}]

    def total(self, expression: str) -> float:
        """Return the sum of the values an expression gives; 0 where it gives nothing."""
        return sum(float(entry["value"][1]) for entry in self.query(expression))

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last hour of an expression's series."""
        words = urlencode({"query": expression, "start": time.time() - 3600, "end": time.time() + 60})
        found = fetch(f"{self.url}/api/v1/query_exemplars?{words}")["data"]
        return [exemplar for series in found for exemplar in series["exemplars"]]


class Loki(Program):
    """Loki with the committed file; ports and folder from the environment."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("loki", home, ready=f"{self.url}/ready", longest_start=120)
        self.configure(
            [f"-config.file={COMMITTED / 'loki' / 'loki.yaml'}", "-config.expand-env=true"],
            {"LOKI_HOST": "127.0.0.1", "LOKI_PORT": str(self.port), "LOKI_GRPC_PORT": str(free_port()),
             "LOKI_DIR": str(home / "data")},
        )  # fmt: skip

    def entries(self, query: str, *, since: float = 3600, limit: int = 5000) -> list[tuple[Mapping[str, str], str]]:
        """Return labels (structured metadata included) and line of each entry of the last ``since`` seconds."""
        start, end = int((time.time() - since) * 1e9), int((time.time() + 60) * 1e9)
        words = urlencode({"query": query, "start": start, "end": end, "limit": limit, "direction": "forward"})
        streams = fetch(f"{self.url}/loki/api/v1/query_range?{words}")["data"]["result"]
        return [(stream["stream"], value[1]) for stream in streams for value in stream["values"]]

    def numbers(self, query: str, since: float) -> Counter[int]:
        """Return how often each value of the attribute ``n`` is there since a time in seconds since the epoch."""
        found: Counter[int] = Counter()
        start = since
        while start < time.time():  # a query gives at most 5,000 entries
            words = {"query": query, "start": int(start * 1e9), "end": int((start + 5) * 1e9), "limit": 5000}
            streams = fetch(f"{self.url}/loki/api/v1/query_range?{urlencode(words)}")["data"]["result"]
            for stream in streams:
                found[int(stream["stream"]["n"])] += len(stream["values"])
            start += 5
        return found

    def labels(self) -> list[str]:
        """Return the names of the index labels."""
        found: list[str] = fetch(f"{self.url}/loki/api/v1/labels")["data"]
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector that a metric query gives now."""
        found: list[dict[str, Any]] = fetch(f"{self.url}/loki/api/v1/query?query={quote(expression)}")["data"]["result"]
        return found


class Jaeger(Program):
    """Jaeger with the committed file: OTLP in, traces out of memory."""

    def __init__(self, home: Path) -> None:
        self.port, self.otlp_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("jaeger", home, ready=f"{self.url}/api/services")
        self.configure(
            ["--config", str(COMMITTED / "jaeger" / "jaeger.yaml")],
            {"JAEGER_HOST": "127.0.0.1", "JAEGER_PORT": str(self.port), "JAEGER_OTLP_PORT": str(self.otlp_port),
             "JAEGER_GRPC_PORT": str(free_port())},
        )  # fmt: skip

    def numbers(self, service: str, key: str) -> Counter[int]:
        """Return how often each value of an attribute is there on a service's spans."""
        words = urlencode({"service": service, "limit": 100_000, "lookback": "1h"})
        traces = fetch(f"{self.url}/api/traces?{words}")["data"] or []
        tags = (tag for trace in traces for span in trace["spans"] for tag in span["tags"])
        return Counter(int(tag["value"]) for tag in tags if tag["key"] == key)

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the spans of a trace; none when it is not there."""
        try:
            found: list[dict[str, Any]] = fetch(f"{self.url}/api/traces/{trace_id}")["data"]
        except urllib.error.HTTPError:
            return []
        return [span for trace in found for span in trace["spans"]]


class Alertmanager(Program):
    """Debian's Alertmanager on a configuration file of the test's choice."""

    def __init__(self, home: Path, configuration: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("prometheus-alertmanager", home, ready=f"{self.url}/-/ready")
        self.configure([
            f"--config.file={configuration}", f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
        ])  # fmt: skip


class Python(Program):
    """A Python module as a process: the server, the stand-in for the model, the service."""

    def __init__(
        self, name: str, home: Path, module: Sequence[str], ready: str, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(name, home, ready=ready, runs=Path(sys.executable))
        self.configure(["-m", *module], {"PYTHONPATH": str(COMMITTED.parent), **(environment or {})})


def fetch(url: str) -> Any:
    """Return what a JSON API answers."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def until(ask: Callable[[], _T], longest: float, what: str) -> _T:
    """Ask again and again until the answer counts as true; fail saying ``what`` did not become true."""
    end = time.monotonic() + longest
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {longest:.0f} s: {what}"
        time.sleep(0.2)
    return answer
