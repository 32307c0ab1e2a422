"""What all tests share: swallowed internal errors fail the test, and no test writes to the user's home."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from otelkit.sdk.guard import Guard

# Machines that run tests are shared and slow at times: that says nothing about the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("shared")


@pytest.fixture(autouse=True)
def internal_errors_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an application the guard swallows otelkit's own errors; here they must show."""
    monkeypatch.setattr(Guard, "strict", True)


@pytest.fixture(autouse=True)
def own_data_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Salt, databases and caches of a test are its own; the settings a developer has set do not reach it."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    for name in list(os.environ):
        if name.startswith(("OTEL_", "OTELKIT_")) and name != "OTELKIT_REQUIRE":
            monkeypatch.delenv(name)
    return folder
