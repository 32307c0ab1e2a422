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
    assert (answer["total"]["calls"], answer["total"]["empty"]) == (10, 2)
    assert answer["total"]["empty_ratio"] == pytest.approx(2 / 9), "of those that said how much they found"
    assert answer["total"]["p95_ms"] == pytest.approx(1000, rel=0.03)
    assert (answer["previous"]["calls"], answer["previous"]["empty"]) == (4, 0)
    assert answer["previous"]["p50_ms"] == pytest.approx(100, rel=0.03)
    assert [(row["source"], row["calls"]) for row in answer["sources"]] == [("handbook", 9), ("wiki", 1)]
    assert answer["sources"][0]["previous"]["calls"] == 4
    assert answer["sources"][1]["previous"] is None
    assert sum(answer["series"]["calls"]) == 10
    assert sum(answer["series"]["empty"]) == 2
    assert {name: answer["total"][name] for name in ("counted", "results", "scored", "other_scale")} == (
        {"counted": 9, "results": 91, "scored": 2, "other_scale": 0}
    )
    assert answer["total"]["results_mean"] == pytest.approx(91 / 9)
    assert (answer["previous"]["counted"], answer["previous"]["results_mean"]) == (4, 5.0)
    assert [(row["from"], row["to"], row["calls"]) for row in answer["found"]] == [
        *((0, 0, 2), (1, 1, 1), (2, 5, 4), (6, 10, 1), (11, 20, 0), (21, 50, 0), (51, None, 1))
    ]
    assert [answer["total"][name] for name in ("score_p10", "score_p50", "score_p90")] == [0.3, 0.3, 0.9]
    handbook, wiki = answer["sources"]
    assert (handbook["counted"], handbook["scored"], handbook["previous"]["results"]) == (8, 2, 20)
    assert (wiki["counted"], wiki["results_mean"], wiki["scored"], wiki["score_p50"]) == (1, 2.0, 0, None)
    assert [value for value in wiki["series"]["results_mean"] if value is not None] == [2.0]
    assert [value for value in answer["series"]["score_p50"] if value is not None][-1] in (0.3, 0.9)
    slowest = answer["slowest"][0]
    assert (slowest["duration_ms"], slowest["asked"], slowest["results"], slowest["score"]) == (
        *(1000.0, "return policy", 4, 0.9),
    )
    assert [row["duration_ms"] for row in answer["slowest"]] == sorted(
        (row["duration_ms"] for row in answer["slowest"]), reverse=True
    )


def test_every_call_of_the_range_is_counted_and_once(client: Client) -> None:
    sent = [search(100, 10 + n / 10, n, **{"otelkit.retrieval.score.max": n / 500}) for n in range(500)]
    for _ in range(2):
        client.send(sent)
    client.send([search(90, 1, 5000), search(90, 1, 3, **{"otelkit.duplicate": True})])
    answer = client.ask("/api/retrieval")
    total = answer["total"]
    assert (total["calls"], total["counted"], total["results"]) == (501, 501, sum(range(500)) + 1000)
    assert [row["calls"] for row in answer["found"]] == [1, 1, 4, 5, 10, 30, 450]
    assert [total[name] for name in ("scored", "score_p10", "score_p50", "score_p90")] == [500, 0.098, 0.498, 0.898]
    assert sum(value is not None for value in answer["series"]["score_p50"]) in (1, 2)
    assert len(answer["slowest"]) == 10
    assert answer["slowest"][0]["duration_ms"] == pytest.approx(59.9)


@pytest.mark.parametrize("tier", ["15m", "3h", "7d"])
def test_every_tier_says_the_same(client: Client, tier: str) -> None:
    client.send([search(30, 5, 4, **{"otelkit.retrieval.score.max": 0.25}) for _ in range(3)])
    total = client.ask(f"/api/retrieval?range={tier}")["total"]
    assert (total["counted"], total["results_mean"], total["scored"], total["score_p50"]) == (3, 4.0, 3, 0.25)


def test_scores_of_another_scale_are_said_and_left_out(client: Client) -> None:
    key = "otelkit.retrieval.score.max"
    client.send([search(50, 10, None, **{key: score}) for score in (17.5, -0.2, float("inf"), float("nan"), True)])
    total = client.ask("/api/retrieval")["total"]
    assert (total["scored"], total["other_scale"], total["score_p50"], total["counted"]) == (0, 2, None, 0)
    client.send([search(50, 10, -3, **{key: score}) for score in (0, 1.0, 1)])
    total = client.ask("/api/retrieval")["total"]
    assert (total["scored"], total["other_scale"], total["score_p10"], total["score_p50"]) == (3, 2, 0.0, 1.0)
    unknown = ("results", "results_mean", "empty", "empty_ratio")
    assert (total["counted"], *(total[name] for name in unknown)) == (0, *(None,) * 4)


def test_nothing_is_unknown_and_not_zero(client: Client) -> None:
    answer = client.ask("/api/retrieval")
    known = dict.fromkeys(("calls", "errors", "empty", "counted", "scored", "other_scale"), 0)
    unknown = ("error_ratio", "empty_ratio", "p50_ms", "p95_ms", "results", "results_mean")
    assert answer["total"] == {**known, **dict.fromkeys((*unknown, "score_p10", "score_p50", "score_p90"))}
    assert (answer["sources"], answer["slowest"]) == ([], [])
    assert {row["calls"] for row in answer["found"]} == {0}


def test_the_scope_narrows(client: Client) -> None:
    client.send([search(50, 10, 1)])
    assert client.ask("/api/retrieval?service=shop")["total"]["counted"] == 1
    other = client.ask("/api/retrieval?service=other")
    assert (other["total"]["calls"], other["total"]["counted"], other["slowest"]) == (0, 0, [])
