"""The page's files themselves: types that hold, lines that can be read, weight that loads at once."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "otelkit" / "server" / "page"
OURS = sorted(path for path in PAGE.rglob("*.js") if "vendor" not in path.parts)
PAGES = sorted((PAGE / "pages").glob("*.js"))
IMPORT = re.compile(r"""^(?:import|export)\b[^;(]*?["'](\.{1,2}/[^"']+)["'];""", re.MULTILINE)
MOST_BYTES = 150_000
LONGEST_LINE = 160


def test_types_hold() -> None:
    subprocess.run([HERE / "install-typescript"], check=True, timeout=110)
    program = HERE.parents[1] / ".cache" / "typescript" / "node_modules" / ".bin" / "tsc"
    if not program.exists():
        message = "the page's types are NOT checked: npm (apt install npm) is missing, or brought no TypeScript"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    told = subprocess.run([program, "-p", HERE / "tsconfig.json"], capture_output=True, text=True, timeout=100)
    wrong = [line for line in told.stdout.splitlines() if ": error TS" in line]
    assert wrong or told.returncode == 0, told.stdout + told.stderr
    assert [line for line in wrong if "/page/vendor/" not in line] == []


def test_lines_can_be_read() -> None:
    long = [
        f"{path.relative_to(PAGE)}:{number}"
        for path in OURS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert not long


def _with_imports(path: Path, seen: set[Path]) -> set[Path]:
    """A module and everything it cannot start without; what it imports later is not among it."""
    if path not in seen:
        seen.add(path)
        for found in IMPORT.findall(path.read_text("utf-8")):
            _with_imports((path.parent / found).resolve(), seen)
    return seen


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_page_is_small(page: Path) -> None:
    shell = _with_imports(PAGE / "app.js", set())
    assert {"preact.js", "app.js", "state.js"} <= {path.name for path in shell}
    assert not shell & set(PAGES), "pages are brought when they are looked at"
    modules = _with_imports(page, shell)
    files = [*modules, PAGE / "index.html", *PAGE.rglob("*.css"), PAGE / "icon.svg"]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= MOST_BYTES


@pytest.mark.browser
def test_the_first_view_is_small(view_of: Any, site: Any) -> None:
    view = view_of(site)
    answers: list[Any] = []
    view.page.on("response", lambda answer: answers.append(answer))
    view.open("/", ".card").wait_for_load_state("networkidle")
    files = {answer.url: answer for answer in answers if "/api/" not in answer.url}
    weights = {url: answer.request.sizes()["responseBodySize"] for url, answer in files.items()}
    assert weights[f"{site.url}/app.js"] > 1000
    assert weights[f"{site.url}/vendor/uplot.js"] > 10_000
    assert sum(weights.values()) <= MOST_BYTES, weights
