"""Environments of real client libraries: built once for each requirements file, outside the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("OTELKIT_CACHE") or Path.home() / ".cache" / "otelkit") / "clients"
_LONGEST = 480.0


class Unavailable(Exception):
    """The environment cannot be built here; the message says why."""


def interpreter(name: str) -> Path:
    """The Python of the environment that ``requirements/clients-{name}.txt`` describes; built where there is none yet.

    Raises:
        Unavailable: pip cannot install it.
    """
    requirements = ROOT / "requirements" / f"clients-{name}.txt"
    recipe = requirements.read_bytes() + sys.version.encode()
    folder = CACHE / f"{name}-{hashlib.sha256(recipe).hexdigest()[:16]}"
    if not folder.exists():
        _build(folder, requirements)
    return folder / "bin" / "python"


def _build(folder: Path, requirements: Path) -> None:
    """Install under another name, so that a folder with its own name is always whole."""
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        venv.create(unfinished, symlinks=True)
        install = [sys.executable, "-m", "pip", "--python", str(unfinished / "bin" / "python"), "install", "--quiet"]
        install += ["--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", str(requirements)]
        done = subprocess.run(install, capture_output=True, text=True, timeout=_LONGEST, check=False)
        if done.returncode:
            raise Unavailable(f"{requirements.name}: {done.stderr.strip()[-300:]}")
        if not folder.exists():
            unfinished.rename(folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{requirements.name}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
