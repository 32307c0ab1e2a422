"""The committed folder is what the code gives, and the command says where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from otelkit.cli.main import main
from otelkit.provision import tree

_COMMITTED = Path(__file__).parents[2] / "collector"


def test_committed_files_are_what_the_code_gives() -> None:
    assert tree.differences(_COMMITTED) == [], "run: otelkit provision"


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
