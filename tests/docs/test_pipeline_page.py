"""The page on the pipeline lists every option and every variable as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

from otelkit.provision.collector.options import described
from otelkit.provision.collector.variables import VARIABLES
from otelkit.provision.distribution.manifest import RENDERED_ONLY, VERSION

PAGE = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", section, re.M)]
    return found[2:]


def test_every_option_is_there_with_its_default() -> None:
    assert rows("Options") == [[f"`{name}`", f"`{value}`", says, where] for name, value, says, where in described()]


def test_every_variable_is_there_with_its_default() -> None:
    wanted = [[f"`{v.name}`", f"`{v.default}`" if v.default else "", v.meaning] for v in VARIABLES]
    assert rows("Environment variables") == wanted


def test_a_secret_has_no_default() -> None:
    assert [entry.name for entry in VARIABLES if entry.secret and entry.default] == []


def test_what_is_only_rendered_is_said() -> None:
    told = " ".join(cell for row in rows("What was run, and what is only rendered") for cell in row).lower()
    assert all(name in told for name in RENDERED_ONLY)
    assert f"opentelemetry-collector-contrib:{VERSION}" in PAGE
