"""The real programs that the tests in this folder run: where they are kept, and what a test does without one.

They lie in a cache outside the checkout, in a folder named by what pins them, so that a second clone builds nothing:
``make stack`` fills it (:mod:`tests.stack.build`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from otelkit.provision import distribution
from otelkit.provision.distribution.building import pins
from otelkit.provision.distribution.manifest import COMMAND

__all__ = ["DEBIAN", "PARTS", "Part", "cache", "missing", "program"]

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Part:
    """One Go module with programs in it: the files that pin it, and about how long a first build takes."""

    name: str
    programs: tuple[str, ...]
    minutes: int
    source: Path

    @property
    def folder(self) -> Path:
        """Where its programs are kept once they are built."""
        return cache() / f"{self.name}-{hashlib.sha256(self.made_of()).hexdigest()[:12]}"

    def made_of(self) -> bytes:
        """Return what pins it."""
        if self.name == "collector":
            return pins()
        return b"\0".join((self.source / name).read_bytes() for name in ("go.mod", "go.sum", "tools.go"))

    @property
    def built(self) -> bool:
        """Whether every program of it is there."""
        return all((self.folder / name).is_file() for name in self.programs)


def cache() -> Path:
    """Return the folder all checkouts on this machine share; ``OTELKIT_STACK_CACHE`` names another."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("OTELKIT_STACK_CACHE") or home / "otelkit" / "stack")


COLLECTOR: Final = Part("collector", (COMMAND,), 5, Path(distribution.__file__).parent)
PARTS: Final = (
    Part("prometheus", ("prometheus", "promtool"), 4, _HERE / "programs/prometheus"),
    Part("loki", ("loki",), 5, _HERE / "programs/loki"),
    Part("jaeger", ("jaeger",), 3, _HERE / "programs/jaeger"),
    COLLECTOR,
)

DEBIAN: Final[Mapping[str, str]] = {
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
"""Programs that the system's package manager brings, and the package."""


def program(name: str) -> Path:
    """Return the path of a program; without it the test is skipped, or fails where everything is required."""
    if name in DEBIAN:
        found = shutil.which(name)
        return (
            Path(found) if found else missing(f"no {name}: run `make stack` (Debian: apt-get install {DEBIAN[name]})")
        )
    part = next(part for part in PARTS if name in part.programs)
    if not part.built:
        missing(f"no {name}: run `make stack` (about {part.minutes} minutes, once a machine; needs Go 1.26)")
    return part.folder / name


def missing(what: str) -> NoReturn:
    """Skip the test that needs ``what``; fail it under ``OTELKIT_REQUIRE=all``."""
    import pytest

    if os.environ.get("OTELKIT_REQUIRE") == "all":
        pytest.fail(what)
    pytest.skip(what)
