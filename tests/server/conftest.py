"""A started server for each test that asks for one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests of this folder share a module of helpers

from server_support import Client

from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(ServerConfig(port=0)) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url)
