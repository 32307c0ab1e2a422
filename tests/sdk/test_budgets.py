"""Budgets in code and settings: what they say to wrong ones, and what they export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import otelkit
from otelkit.errors import SettingsError
from otelkit.settings import load
from otelkit.settings.budgets import Budget, budgets
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk.jobs.test_in_process import run


@pytest.mark.parametrize(
    ("target", "given", "allowed"),
    [
        ("/chat", {"p95": "2s"}, "a method and a route as the application declares it, such as POST /chat"),
        ("POST /chat", {"p95": "2 hours"}, "a time such as 800ms, 2s or 1min"),
        ("POST /chat", {"p95": -1}, "a time such as"),
        ("POST /chat", {"p95": True}, "a time such as"),
        ("POST /chat", {"tokens": 1.5}, "a whole number from 1 up"),
        ("POST /chat", {}, "at least one of p50, p95, p99, mean, tokens, bytes"),
        ("POST /chat", {"p95": "2s", "path": "dist"}, "a path goes with bytes only"),
        ("static", {"bytes": "300KB"}, "need a path"),
        ("static", {"bytes": "300 parsec", "path": "dist"}, "a size such as 300KB or 2MB"),
        ("POST /chat", {"bytes": "300KB", "path": "dist"}, "named by a word such as static"),
    ],
)
def test_a_wrong_budget_says_what_is_allowed(target: str, given: Mapping[str, Any], allowed: str) -> None:
    with pytest.raises(SettingsError, match=allowed):
        otelkit.budget(target, **given)


def test_as_a_setting() -> None:
    text = "POST /chat: p95=800ms, tokens=4000; GET /a:b: mean=1min; static: path=dist/*.js, bytes=1.5MB"
    made = budgets(text)
    assert made == (
        Budget("POST /chat", (("p95", 0.8), ("tokens", 4000.0))),
        Budget("GET /a:b", (("mean", 60.0),)),
        Budget("static", (("bytes", 1_500_000.0),), "dist/*.js"),
    )
    assert budgets("; ".join(map(str, made))) == made
    with pytest.raises(SettingsError, match=r"OTELKIT_BUDGETS is 'POST /chat p95=2s', but must be budgets such as"):
        load({"OTELKIT_BUDGETS": "POST /chat p95=2s"})
    with pytest.raises(SettingsError, match="not 'p90'"):
        load({"OTELKIT_BUDGETS": "POST /chat: p90=2s"})


SERVICE = """
import time, fastapi, otelkit
from fastapi.testclient import TestClient
otelkit.budget("POST /chat/{room}", p95="50ms", mean="10s", tokens=1000)
otelkit.budget("GET /idle", p95=1)
otelkit.budget("static", path=%r, bytes="1KB")
app = fastapi.FastAPI()
otelkit.init(app, service="shop")

@app.post("/chat/{room}")
def chat(room: str, slow: bool = False):
    if slow: time.sleep(0.1)
    for _ in range(2):
        with otelkit.traced_llm("gpt-4o", provider="openai") as step:
            step.record_usage(input_tokens=500, output_tokens=100)

@app.get("/idle")
def idle(): pass

client = TestClient(app)
for slow in (False, False, True):
    client.post(f"/chat/blue?slow={slow}")
otelkit.flush()
"""


def test_what_is_exported(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "app.js").write_bytes(b"x" * 900)
    (tmp_path / "deep" / "app.css").write_bytes(b"x" * 200)
    with OtlpSink() as sink:
        run(SERVICE % str(tmp_path), sink)

        def values(name: str) -> dict[tuple[str, str], float | None]:
            names = ("otelkit.budget.target", "otelkit.budget.measure")
            return {tuple(map(point.attributes.get, names)): point.value for point in sink.latest(name)}

        limits, measured = values("otelkit.budget.limit"), values("otelkit.budget.value")
        exceeded = values("otelkit.budget.exceeded")
        chat = "POST /chat/{room}"
        assert limits == {
            (chat, "p95"): 0.05, (chat, "mean"): 10.0, (chat, "tokens"): 1000.0,
            ("GET /idle", "p95"): 1.0, ("static", "bytes"): 1000.0,
        }  # fmt: skip
        assert 0.1 < (measured[chat, "p95"] or 0) < 5
        assert (measured[chat, "tokens"], measured["static", "bytes"]) == (1200.0, 1100.0)
        assert ("GET /idle", "p95") not in measured, "nothing measured is unknown, not nothing"
        assert exceeded == {
            (chat, "p95"): 1.0, (chat, "mean"): 0.0, (chat, "tokens"): 1.0, ("static", "bytes"): 1.0,
        }  # fmt: skip
