"""Metrics over time, as the API tells them: every kind, both temporalities, restarts, splits and exemplars."""

from __future__ import annotations

import json
import time
import urllib.parse
from typing import Any

import pytest
from server_support import MS, Client

from otelkit.server.insights.distributions import explicit, exponential, grown, quantile
from otelkit.server.insights.gains import Reading, gains

STORES = ("sqlite", "postgres")
SECOND = 1_000_000_000
NOW = time.time_ns() // (60 * SECOND) * 60 * SECOND


def attributes(values: dict[str, str]) -> list[Any]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def send(client: Client, name: str, shape: str, points: list[dict[str, Any]], *, unit: str = "", **more: Any) -> None:
    """Send points; ``ago`` is in minutes before a whole minute, ``of`` their attributes."""
    data = []
    for point in points:
        ago, of, start = point.pop("ago"), point.pop("of", {}), point.pop("start_ago", 600)
        times = {"timeUnixNano": str(NOW - int(ago * 60 * SECOND)), "startTimeUnixNano": str(NOW - start * 60 * SECOND)}
        data.append({**times, "attributes": attributes(of), **point})
    metric = {"name": name, "unit": unit, shape: {"dataPoints": data, **more}}
    service = {"attributes": attributes({"service.name": "shop"})}
    body = {"resourceMetrics": [{"resource": service, "scopeMetrics": [{"metrics": [metric]}]}]}
    assert client.post("/v1/metrics", json.dumps(body).encode(), "application/json").status == 200


def plot(client: Client, name: str, *where: str, **more: str) -> Any:
    begin, end = NOW // MS - 6_000_000, NOW // MS + 60_000  # steps of a minute
    query = {"name": name, "from": begin, "to": end, **more, "where": where}
    return client.ask("/api/metrics/plot?" + urllib.parse.urlencode(query, doseq=True))


def known(line: dict[str, Any]) -> list[float]:
    return [value for value in line["values"] if value is not None]


