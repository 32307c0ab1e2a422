"""What a team chooses: the records that say it, and the file and words that they are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from otelkit.errors import SettingsError
from otelkit.provision.alertmanager import options as alertmanager
from otelkit.provision.alerts.rules import Links
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.collector import options as collector
from otelkit.provision.kinds import section
from otelkit.provision.reading import Said, read
from otelkit.settings import read_table

__all__ = ["FILE", "Alerts", "Choices", "Collector", "load"]

FILE: Final = Path("provision.toml")
"""What is read where no other file is named, if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The rules of Prometheus."""

    thresholds: Thresholds = section(
        Thresholds(), "Where alerts begin: above a share (of 1), a time or a count. What each means: docs/alerts.md."
    )
    links: Links = section(Links(), "Where messages and dashboards point.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The profiles of the Collector's configuration.

    Raises:
        ValueError: options of one contradict one another.
    """

    dev: collector.Options = section(collector.Options(), "config/dev.yaml", has=partial(collector.belongs, "dev"))
    standard: collector.Options = section(
        collector.Options(),
        "config/standard.yaml; server, derived and names also in compose.",
        has=partial(collector.belongs, "standard"),
    )
    gateway: collector.Options = section(
        collector.Options(), "config/agent.yaml and config/gateway.yaml", has=partial(collector.belongs, "gateway")
    )

    def __post_init__(self) -> None:
        for profile, options in self.profiles.items():
            try:
                collector.check(options, profile)
            except ValueError as error:
                raise ValueError(f"{profile}: {error}") from None

    @property
    def profiles(self) -> Mapping[str, collector.Options]:
        """The options of each profile."""
        return {profile.name: getattr(self, profile.name) for profile in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All of it; what is committed is what the defaults give."""

    alerts: Alerts = section(Alerts(), "The rules of Prometheus.")
    alertmanager: alertmanager.Options = section(alertmanager.Options(), "Who is told of alerts, and how often.")
    collector: Collector = section(Collector(), "The Collector's configuration; docs/pipeline.md says more.")


def load(path: Path | None = None, words: Sequence[str] = ()) -> Choices:
    """Read a file and the words of ``--set``, which win over it.

    Args:
        path: a TOML (or JSON) file; None: none.
        words: ``section.option=value`` each.

    Raises:
        SettingsError: the file cannot be read, an option does not exist, or a value is not allowed.
    """
    content: dict[str, Any] = dict(read_table(path)) if path else {}
    for word in words:
        _set(content, word)
    return read(Choices, content, str(path or ""))


def _set(content: dict[str, Any], word: str) -> None:
    place, equals, text = word.partition("=")
    *above, name = place.strip().split(".")
    if not equals or not above:
        raise SettingsError(f"--set {place}: write section.option=value, such as alerts.thresholds.llm_p95=20")
    for part in above:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise SettingsError(f"--set {place}: {part} is no section; lists stand in a file")
    content[name] = Said(text.strip())
