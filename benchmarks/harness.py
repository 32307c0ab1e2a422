"""What the benchmarks share: processes, CPU clocks, interleaved rounds, and the table a README can hold."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
MEASURED = set(CORES[:1])
"""The core of what is measured; load and sinks run on the others."""
AROUND = set(CORES[1:]) or MEASURED


@dataclass
class Report:
    """One benchmark's figures: rows for people, ``data`` for programs."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def markdown(self) -> str:
        """The table, aligned so that it also reads in a terminal."""
        lines = [list(self.columns), *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        text = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in lines
        ]
        text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([f"### {self.title}", "", *text, *(["", self.note] if self.note else []), ""])


def interleaved(
    variants: Sequence[str], rounds: int, measure: Callable[[str], dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Medians of every figure of every variant; each round measures all of them, in turn from another one on."""
    taken: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for number in range(rounds):
        at = number % len(variants)
        for variant in (*variants[at:], *variants[:at]):
            taken[variant].append(measure(variant))
    return {
        variant: {name: statistics.median(each[name] for each in found) for name in found[0]}
        for variant, found in taken.items()
    }


@contextmanager
def process(module: str, *arguments: str, cores: set[int] = AROUND) -> Iterator[subprocess.Popen[str]]:
    """Run a module of this folder until the block ends; its first line of output says that it is ready."""
    running = start(module, *arguments, cores=cores)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def start(module: str, *arguments: str, cores: set[int] = AROUND) -> subprocess.Popen[str]:
    """The same for a process that ends by itself."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OTELKIT_"))}
    running = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        *(), cwd=ROOT, env=told, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    if cores:
        os.sched_setaffinity(running.pid, cores)
    return running


def first_line(running: subprocess.Popen[str]) -> str:
    """What a process says when it is ready.

    Raises:
        RuntimeError: it ended without a word.
    """
    assert running.stdout is not None
    line = running.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{running.args} ended at its start")
    return line


def result(running: subprocess.Popen[str]) -> dict[str, float]:
    """The figures a process prints as its last line, when it has ended."""
    out, _ = running.communicate(timeout=120)
    if running.returncode:
        raise RuntimeError(f"{running.args} failed")
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def get(address: str) -> Any:
    """A JSON answer."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def times(value: float, base: float) -> str:
    """A ratio as people read it."""
    return f"{value / base:.2f}×" if base else "–"
