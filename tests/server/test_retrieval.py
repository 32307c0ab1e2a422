"""Retrieval as the API tells it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from server_support import MS, Client, make_span

STORES = ("sqlite", "postgres")


def search(at: int, ms: float, results: int | None, **more: Any) -> Any:
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "handbook", **more}
    if results is not None:
        attributes["otelkit.retrieval.result_count"] = results
    return make_span("retrieval", base=time.time_ns() - at * 1000 * MS, ms=ms, kind=3, attributes=attributes)


def test_figures_results_scores_and_the_period_before(client: Client) -> None:
    base = 3600
    client.send([search(base + 3500, 100, 5) for _ in range(4)])
    scores = {"otelkit.retrieval.score.max": 0.9, "otelkit.retrieval.score.min": 0.1}
    weak = {**scores, "otelkit.retrieval.score.max": 0.3}
    new = [search(60, 200, count) for count in (0, 0, 1, 3, 5, 6, 70)]
    new += [search(50, 1000, 4, **{"gen_ai.retrieval.query.text": "return policy"}, **scores)]
    new += [search(40, 90, None, **weak), search(30, 20, 2, **{"gen_ai.data_source.id": "wiki"})]
    client.send(new)
    answer = client.ask("/api/retrieval?range=1h")
    assert (answer["total"]["calls"], answer["total"]["empty"], answer["total"]["empty_ratio"]) == (10, 2, 0.2)
    assert answer["total"]["p95_ms"] == pytest.approx(1000, rel=0.03)
    assert (answer["previous"]["calls"], answer["previous"]["empty"]) == (4, 0)
    assert answer["previous"]["p50_ms"] == pytest.approx(100, rel=0.03)
    assert [(row["source"], row["calls"]) for row in answer["sources"]] == [("handbook", 9), ("wiki", 1)]
    assert answer["sources"][0]["previous"]["calls"] == 4
    assert answer["sources"][1]["previous"] is None
    assert sum(answer["series"]["calls"]) == 10
    assert sum(answer["series"]["empty"]) == 2
    newest = answer["newest"]
    assert (newest["calls"], newest["complete"], newest["counted"]) == (10, True, 9)
    assert [(row["from"], row["to"], row["calls"]) for row in newest["results"]] == [
        *((0, 0, 2), (1, 1, 1), (2, 5, 4), (6, 10, 1), (11, 20, 0), (21, 50, 0), (51, None, 1))
    ]
    assert newest["scores"]["calls"] == 2
    assert newest["scores"]["best"]["p50"] == pytest.approx(0.6)
    assert newest["scores"]["lowest"]["p10"] == pytest.approx(0.1)
    assert newest["scores"]["mean"] is None
    assert answer["sources"][1]["scores"] is None
    slowest = answer["slowest"][0]
    assert (slowest["duration_ms"], slowest["asked"], slowest["results"], slowest["score"]) == (
        *(1000.0, "return policy", 4, 0.9),
    )
    assert [row["duration_ms"] for row in answer["slowest"]] == sorted(
        (row["duration_ms"] for row in answer["slowest"]), reverse=True
    )


def test_more_than_can_be_looked_at_is_said(client: Client) -> None:
    client.send([search(100, 10 + number / 10, 1) for number in range(230)])
    answer = client.ask("/api/retrieval")
    assert answer["total"]["calls"] == 230
    assert (answer["newest"]["calls"], answer["newest"]["complete"]) == (200, False)
    assert len(answer["slowest"]) == 10
    assert answer["slowest"][0]["duration_ms"] == pytest.approx(32.9)


def test_nothing_is_unknown_and_not_zero(client: Client) -> None:
    answer = client.ask("/api/retrieval")
    known = {"calls": 0, "errors": 0, "empty": 0}
    assert answer["total"] == {**known, **dict.fromkeys(("error_ratio", "empty_ratio", "p50_ms", "p95_ms"))}
    assert (answer["sources"], answer["slowest"], answer["newest"]["scores"]) == ([], [], None)


def test_the_scope_narrows(client: Client) -> None:
    client.send([search(50, 10, 1)])
    assert client.ask("/api/retrieval?service=shop")["newest"]["calls"] == 1
    other = client.ask("/api/retrieval?service=other")
    assert (other["total"]["calls"], other["newest"]["calls"], other["slowest"]) == (0, 0, [])
