"""A started server for each test that asks for one.

A test module that sets ``STORES = ("sqlite", "postgres")`` has its tests run on both: on a file, and on a real
PostgreSQL server that is started once and thrown away at the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests of this folder share a module of helpers

from postgres_support import PostgresServer, programs
from server_support import Client, NewStore

from otelkit.server.config import TEMPORARY, ServerConfig
from otelkit.server.runtime import Server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", getattr(metafunc.module, "STORES", ("sqlite",)), scope="session")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL; without it these tests are skipped, or fail where everything is required."""
    folder = programs()
    try:
        import psycopg  # noqa: F401
    except ImportError:
        folder = None
    if folder is None:
        message = "the store in PostgreSQL is NOT tested: its server (apt install postgresql) or psycopg is missing"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    server = PostgresServer(folder)
    yield server
    server.remove()


@pytest.fixture
def new_store(store: str, request: pytest.FixtureRequest) -> NewStore:
    """Return what makes the location of an empty store."""
    if store == "sqlite":
        return lambda: TEMPORARY
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.new_database


@pytest.fixture
def server(new_store: NewStore) -> Iterator[Server]:
    with Server(ServerConfig(port=0, database=new_store())) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url)
