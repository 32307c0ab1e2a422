"""A Redis server of the tests' own: on a free port of this machine, in memory, thrown away at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.cli.processes import free_port

_LONGEST_START = 20.0


class RedisServer:
    """One running server."""

    def __init__(self, program: str) -> None:
        self.port = free_port()
        self._home = tempfile.mkdtemp(prefix="otelkit-redis-")
        self._process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._home, "--save", "",
             "--appendonly", "no", "--logfile", "redis.log"],
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._wait()

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> Any:
        """Return a connection of somebody else than the code under test."""
        import redis

        return redis.Redis(port=self.port, db=database)

    def empty(self) -> None:
        """Forget everything in all databases."""
        with contextlib.closing(self.client()) as client:
            client.flushall()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)

    def _wait(self) -> None:
        end = time.monotonic() + _LONGEST_START
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self._process.poll() is None, "redis-server ended at its start"
            time.sleep(0.02)
        raise AssertionError("redis-server does not listen")


def running_redis() -> Iterator[RedisServer]:
    """Yield a server for a session's tests; without the program they are skipped, or fail where all is required."""
    program = shutil.which("redis-server")
    if program is None:
        message = "jobs and caches on Redis are NOT tested: its server (apt install redis-server) is missing"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    server = RedisServer(program)
    yield server
    server.stop()
