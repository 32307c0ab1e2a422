"""Real clients under real instrumentations: the server shows what the model API itself counted, once a call.

The stand-in's ledger is the truth, the price list is the price; tokens nobody reported are unknown and never 0.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from otelkit.mapping.cost import PriceBook
from otelkit.mapping.genai import Usage
from otelkit.semconv.attributes import GenAI, Otelkit
from otelkit.semconv.metrics import Metrics
from otelkit.testing.openai_ledger import LedgerEntry
from otelkit.testing.openai_server import OpenAIServer
from otelkit.testing.otlp_sink import OtlpSink
from tests.clients.calls import LEFT, OUTSIDE, SECRET
from tests.clients.conftest import Kind, Run, make_calls

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

PRICES = PriceBook()


def entries(run: Run) -> list[LedgerEntry]:
    return [entry for made in run.calls.values() for entry in made]


def unread(run: Run) -> set[int]:
    """Calls whose usage the client was not told, or left before it was."""
    left = {entry.sequence for name, made in run.calls.items() if LEFT in name for entry in made}
    return left | {entry.sequence for entry in entries(run) if not entry.usage_reported}


def failed(run: Run, entry: LedgerEntry) -> bool:
    return entry.status >= 400 or (entry.ended == "cut" and run.kind.notices_cuts)


def figures(run: Run, made: Sequence[LedgerEntry]) -> dict[str, Any]:
    """What the server has to show for these calls."""
    silent = unread(run)
    told = [entry for entry in made if entry.sequence not in silent]
    chats = [entry for entry in told if entry.operation == "chat"]
    costs = [cost for entry in told if (cost := price(entry)) is not None]
    return {
        "calls": len(made),
        "errors": sum(failed(run, entry) for entry in made),
        "unreported": sum(entry.sequence in silent and not failed(run, entry) for entry in made),
        "input": sum(entry.prompt_tokens for entry in told) if told else None,
        "output": sum(entry.completion_tokens for entry in chats) if chats else None,
        "cached": sum(entry.cached_tokens for entry in told),
        "reasoning": sum(entry.reasoning_tokens for entry in told),
        "cost": pytest.approx(sum(costs)) if costs else None,
    }


def price(entry: LedgerEntry) -> float | None:
    usage = Usage(entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens, None, entry.reasoning_tokens)
    cost = PRICES.price("openai", entry.response_model, usage, time.time_ns())
    return None if cost is None else cost.usd


def shown(row: dict[str, Any], calls: str, errors: str) -> dict[str, Any]:
    """The same figures of one row of the server's; no instrumentation tells "no cached tokens" from "not said"."""
    tokens = row["tokens"]
    return {
        "calls": row[calls],
        "errors": row[errors],
        "unreported": row["unreported_calls"],
        "input": tokens["input"],
        "output": tokens["output"],
        "cached": tokens["cached"] or 0,
        "reasoning": tokens["reasoning"] or 0,
        "cost": row["cost_usd"],
    }


def test_telemetry_worked_without_a_murmur(run: Run) -> None:
    assert run.said["delivered"]
    assert run.said["swallowed"] == 0
    assert "Traceback" not in run.said["log"]
    assert "otelkit" not in run.said["log"]


def test_each_call_is_in_its_trace_as_the_api_counted_it(run: Run) -> None:
    rows = {row["name"]: row for row in run.ask("/api/traces?limit=200&range=all")["traces"]}
    jobs = {name: made for name, made in run.calls.items() if name != OUTSIDE}
    found = {name: shown(rows[f"run_job {name}"], "llm_calls", "status") for name in jobs}
    expected = {name: figures(run, made) for name, made in jobs.items()}
    for name, figure in expected.items():
        # A job ends well although a call in it failed; the trace says that something did. Embeddings are no LLM calls.
        figure["errors"] = "error" if figure["errors"] else "ok"
        figure["calls"] = sum(entry.operation == "chat" for entry in jobs[name])
    assert found == expected


