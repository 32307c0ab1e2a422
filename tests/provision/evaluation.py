"""What expressions give on made-up series, by Prometheus' own program and with the committed recording rules."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.stack.parts import program

__all__ = ["Evaluation", "evaluate"]

_RECORDING = Path(__file__).parents[2] / "collector" / "prometheus" / "rules" / "recording.yaml"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Series (a sample a minute, as promtool writes them) and what expressions give ``at`` a time, without labels."""

    series: Mapping[str, str]
    at: str
    expected: Mapping[str, float]
    why: str = ""


def evaluate(folder: Path, *evaluations: Evaluation) -> None:
    """Assert that expressions give what is expected."""
    file = folder / "test.yaml"
    content = {"rule_files": [str(_RECORDING)], "fuzzy_compare": True, "tests": _tests(evaluations)}
    file.write_text(yaml.safe_dump(content, width=10_000))
    ran = subprocess.run([str(program("promtool")), "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _tests(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.why,
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in one.series.items()],
            "promql_expr_test": [
                {"expr": text, "eval_time": one.at, "exp_samples": [{"labels": "{}", "value": value}]}
                for text, value in one.expected.items()
            ],
        }
        for one in evaluations
    ]
