"""Everything in this folder runs real programs; what takes long to start is started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.pipeline import Load, Pipeline


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("stack")
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The standard profile with the committed files; nothing is wrong with it."""
    with Pipeline(tmp_path_factory.mktemp("pipeline") / "home") as running:
        yield running


@pytest.fixture(scope="session")
def load(pipeline: Pipeline) -> Load:
    """The demo's service, sending through the Collector; it has had its conversations."""
    load = Load(pipeline, pipeline.collector.url)
    load.drive(24)
    return load


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Another one, for tests that break it."""
    with Pipeline(tmp_path_factory.mktemp("faulty") / "home") as running:
        yield running
