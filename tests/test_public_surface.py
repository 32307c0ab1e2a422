"""The public surface: a list, nothing beside it, nothing heavy behind it, and types that hold in users' code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import otelkit

HEAVY = (
    "otelkit.server",
    "otelkit.settings",
    "otelkit.testing",
    "sqlalchemy",
    "posthog",
    "sentry_sdk",
    "grpc",
    "fastapi",
    "starlette",
    "genai_prices",
    "celery",
    "rq",
    "arq",
    "apscheduler",
    "redis",
)


def test_the_namespace_is_the_list() -> None:
    modules = {name for name in vars(otelkit) if f"otelkit.{name}" in sys.modules}
    exported = {name for name in vars(otelkit) if not name.startswith("_")} - modules
    assert exported == set(otelkit.__all__)
    assert otelkit.__all__ == sorted(otelkit.__all__, key=lambda name: (name[0].islower(), name))


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, otelkit; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "otelkit.sdk.decorators" in loaded
    found = [name for name in loaded if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)]
    assert found == []


def test_types_hold_in_users_code(tmp_path: Path) -> None:
    """mypy --strict over tests/typing/user_code.py, whose assert_type calls say what users rely on."""
    code = Path(__file__).parent / "typing" / "user_code.py"
    assert code.read_text().count("assert_type(") > 30
    # No project config: what a user with --strict sees. Warm caches of the project are not shared with it.
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path), str(code)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
