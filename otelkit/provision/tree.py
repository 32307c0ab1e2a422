"""The folder ``collector/``: which room writes which files, writing them, and telling where a folder differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from otelkit.provision import compose, grafana, stores
from otelkit.provision.alertmanager import config as alertmanager
from otelkit.provision.alerts import rules
from otelkit.provision.choices import Choices
from otelkit.provision.collector import profiles
from otelkit.provision.distribution import manifest
from otelkit.provision.prometheus import recording, scrape

__all__ = ["differences", "files", "write"]


def files(choices: Choices | None = None) -> dict[str, str]:
    """Return every generated file's path below ``collector/``, and its text; what is committed is without choices."""
    made: dict[str, str] = {}
    for room in _rooms(choices or Choices()):
        for path, text in room.items():
            if path in made:
                raise ValueError(f"two rooms write {path}")
            made[path] = text
    return made


def _rooms(choices: Choices) -> Iterator[Mapping[str, str]]:
    yield manifest.files()
    yield profiles.files(choices.collector.profiles)
    yield scrape.files()
    yield recording.files()
    yield rules.files(choices.alerts.thresholds, choices.alerts.links)
    yield alertmanager.files(choices.alertmanager)
    yield stores.files()
    yield grafana.files(choices.alerts.links.runbooks)
    yield compose.files(choices.collector.standard)


def write(folder: Path, choices: Choices | None = None) -> list[str]:
    """Write the files into ``folder``, removing nothing; returns the paths that were new or changed."""
    made = files(choices)
    stale = _differing(folder, made)
    for path in stale:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(made[path], "utf-8")
    return stale


def differences(folder: Path, choices: Choices | None = None) -> list[str]:
    """Return the paths that ``folder`` lacks or that are not what the code gives with these choices."""
    return _differing(folder, files(choices))


def _differing(folder: Path, made: Mapping[str, str]) -> list[str]:
    return sorted(path for path, text in made.items() if _text(folder / path) != text)


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