def last(answer: Any, minutes: int = 1) -> list[float]:
    """Return the value of each line so many minutes before the last step."""
    at = next(n for n, begin in enumerate(answer["times"]) if begin >= NOW // MS - minutes * 60_000)
    return [line["values"][at] for line in answer["series"]]


def test_gauges_are_what_they_were(client: Client) -> None:
    points = [{"ago": 3 - at / 4, "asDouble": value, "of": {"host": "a"}} for at, value in enumerate((1, 5, 2, 4))]
    send(client, "memory", "gauge", [*points, {"ago": 3, "asDouble": 10, "of": {"host": "b"}}], unit="By")
    answer = plot(client, "memory")
    assert (answer["kind"], answer["way"], answer["unit"]) == ("gauge", "last", "By")
    assert last(answer, 3) == [7.0]
    assert last(answer, 1) == [7.0], "it holds"
    assert last(plot(client, "memory", way="max"), 3) == [10.0]
    assert last(plot(client, "memory", way="min"), 3) == [1.0]
    assert last(plot(client, "memory", way="sum"), 3) == [14.0]
    assert last(plot(client, "memory", "host:a", way="avg"), 3) == [3.0]
    split = plot(client, "memory", by="host")
    assert {line["label"]: known(line)[0] for line in split["series"]} == {"b": 10.0, "a": 4.0}
    assert [one["key"] for one in split["attributes"]] == ["host", "service"]
    assert plot(client, "memory", "host:c")["matching"] == 0


def test_growing_sums_are_rates_and_restarts_lose_nothing(client: Client) -> None:
    values = [(10, 100), (9, 160), (8, 220), (7, 30), (6, 90)]  # restarted before the reading of 7 minutes ago
    send(
        client,
        "requests",
        "sum",
        [{"ago": ago, "asInt": str(value)} for ago, value in values],
        isMonotonic=True,
        aggregationTemporality=2,
    )
    answer = plot(client, "requests")
    assert (answer["way"], answer["unit"]) == ("rate", "1/s")
    assert [last(answer, ago)[0] for ago in (9, 8, 7, 6)] == [1.0, 1.0, 0.5, 1.0]
    assert answer["series"][0]["values"][-1] is None
    assert sum(known(plot(client, "requests", way="increase")["series"][0])) == 60 + 60 + 30 + 60


def test_a_counter_born_in_the_range_counts_from_zero(client: Client) -> None:
    point = {"ago": 5, "start_ago": 6, "asInt": "30"}
    send(client, "new", "sum", [point], isMonotonic=True, aggregationTemporality=2)
    assert known(plot(client, "new", way="increase")["series"][0]) == [30.0]
    send(client, "old", "sum", [{"ago": 5, "asInt": "30"}], isMonotonic=True, aggregationTemporality=2)
    assert known(plot(client, "old", way="increase")["series"][0]) == []


def test_sums_from_report_to_report(client: Client) -> None:
    points = [{"ago": ago, "start_ago": ago + 1, "asInt": "6"} for ago in (5, 4, 3)]
    send(client, "delta", "sum", points, isMonotonic=True, aggregationTemporality=1)
    assert last(plot(client, "delta"), 4) == [0.1]
    assert sum(known(plot(client, "delta", way="increase")["series"][0])) == 18


def test_sums_that_go_up_and_down_are_added_up(client: Client) -> None:
    points = [{"ago": 2, "asInt": "3", "of": {"pool": name}} for name in "ab"]
    send(client, "open", "sum", points, isMonotonic=False, aggregationTemporality=2)
    answer = plot(client, "open")
    assert (answer["way"], last(answer, 2)) == ("sum", [6.0])


@pytest.mark.parametrize("temporality", [1, 2])
def test_histograms_become_percentiles_rates_and_averages(client: Client, temporality: int) -> None:
    def point(ago: int, counts: list[int], total: float) -> dict[str, Any]:
        start = ago + 1 if temporality == 1 else 600
        texts = [str(count) for count in counts]
        exemplar = {
            "timeUnixNano": str(NOW - ago * 60 * SECOND),
            "asDouble": 1.5,
            "traceId": "0af7651916cd43dd8448eb211c80319c",
            "spanId": "b7ad6b7169203331",
        }
        shape = {"count": str(sum(counts)), "sum": total, "bucketCounts": texts, "explicitBounds": [1, 2, 4]}
        return {"ago": ago, "start_ago": start, "exemplars": [exemplar], **shape}

    before = [10, 0, 0, 0]
    now = [10 + 50, 40, 10, 0] if temporality == 2 else [50, 40, 10, 0]
    total = 100.0 if temporality == 1 else 105.0
    points = [point(5, before, 5.0), point(4, now, total)]
    send(client, "took", "histogram", points, unit="s", aggregationTemporality=temporality)
    answer = plot(client, "took")
    assert ([line["label"] for line in answer["series"]], answer["unit"]) == (["p50", "p95", "p99"], "s")
    assert last(answer, 4) == [pytest.approx(1.0), pytest.approx(3.0), pytest.approx(3.8)]
    assert last(plot(client, "took", way="rate"), 4) == [pytest.approx(100 / 60)]
    assert last(plot(client, "took", way="avg"), 4) == [pytest.approx(1.0)]
    assert answer["exemplars"][0]["span_id"] == "b7ad6b7169203331"
    assert plot(client, "took", by="service")["way"] == "p95"


def test_exponential_histograms(client: Client) -> None:
    side = {"offset": 0, "bucketCounts": ["0", "100"]}
    point = {"ago": 4, "start_ago": 5, "count": "100", "sum": 300, "scale": 0, "zeroCount": "0", "positive": side}
    send(client, "exp", "exponentialHistogram", [point], aggregationTemporality=1)
    assert last(plot(client, "exp"), 4) == [pytest.approx(3.0), pytest.approx(3.9), pytest.approx(3.98)]


def test_summaries_say_their_own_quantiles(client: Client) -> None:
    values = [{"quantile": 0.5, "value": 2}, {"quantile": 0.99, "value": 9}]
    points = [
        {"ago": ago, "count": str(10 * (6 - ago)), "sum": 20 * (6 - ago), "quantileValues": values} for ago in (5, 4)
    ]
    send(client, "summed", "summary", points)
    answer = plot(client, "summed")
    assert [(line["label"], known(line)[0]) for line in answer["series"]] == [("p50", 2.0), ("p99", 9.0)]
    assert last(plot(client, "summed", way="avg"), 4) == [2.0]


def test_more_than_ten_are_ten_and_the_others(client: Client) -> None:
    points = [{"ago": 2, "asDouble": at, "of": {"host": f"h{at:02d}"}} for at in range(14)]
    send(client, "many", "gauge", points)
    lines = plot(client, "many", by="host", way="sum")["series"]
    assert [line["label"] for line in lines] == [*(f"h{at:02d}" for at in range(13, 3, -1)), "4 other"]
    assert (lines[-1]["other"], known(lines[-1])[0]) == (True, 0 + 1 + 2 + 3)


def test_the_list_names_services(client: Client) -> None:
    send(client, "memory", "gauge", [{"ago": 1, "asDouble": 1}], unit="By")
    found = client.ask("/api/metrics")["metrics"]
    assert [(one["name"], one["services"], one["series"]) for one in found] == [("memory", ["shop"], 1)]


@pytest.mark.parametrize(
    ("query", "parameter"), [("", "name"), ("name=a&way=often", "way"), ("name=a&where=b", "where")]
)
def test_wrong_parameters_are_pointed_at(client: Client, query: str, parameter: str) -> None:
    answer = client.get(f"/api/metrics/plot?{query}")
    assert (answer.status, answer.json["error"]["parameter"]) == (400, parameter)


def test_a_counter_that_is_read_twice_a_step() -> None:
    readings = [Reading(0, 10, 5), Reading(0, 20, 8), Reading(15, 30, 2), Reading(15, 40, 2)]
    assert [gain.amount for gain in gains(readings, cumulative=True, born=50)] == [3, 2, 0]
    assert [gain.amount for gain in gains(readings, cumulative=True, born=0)] == [5, 3, 2, 0]


def test_buckets() -> None:
    assert quantile({}, 0.5) is None
    assert quantile(explicit([1, 2], [0, 0, 5]), 0.5) == 2, "beyond the last bound is all that is known"
    assert quantile(explicit([10], [4, 0]), 0.5) == 5
    assert quantile(explicit([], [3]), 0.5) is None
    assert grown({(0, 1): 3}, {(0, 1): 5, (1, 2): 1}) == {(0, 1): 2, (1, 2): 1}
    assert grown({(0, 1): 3}, {(0, 1): 2}) == {(0, 1): 2}
    fine = exponential({"scale": 1, "positive_offset": 2, "positive_buckets": [4, 6]})
    coarse = exponential({"scale": 0, "positive_offset": 1, "positive_buckets": [13]})
    assert grown(fine, coarse) == {(2.0, 4.0): 3}
    mixed = exponential({"scale": 0, "zero_count": 2, "negative_offset": 0, "negative_buckets": [3]})
    assert mixed == {(0.0, 0.0): 2, (-2.0, -1.0): 3}
