"""What the doctor found: one line a hop, for people and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final, TextIO

__all__ = ["Line", "Report", "Verdict"]

_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}


class Verdict(StrEnum):
    """What became of one hop."""

    OK = "ok"
    WARN = "warn"  # it works, and something about it will cost you later
    FAIL = "fail"
    SKIP = "skip"  # not looked at, and why


@dataclass(frozen=True, slots=True)
class Line:
    """One hop: what was found, how many seconds it took (None where that means nothing), and what to change."""

    hop: str
    verdict: Verdict
    found: str
    seconds: float | None = None
    advice: str = ""


class Report:
    """Prints lines as they come, or all of them as JSON at the end."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None) -> None:
        self._lines: list[Line] = []
        self._as_json = as_json
        self._out = out or sys.stdout
        self._coloured = not as_json and self._out.isatty()

    def add(self, *lines: Line) -> None:
        """Note lines; people see them at once, because a hop may take its time."""
        for line in lines:
            self._lines.append(line)
            if not self._as_json:
                print(self._shown(line), file=self._out, flush=True)

    @property
    def failed(self) -> bool:
        """Whether a hop broke."""
        return any(line.verdict is Verdict.FAIL for line in self._lines)

    def end(self) -> int:
        """Print what is left to print; returns the exit status: 0 when every hop that was looked at works, else 1."""
        if self._as_json:
            content = {"ok": not self.failed, "lines": [asdict(line) for line in self._lines]}
            print(json.dumps(content, indent=2), file=self._out)
        else:
            print(_conclusion(self._lines), file=self._out)
        return 1 if self.failed else 0

    def _shown(self, line: Line) -> str:
        word = f"{line.verdict:<5}"
        if self._coloured:
            word = f"\x1b[{_COLOURS[line.verdict]}m{word}\x1b[0m"
        took = "" if line.seconds is None else f"  {_duration(line.seconds)}"
        advice = f"\n      → {line.advice}" if line.advice else ""
        return f"{word} {line.hop:<11} {line.found}{took}{advice}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _conclusion(lines: Sequence[Line]) -> str:
    count = {verdict: sum(line.verdict is verdict for line in lines) for verdict in Verdict}
    if count[Verdict.FAIL]:
        return f"{count[Verdict.FAIL]} of {len(lines)} checks failed."
    warned = f", {count[Verdict.WARN]} with a warning" if count[Verdict.WARN] else ""
    return f"Everything that was looked at works{warned}."
