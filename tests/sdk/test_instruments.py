"""Counts of a batch, added up before they reach the SDK's counters."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otelkit.mapping.metrics import Measurement
from otelkit.model import Span
from otelkit.sdk.instruments import Instruments, Tally
from otelkit.semconv.metrics import Metrics


def points(reader: InMemoryMetricReader) -> dict[tuple[str, Any], Any]:
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else ()
    return {
        (metric.name, point.attributes.get("gen_ai.tool.name")): point
        for metric in metrics
        for point in metric.data.data_points
    }


def count(tool: Any, value: int = 1) -> Measurement:
    return Measurement(Metrics.TOOL_CALLS, value, {"gen_ai.tool.name": tool})


def test_a_batchs_counts_arrive_as_one_sum_a_series() -> None:
    reader = InMemoryMetricReader()
    tally = Tally(Instruments(MeterProvider([reader])))
    for tool, value in (("a", 1), ("b", 0), ("a", 2)):
        tally.record(count(tool, value), Span(b"t" * 16, value.to_bytes(8, "big"), b"", "s", 1, 0, 1))
    tally.record(Measurement(Metrics.TOOL_DURATION, 0.5, {"gen_ai.tool.name": "a"}))
    assert points(reader).keys() == {(Metrics.TOOL_DURATION.name, "a")}
    tally.settle()
    found = points(reader)
    assert found[Metrics.TOOL_CALLS.name, "a"].value == 3
    assert found[Metrics.TOOL_CALLS.name, "a"].exemplars[0].span_id == 2
    assert found[Metrics.TOOL_CALLS.name, "b"].value == 0  # the series is there from the start
    tally.settle()
    assert points(reader)[Metrics.TOOL_CALLS.name, "a"].value == 3


def test_a_label_that_cannot_be_a_key_is_counted_all_the_same() -> None:
    reader = InMemoryMetricReader()
    tally = Tally(Instruments(MeterProvider([reader])))
    tally.record(Measurement(Metrics.TOOL_CALLS, 1, {"gen_ai.tool.name": "a", "odd": {"a": "mapping"}}))
    tally.settle()
    assert sum(point.value for point in points(reader).values()) == 1
