"""The committed folder is what the code gives, and the command says where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from otelkit.cli.main import main
from otelkit.provision import tree

_COMMITTED = Path(__file__).parents[2] / "collector"


def test_committed_files_are_what_the_code_gives() -> None:
    differing = [path for path, text in tree.files().items() if (_COMMITTED / path).read_text("utf-8") != text]
    assert differing == [], "run: otelkit provision"


def test_nothing_else_lies_in_the_committed_folder() -> None:
    present = {path.relative_to(_COMMITTED).as_posix() for path in _COMMITTED.rglob("*") if path.is_file()}
    assert present - set(tree.files()) <= {"README.md"}


def test_writing_brings_a_folder_to_what_the_code_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "collector"
    assert main(["provision", "--output", str(folder), "--check"]) == 1
    assert main(["provision", "--output", str(folder)]) == 0
    assert main(["provision", "--output", str(folder), "--check"]) == 0
    changed = folder / next(iter(tree.files()))
    changed.write_text("changed by hand")
    (folder / "mine.yaml").write_text("a file of the user's")
    capsys.readouterr()
    assert main(["provision", "--output", str(folder), "--check"]) == 1
    assert capsys.readouterr().out.count("differs: ") == 1
    assert main(["provision", "--output", str(folder)]) == 0
    assert tree.differences(folder) == []
    assert (folder / "mine.yaml").read_text() == "a file of the user's"


def test_addresses_are_written_once_and_then_belong_to_the_user(tmp_path: Path) -> None:
    tree.write(tmp_path)
    targets = tmp_path / "prometheus" / "targets" / "services.yaml"
    targets.write_text("- targets: [elsewhere:9464]")
    assert tree.differences(tmp_path) == []
    assert tree.write(tmp_path) == []
    assert targets.read_text() == "- targets: [elsewhere:9464]"
    targets.unlink()
    assert tree.write(tmp_path) == ["prometheus/targets/services.yaml"]


def test_what_an_earlier_version_left_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "collector"
    tree.write(folder)
    (folder / "prometheus" / "rules" / "mine.yaml").write_text("groups: []")
    assert main(["provision", "--output", str(folder), "--check"]) == 0
    rules = folder / "prometheus" / "rules"
    (rules / "alerts-old.yaml").write_text((rules / "recording.yaml").read_text("utf-8"))
    (folder / "grafana" / "dashboards" / "otelkit-old.json").write_text("{}")
    capsys.readouterr()
    assert main(["provision", "--output", str(folder), "--check"]) == 1
    said = capsys.readouterr().out
    assert said.count("no longer made: ") == 2
    assert "alerts-old.yaml" in said


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for command in (["provision"], ["collector", "render"]):
        assert main([*command, "--output", str(taken)]) == 2
        assert "cannot be written: " in capsys.readouterr().err
