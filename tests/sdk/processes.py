"""Starting services of tests in processes of their own: OpenTelemetry's global providers can be set once a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from otelkit.cli.processes import free_port

HERE = Path(__file__).parent


class Service:
    """A started service: its address, and what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self._log = log

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, Mapping[str, str]]:
        """Status, body and headers of a GET."""
        request = urllib.request.Request(self.address + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    @property
    def output(self) -> str:
        """Everything it has printed."""
        return self._log.read_text()

    def waits_to_say(self, words: str) -> bool:
        """Wait until ``words`` are in its output; False when they do not come."""
        return self.waits_for(lambda: words in self.output)

    def waits_for(self, happened: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Wait until something has happened; False when it does not."""
        end = time.monotonic() + seconds
        while not happened() and time.monotonic() < end:
            time.sleep(0.05)
        return happened()


@contextlib.contextmanager
def service(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, ready: str = "/pid"
) -> Iterator[Service]:
    """Run ``command`` with ``{port}`` filled in until the block ends; an empty ``ready`` does not wait for it."""
    port = free_port()
    log = folder / "service.log"
    words = [word.replace("{port}", str(port)) for word in command]
    told = {**os.environ, "OTELKIT_FLUSH_SECONDS": "0.05", "PYTHONUNBUFFERED": "1", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=HERE, env=told, stdout=output, stderr=subprocess.STDOUT)
    running = Service(process, f"http://127.0.0.1:{port}", log)
    try:
        if ready:
            _wait(running, ready)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert "internal error swallowed" not in running.output, running.output


def _wait(running: Service, ready: str) -> None:
    end = time.monotonic() + 40
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if running.get(ready)[0] == 200:
                return
        assert running.process.poll() is None, running.output
        time.sleep(0.05)
    raise AssertionError(f"the service did not answer:\n{running.output}")


def python(code: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a snippet in a fresh interpreter."""
    return command([sys.executable, "-c", code], environment)


def command(
    words: Sequence[str], environment: Mapping[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    told = {**os.environ, **(environment or {})}
    return subprocess.run(words, env=told, cwd=HERE, capture_output=True, text=True, timeout=seconds, check=False)
