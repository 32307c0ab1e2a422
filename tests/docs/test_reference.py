"""The generated pages are what the code gives, and everything public is in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import otelkit
from otelkit.cli import reference
from otelkit.cli.main import main
from otelkit.provision.dashboards.boards import BOARDS
from otelkit.sdk.export.ledger import Reason
from otelkit.semconv import events, metrics
from otelkit.settings import OPTIONS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
COMMANDS = ("dev", "run", "serve", "db", "audit", "collector", "provision", "alerts", "doctor", "demo", "settings")


@pytest.mark.parametrize("name", reference.files())
def test_the_committed_file_is_what_the_code_gives(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == reference.files()[name], "run `make docs`"


def test_check_says_what_differs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0
    monkeypatch.setattr(reference, "env_example", lambda: "other")
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().out == "differs: env.example\n"


def test_everything_public_has_a_heading_and_words() -> None:
    page = (REFERENCE / "api.md").read_text("utf-8")
    functions, _, rest = page.partition("\n## Step\n")
    methods, _, errors = rest.partition("\n## Errors\n")
    headings = re.findall(r"^###? (\w+)$", functions + errors, re.MULTILINE)
    assert sorted(headings) == sorted(otelkit.__all__)
    reports = {name for name in otelkit.__all__ if name.startswith("record_")} - {"record_chunk"}
    assert reports < set(re.findall(r"^### (\w+)$", methods, re.MULTILINE)), "each is a method of the step as well"
    for name in otelkit.__all__:
        words = re.search(rf"^###? {name}\n\n(?:```text\n.*?```\n\n)?(\w.*)", page, re.MULTILINE | re.DOTALL)
        assert words, name
    assert ":func:" not in page
    assert "``" not in page.replace("```", "")


def test_every_setting_is_documented() -> None:
    page = (REFERENCE / "settings.md").read_text("utf-8")
    for name, option in OPTIONS.items():
        assert f"`{name}`" in page
        assert option.meaning.replace("|", "\\|") in page
        assert all(f"`{variable}`" in page for variable in option.variables)


def test_every_metric_and_event_is_documented() -> None:
    page = (REFERENCE / "metrics.md").read_text("utf-8")
    assert all(f"\n## {entry.name}\n" in page and entry.prometheus_name in page for entry in metrics.CATALOGUE)
    assert all(f"| `{entry.prometheus_name}` |" in page for entry in metrics.SERVER)
    page = (REFERENCE / "events.md").read_text("utf-8")
    assert all(f"\n## {entry.name}\n" in page and entry.posthog_name in page for entry in events.CATALOGUE)


def test_every_panel_and_the_place_of_every_metric_is_documented() -> None:
    page = (REFERENCE / "dashboards.md").read_text("utf-8")
    for board in BOARDS:
        assert f"\n## {board.title}\n" in page
        assert all(panel.says in page for panel in board.panels)
    for entry in (*metrics.CATALOGUE, *metrics.SERVER):
        assert f"`{entry.collected_name}`" in page or f"`{entry.name}`" in page


def test_every_command_and_its_options_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    (\w+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    for command in listed:
        row = next(line for line in page.splitlines() if line.startswith(f"| `otelkit {command}"))
        with pytest.raises(SystemExit):
            main([command, "--help"])
        offered = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
        assert offered == set(re.findall(r"`(--[\w-]+)`", row)), command


def test_every_reason_for_a_drop_is_documented() -> None:
    section = (
        (ROOT / "docs" / "design.md").read_text("utf-8").partition("## Delivery and drops")[2].partition("\n## ")[0]
    )
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {reason.value for reason in Reason}