def test_each_model_is_shown_as_the_api_counted_it(run: Run) -> None:
    by_model: dict[tuple[str, str], list[LedgerEntry]] = defaultdict(list)
    for entry in entries(run):
        by_model[entry.response_model or entry.model, entry.operation].append(entry)
    answer = run.ask("/api/models?range=all")
    found = {(row["model"], row["operation"]): shown(row, "calls", "errors") for row in answer["models"]}
    assert found == {key: figures(run, made) for key, made in by_model.items()}
    assert {row["provider"] for row in answer["models"]} == {"openai"}
    everything = figures(run, entries(run))
    assert shown(answer["total"], "calls", "errors") == everything
    unpriced = {entry.model for entry in entries(run) if entry.usage_reported and price(entry) is None}
    assert {row["model"] for row in answer["unpriced"]} == unpriced


def test_metrics_count_each_call_once(run: Run) -> None:
    silent = unread(run)
    told = [entry for entry in entries(run) if entry.sequence not in silent]
    tokens = {
        "input": sum(entry.prompt_tokens for entry in told),
        "output": sum(entry.completion_tokens for entry in told),
        "cache_read": sum(entry.cached_tokens for entry in told),
        "reasoning": sum(entry.reasoning_tokens for entry in told),
    }
    assert summed(run, Metrics.LLM_TOKENS.name, GenAI.TOKEN_TYPE) == {key: n for key, n in tokens.items() if n}
    failures = sum(failed(run, entry) for entry in entries(run))
    outcomes = {"success": len(entries(run)) - failures, "error": failures}
    assert summed(run, Metrics.LLM_CALLS.name, Otelkit.OUTCOME) == outcomes
    cost = sum(price(entry) or 0 for entry in told)
    assert sum(point.value or 0 for point in run.sink.latest(Metrics.LLM_COST.name)) == pytest.approx(cost)
    usage = run.sink.latest(Metrics.TOKEN_USAGE.name)
    assert sum(point.samples for point in usage if point.attributes[GenAI.TOKEN_TYPE] == "input") == len(told)
    durations = run.sink.latest(Metrics.OPERATION_DURATION.name)
    assert sum(point.samples for point in durations) == len(entries(run))


def summed(run: Run, metric: str, label: str) -> dict[str, float]:
    """A counter's values by one label; zero series left out."""
    sums: dict[str, float] = defaultdict(float)
    for point in run.sink.latest(metric):
        sums[str(point.attributes[label])] += point.value or 0
    return {key: value for key, value in sums.items() if value}


def test_several_records_of_one_call_are_marked_and_counted_once(run: Run) -> None:
    """A decorator around an instrumented client, or a framework over it: all spans are kept, one counts."""
    traces = {row["name"]: row["trace_id"] for row in run.ask("/api/traces?limit=200&range=all")["traces"]}
    nested = ["wrapped", "async wrapped", "wrapped stream", "async wrapped stream"]
    if run.kind.library == "langchain":
        nested = ["invoke", "chain", "stream with usage", "stream without usage", "async chain", "not found", "wrapped"]
    for name in nested:
        spans = run.ask(f"/api/traces/{traces[f'run_job {name}']}")["spans"]
        marks = [span["duplicate"] for span in spans if span["step"] == "llm"]
        assert len(marks) == 2 + (name == "wrapped" and run.kind.library == "langchain"), name
        assert marks.count(False) == 1, name


def test_streams_have_a_first_token(run: Run) -> None:
    traces = {row["name"]: row["trace_id"] for row in run.ask("/api/traces?limit=200&range=all")["traces"]}
    for name in (name for name in run.calls if "stream with" in name):
        spans = run.ask(f"/api/traces/{traces[f'run_job {name}']}")["spans"]
        counted = next(span for span in spans if span["step"] == "llm" and not span["duplicate"])
        assert 0 < counted["first_token_ms"] <= counted["duration_ms"], name


def test_no_prompt_leaves(run: Run) -> None:
    """These instrumentations capture content by default, or could be told to by accident."""
    assert len(run.sink.requests) >= 2
    assert run.contains("gpt-4o-mini")
    for words in (*pieces(SECRET), "almanac", "You are brief", "shipped"):
        assert not run.contains(words), words


def pieces(sentence: str, size: int = 12) -> Iterable[str]:
    return (sentence[at : at + size] for at in range(len(sentence) - size))


def test_what_is_opted_in_arrives(kind: Kind, tmp_path: Path) -> None:
    """The other side of the same coin, which also proves that the search above would find what it looks for."""
    with OpenAIServer(latency=0) as api, OtlpSink() as sink:
        make_calls(kind, sink.address, api.base_url, tmp_path, "with-content")
    assert any(SECRET.encode() in request.body for request in sink.requests if request.path == "/v1/traces")
