"""Every query of every dashboard on the real Prometheus and Loki; those that the demo must fill are filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.provision.dashboards.boards import Query, queries
from otelkit.provision.dashboards.definition import Source
from otelkit.semconv.metrics import Metrics
from tests.stack.pipeline import Load, Pipeline
from tests.stack.running import until

_QUERIES = list(queries())
_NAMES = [f"{query.board}: {query.panel} {number}" for number, query in enumerate(_QUERIES)]
_CALLS = Metrics.LLM_CALLS.prometheus_name


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline of its own, in which conversations went on after the first ones were seen: rates need two looks."""
    with Pipeline(tmp_path_factory.mktemp("dashboards") / "home") as running:
        load = Load(running, running.collector.url)
        load.drive(8, seed=2)
        seen = until(lambda: running.prometheus.total(_CALLS), 60, "the first conversations")
        load.drive(24)
        until(lambda: running.prometheus.total(_CALLS) > seen, 60, "the others")
        yield running


@pytest.mark.parametrize("query", _QUERIES, ids=_NAMES)
def test_a_query_is_answered_and_the_demo_fills_what_it_must(query: Query, busy: Pipeline) -> None:
    def answer() -> list[Any]:
        text = query.filled(window="10m", shown="10m")
        if query.logs:
            return list(busy.loki.entries(text))
        asked = busy.loki.query(text) if query.source is Source.LOKI else busy.prometheus.query(text)
        return [series for series in asked if series["value"][1] != "NaN"]

    if query.sure:
        until(answer, 90, f"{query.panel}: {query.text}")
    else:
        answer()


def test_a_chosen_service_that_does_not_exist_has_no_figures(busy: Pipeline) -> None:
    of_services = [query for query in _QUERIES if "$service" in query.text and query.source is Source.PROMETHEUS]
    assert len(of_services) > 100
    for query in of_services:
        assert busy.prometheus.query(query.filled(window="10m", shown="10m", service="nobody")) == [], query.panel
