"""What the pages say holds: links resolve, code compiles and runs, examples come out as shown."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from otelkit.mapping.cost import parse_prices
from otelkit.mapping.redaction import Redactor
from otelkit.semconv.metrics import CATALOGUE
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk import processes

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
EXAMPLE = ROOT / "examples" / "rag_chatbot"

ANSWERED_IN = {
    "What is redacted before telemetry leaves the service?": "What is redacted before telemetry leaves the service",
    "How do I start otelkit in a FastAPI service?": "Start otelkit in a FastAPI service",
    "Which decorators are there for tools and retrieval?": "Which decorators there are",
    "How long does the server keep raw events?": "How long the server keeps raw events",
    "What happens when the backend is down?": "What happens when the backend is down",
    "How is the cost of a model call worked out?": "How the cost of a model call is worked out",
    "Which metrics does otelkit record for LLM tokens?": "Which metrics otelkit records for LLM tokens",
    "How are user ids protected?": "How user ids are protected",
    "What does the otelkit server store?": "What the otelkit server stores",
    "Can I send traces to an OpenTelemetry Collector?": "Send traces to an OpenTelemetry Collector",
}

GIVEN = {
    "shop-assistant": ["execute_tool find_order", "retrieval handbook"],
    "four-kinds": ["chat gpt-4o-mini", "chat gpt-4o-mini", "execute_tool calculate", "execute_tool find_order"],
    "with-blocks": ["chat gpt-4o-mini", "execute_tool find_order"],
    "agents": ["chat gpt-4o-mini", "invoke_agent support", "retrieval handbook", "run_job nightly"],
    "threads": ["execute_tool fetch"],
}
"""The spans of the examples that are run, by the service they name."""


def ident(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


class Block(NamedTuple):
    """One fenced block; ``mark`` is the comment right before it."""

    page: str
    line: int
    mark: str
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str) -> list[Block]:
    fence = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in fence.finditer(text):
            line = text.count("\n", 0, match.start("code"))
            found.append(Block(ident(page), line, match["mark"] or "", match["language"], match["code"]))
    return [block for block in found if block.language == language]


PYTHON = blocks("python")
RUN = [block for block in PYTHON if block.mark == "run"]
SERVE = [block for block in PYTHON if block.mark.startswith("serve ")]


# --- links ---------------------------------------------------------------------------------------------------


@cache
def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as Git hosts make them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=ident)
def test_every_relative_link_resolves(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    broken = []
    for link in links:
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text("utf-8")))
    pages = {ident(page) for page in PAGES} - {"README.md"}
    assert {*pages, "LICENSE", "env.example"} <= linked


# --- code ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.code, str(block), "exec")


def test_the_central_examples_are_run() -> None:
    assert len(RUN) >= 5
    assert len(SERVE) >= 2
    assert {block.page for block in RUN + SERVE} == {"README.md", "docs/decorators.md", "docs/getting-started.md"}


@pytest.mark.parametrize("block", RUN, ids=str)
def test_an_example_gives_spans(block: Block, tmp_path: Path) -> None:
    with OtlpSink() as sink:
        told = {**os.environ, "OTELKIT_ENDPOINT": sink.address}
        command = [sys.executable, "-c", block.code]
        done = subprocess.run(command, env=told, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        (service,) = re.findall(r'init\(service="(.+?)"', block.code)
        assert sorted(span.name for span in sink.spans) == GIVEN[service]
        assert {span.resource.attributes["service.name"] for span in sink.spans} == {service}


@pytest.mark.parametrize("block", SERVE, ids=str)
def test_a_service_gives_request_spans(block: Block, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(block.code)
    path = block.mark.removeprefix("serve ")
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}", "--app-dir", str(tmp_path)]
    with OtlpSink() as sink:
        with processes.service(command, tmp_path, {"OTELKIT_ENDPOINT": sink.address}, ready=path) as running:
            status, _, headers = running.get(path, {"x-team": "acme"})
            assert status == 200
            assert headers["x-request-id"]
            assert running.waits_for(lambda: len(sink.spans) >= 2)
        assert all(span.name.startswith("GET /") for span in sink.spans)
        if "x-team" in block.code:
            assert any("otelkit.group.id" in span.attributes for span in sink.spans)


def test_prices_are_read_as_shown() -> None:
    (block,) = (block for block in blocks("toml") if block.page == "docs/metrics-and-logs.md")
    prices = parse_prices(tomllib.loads(block.code))
    assert prices["openai", "ft:gpt-4o-mini:acme"].cache_read == 0.15
    assert prices["*", "mistral-nemo-ft"].output == 0.1


# --- tables --------------------------------------------------------------------------------------------------


def section(page: str, heading: str) -> str:
    text = (ROOT / page).read_text("utf-8")
    assert f"\n## {heading}\n" in text
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_redaction_is_as_shown() -> None:
    shown = section("docs/privacy.md", "What is redacted before telemetry leaves the service")
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", shown, re.MULTILINE)
    assert len(rows) > 10
    redactor = Redactor()
    assert [(text, redactor.text(text)) for text, _ in rows] == rows


def test_what_is_not_recognised_is_as_shown() -> None:
    shown = section("docs/privacy.md", "What is not recognised")
    texts = re.findall(r"^\| `(.+?)` \|", shown, re.MULTILINE)
    assert len(texts) == 4
    redactor = Redactor()
    assert [redactor.text(text) for text in texts] == texts
    assert redactor.attributes({"n": 4111111111111111}) == {"n": 4111111111111111}


def test_prometheus_names_in_the_mapping_are_ours() -> None:
    shown = section("docs/metrics-and-logs.md", "Names people search for")
    names = {
        name for row in re.findall(r"^\|[^|]*\|[^|]*\|([^|]*)\|$", shown, re.M) for name in re.findall(r"`(.+?)`", row)
    }
    assert len(names) > 12
    ours = {entry.prometheus_name for entry in CATALOGUE}
    assert [name for name in names if not {name, name.removesuffix("_count")} & ours] == []


# --- the chatbot of the demo answers from these pages ----------------------------------------------------------


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_test_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_demos_questions_find_their_answer_first() -> None:
    drive, retrieval = load("drive"), load("retrieval")
    assert set(ANSWERED_IN) == set(drive.DOCS)
    handbook = retrieval.Handbook.of_project(ROOT)
    found = {question: [p.title.rpartition(" › ")[2] for p in handbook.retrieve(question)] for question in ANSWERED_IN}
    assert {question: titles[0] for question, titles in found.items()} == ANSWERED_IN
