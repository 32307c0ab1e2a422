"""The folder ``collector/``: which room writes which files, writing them, and telling where a folder differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from otelkit.provision import compose, grafana, stores
from otelkit.provision.alertmanager import config as alertmanager
from otelkit.provision.alerts import rules
from otelkit.provision.collector import profiles
from otelkit.provision.distribution import manifest
from otelkit.provision.prometheus import recording, scrape

__all__ = ["differences", "files", "write"]

Room = Callable[[], Mapping[str, str]]

_ROOMS: Final[tuple[Room, ...]] = (
    manifest.files,
    profiles.files,
    scrape.files,
    recording.files,
    rules.files,
    alertmanager.files,
    stores.files,
    grafana.files,
    compose.files,
)


def files() -> dict[str, str]:
    """Return every generated file's path below ``collector/``, and its text."""
    made: dict[str, str] = {}
    for room in _ROOMS:
        for path, text in room().items():
            if path in made:
                raise ValueError(f"two rooms write {path}")
            made[path] = text
    return made


def write(folder: Path) -> list[str]:
    """Write the files as they are now into ``folder``, removing nothing; returns the paths that were new or changed."""
    stale = differences(folder)
    made = files()
    for path in stale:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(made[path], "utf-8")
    return stale


def differences(folder: Path) -> list[str]:
    """Return the paths that ``folder`` lacks or that are not what the code gives."""
    return sorted(path for path, text in files().items() if _text(folder / path) != text)


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
