"""Child processes of a command: started together, waited for, stopped together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from otelkit.errors import OtelkitError

__all__ = ["Child", "Family", "free_port", "get_json", "is_free", "port_or_free"]

_STOP_SECONDS: Final = 8.0


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_or_free(wanted: int) -> int:
    """``wanted`` where it can be had, else a free port."""
    return wanted if is_free("127.0.0.1", wanted) else free_port()


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def get_json(url: str, timeout: float = 10.0) -> Any:
    """Read JSON from an address of this machine."""
    import json

    with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - http to 127.0.0.1
        return json.load(answer)


class Child:
    """One process; its output goes to ``log`` or, without one, to ours."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.name = name
        self._log = log
        output: IO[bytes] | None = log.open("wb") if log is not None else None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands, or the user's
                command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT if output else None
            )
        finally:
            if output is not None:
                output.close()

    def wait_until_it_answers(self, url: str, seconds: float = 60.0) -> None:
        """Wait for HTTP 200 from ``url``.

        Raises:
            OtelkitError: the process ended or did not answer in time; with the end of its output.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise OtelkitError(f"{self.name} did not start:\n{self._last_lines()}")
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - http to 127.0.0.1
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise OtelkitError(f"{self.name} did not answer within {seconds:g} s:\n{self._last_lines()}")

    def wait(self) -> int:
        """Wait for its end; the exit status as a shell gives it."""
        status = self._process.wait()
        return status if status >= 0 else 128 - status

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Ask it to end, then insist."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _last_lines(self) -> str:
        if self._log is None or not self._log.exists():
            return "(its output is above)"
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-20:])


class Family:
    """Children that end together: leaving the ``with`` block stops them, newest first."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Family:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._children:
            self._children.pop().stop()

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> Child:
        """Start a child."""
        child = Child(name, command, environment, log)
        self._children.append(child)
        return child

    def start_server(self, port: int, database: str, environment: Mapping[str, str], log: Path) -> str:
        """Start ``otelkit serve`` and wait for it; its address."""
        command = [sys.executable, "-m", "otelkit.cli", "serve", "--port", str(port), "--db", database]
        address = f"http://127.0.0.1:{port}"
        self.start("the server", command, environment, log).wait_until_it_answers(f"{address}/healthz")
        return address
