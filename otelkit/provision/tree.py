"""The folder ``collector/``: which room writes which files, writing them, and telling where a folder differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from otelkit.errors import OtelkitError
from otelkit.provision import compose, grafana, stores
from otelkit.provision.alertmanager import config as alertmanager
from otelkit.provision.alerts import rules
from otelkit.provision.choices import Choices
from otelkit.provision.collector import profiles
from otelkit.provision.distribution import manifest
from otelkit.provision.documents import MADE
from otelkit.provision.prometheus import recording, scrape

__all__ = ["EDITED", "differences", "files", "leftovers", "write"]

EDITED: Final = ("prometheus/targets/",)
"""Where people say who is scraped: written once, and theirs from then on."""

_HEAD: Final = 12  # lines in which a file says that it is generated


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
    """Write the files into ``folder``, removing nothing; returns the paths that were new or changed.

    Files that people are meant to change (``EDITED``) are written where they are missing and then left alone.

    Raises:
        OtelkitError: a file cannot be written.
    """
    made = files(choices)
    stale = _differing(folder, made)
    for path in stale:
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(made[path], "utf-8")
        except OSError as error:
            raise OtelkitError(f"{target} cannot be written: {error.strerror}") from None
    return stale


def differences(folder: Path, choices: Choices | None = None) -> list[str]:
    """Return the paths that ``folder`` lacks or that are not what the code gives with these choices."""
    return _differing(folder, files(choices))


def leftovers(folder: Path, choices: Choices | None = None) -> list[str]:
    """Return the paths of files an earlier version or another choice wrote that are no longer made.

    They would still be read: Prometheus loads every file in its folder of rules.
    """
    made = files(choices)
    folders = {(folder / path).parent for path in made}
    beside = (path for place in folders if place.is_dir() for path in place.iterdir() if path.is_file())
    known = {folder / path for path in made}
    return sorted(path.relative_to(folder).as_posix() for path in beside if path not in known and _is_ours(path))


def _is_ours(path: Path) -> bool:
    if path.suffix == ".json":  # holds no comment
        return path.name.startswith("otelkit-")
    try:
        with path.open(encoding="utf-8") as file:
            return any(MADE in line for line in islice(file, _HEAD))
    except (OSError, UnicodeDecodeError):
        return False


def _differing(folder: Path, made: Mapping[str, str]) -> list[str]:
    kept = {path for path in made if path.startswith(EDITED) and (folder / path).is_file()}
    return sorted(path for path, text in made.items() if path not in kept and _text(folder / path) != text)


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
