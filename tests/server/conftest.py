"""A started server for each test that asks for one.

A test module that sets ``STORES = ("sqlite", "postgres")`` has its tests run on both: on a file, and on a real
PostgreSQL server that is started once and thrown away at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests of this folder share a module of helpers

from server_support import Client, NewStore

from otelkit.server.config import TEMPORARY, ServerConfig
from otelkit.server.runtime import Server
from tests.postgres_support import PostgresServer, running_postgres


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", getattr(metafunc.module, "STORES", ("sqlite",)), scope="session")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL, for the session."""
    yield from running_postgres()


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
