"""Metrics through the Collector: names as the catalogue has them, and LLM metrics derived for plain services."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter as SdkCounter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.trace import Status, StatusCode, Tracer

from otelkit.mapping import metrics as mapping
from otelkit.mapping.genai import normalise
from otelkit.model import Span
from otelkit.provision.foreign import CollectorMetrics
from otelkit.provision.promql import label
from otelkit.semconv.metrics import CATALOGUE, Instrument, MetricDef, Metrics, Profile
from tests.stack.collector_support import Client, Rig, rig
from tests.stack.running import until

pytestmark = pytest.mark.stack

_ADDED = ("job", "instance", "service_", "deployment_", "otel_scope_", "le")
# Needs a price list, which the Collector has not.
_NOT_DERIVED = (Metrics.LLM_COST, Metrics.LLM_UNPRICED)

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        yield made


def labels(attributes: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset((label(key), str(value)) for key, value in attributes.items())


def expected(spans: Iterable[Span], profiles: set[Profile]) -> Series:
    """What the SDK's processors would have recorded, as Prometheus has it."""
    found: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    for span in map(normalise, spans):
        for entry in chain(mapping.llm(span), mapping.retrieval(span), mapping.tools(span), mapping.steps(span)):
            if entry.metric in _NOT_DERIVED or entry.metric.profile not in profiles:
                continue
            name, key = entry.metric.prometheus_name, labels(entry.attributes)
            if entry.metric.instrument is Instrument.COUNTER:
                found[name, key] += entry.value
                continue
            found[f"{name}_count", key] += 1
            found[f"{name}_sum", key] += entry.value
            for bound in (*entry.metric.boundaries, math.inf):
                found[f"{name}_bucket", key | {("le", f"{bound:g}")}] += entry.value <= bound
    return dict(found)


def scraped(rig: Rig) -> Series:
    """What Prometheus would have, without the labels that say whose it is."""
    found: Series = {}
    for sample in rig.samples():
        if sample.name != "target_info":
            kept = {key: value for key, value in sample.labels.items() if not key.startswith(_ADDED)}
            if "le" in sample.labels:
                kept["le"] = f"{float(sample.labels['le']):g}"
            found[sample.name, frozenset(kept.items())] = sample.value
    return found


def speak(tracer: Tracer) -> int:
    """Spans of every kind and convention, each a trace of its own; how many."""
    chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    tokens = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 33}
    all_tokens = {
        **tokens, "gen_ai.usage.cache_read.input_tokens": 512, "gen_ai.usage.cache_write.input_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 20,
    }  # fmt: skip
    said: tuple[Mapping[str, Any], ...] = (
        {**chat, **all_tokens, "gen_ai.response.model": "gpt-4o-mini", "gen_ai.response.finish_reasons": ["stop"]},
        {**chat, **tokens, "gen_ai.response.finish_reasons": ["stop"] * 2, "gen_ai.response.time_to_first_chunk": 0.03},
        {**chat, **tokens, "gen_ai.provider.name": "Azure_OpenAI"},
        {**chat, "error.type": "timeout"},
        {**chat, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},  # was told nothing
        {**chat, **tokens, "otelkit.outcome": "cancelled"},
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "e3",
            "gen_ai.usage.input_tokens": 12,
        },
        {
            "gen_ai.operation.name": "text_completion",
            "gen_ai.system": "aws_bedrock",
            "llm.request.model": "titan",
            "gen_ai.usage.prompt_tokens": 5,
            "gen_ai.usage.completion_tokens": 6,
        },
        {"llm.request.type": "chat", "gen_ai.system": "mistral", "gen_ai.request.model": "m", **tokens},
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "claude",
            "llm.provider": "anthropic",
            "llm.token_count.prompt": 40,
            "llm.token_count.completion": 8,
        },
        {"openinference.span.kind": "TOOL", "tool.name": "calculator"},
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find",
            "gen_ai.tool.type": "function",
            "otelkit.tool.integration": "crm",
            "otelkit.tool.action": "search",
        },
        {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "h", "otelkit.retrieval.result_count": 0},
        {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "h", "otelkit.retrieval.result_count": 4},
        {"gen_ai.operation.name": "rerank", "otelkit.rerank.model": "r1"},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support", **tokens},  # its children's again
        {"traceloop.span.kind": "workflow", "traceloop.workflow.name": "answer"},
    )
    for number, attributes in enumerate(said):
        start = 1_795_000_000_000_000_000 + number * 10**9
        span = tracer.start_span(f"step {number}", start_time=start, attributes=dict(attributes))
        if number == 1:
            span.add_event("not a chunk", timestamp=start + 5)
        if number == 8:
            span.add_event("gen_ai.content.completion.chunk", timestamp=start + 40_000_000)
            span.add_event("gen_ai.content.completion.chunk", timestamp=start + 60_000_000)
        if number == 11:
            span.set_status(Status(StatusCode.ERROR))
        span.end(start + 120_000_000 + number * 37_000_000)
    return len(said)


@pytest.mark.parametrize(
    ("names", "profiles"),
    [("classic", {Profile.ALWAYS, Profile.CLASSIC}), ("both", set(Profile))],
)
def test_metrics_of_plain_services_are_those_the_sdk_would_record(
    tmp_path: Path, names: str, profiles: set[Profile]
) -> None:
    with rig(tmp_path, "standard.yaml", f"names={names}") as running:
        count = speak(running.client().tracer)
        until(lambda: len(running.server.spans) >= count, 15, "every span is with the server")
        wanted = expected(running.server.spans, profiles)
        assert len({name for name, _ in wanted}) > 25
        until(lambda: scraped(running).keys() >= wanted.keys(), 15, "every series is there")
        found = scraped(running)
        assert set(found) == set(wanted)
        assert {key: pytest.approx(value) for key, value in wanted.items()} == found
        assert "Failed" not in running.collector.said()


def test_counters_of_several_batches_add_up(running: Rig) -> None:
    tracer = running.client().tracer
    count = sum(speak(tracer) for _ in range(3))
    until(lambda: len(running.server.spans) >= count, 15, "every span is with the server")
    wanted = expected(running.server.spans, {Profile.ALWAYS, Profile.CLASSIC})
    until(lambda: scraped(running) == {key: pytest.approx(value) for key, value in wanted.items()}, 15, "they add up")


def test_nothing_is_derived_for_services_that_measure_themselves(running: Rig) -> None:
    count = speak(running.client(otelkit__metrics="sdk").tracer)
    until(lambda: len(running.server.spans) >= count, 15, "every span is with the server")
    running.never(lambda: scraped(running))


def test_what_a_plain_services_library_measures_as_well_counts_once(running: Rig) -> None:
    def measure(client: Client) -> None:
        histogram = client.meter.create_histogram(Metrics.TOKEN_USAGE.name, "{token}")
        histogram.record(77, {"gen_ai.request.model": "of the library"})
        client.meter.create_counter("shop.orders").add(1)
        client.flush_metrics()

    measure(running.client())
    until(lambda: running.samples("shop_orders_total"), 15, "its other metrics are there")
    assert not running.samples(Metrics.TOKEN_USAGE.prometheus_name)
    measure(running.client(otelkit__metrics="own", service__name="measures itself"))
    until(lambda: running.samples(f"{Metrics.TOKEN_USAGE.prometheus_name}_sum"), 15, "it keeps its own")


def _record(client: Client, entry: MetricDef) -> None:
    attributes = dict.fromkeys(entry.attributes, "x")
    if entry.instrument is Instrument.COUNTER:
        client.meter.create_counter(entry.name, entry.unit).add(2, attributes)
    elif entry.instrument is Instrument.UP_DOWN_COUNTER:
        client.meter.create_up_down_counter(entry.name, entry.unit).add(2, attributes)
    elif entry.instrument is Instrument.GAUGE:
        client.meter.create_gauge(entry.name, entry.unit).set(2, attributes)
    else:
        made = client.meter.create_histogram(
            entry.name, entry.unit, explicit_bucket_boundaries_advisory=entry.boundaries or None
        )
        made.record(2, attributes)


def test_every_metric_of_the_catalogue_has_its_name_in_prometheus(running: Rig) -> None:
    client = running.client(otelkit__metrics="sdk", service__namespace="shop", deployment__environment__name="test")
    for entry in CATALOGUE:
        _record(client, entry)
    client.flush_metrics()
    wanted = {
        f"{entry.collected_name}_sum" if entry.instrument is Instrument.HISTOGRAM else entry.collected_name
        for entry in CATALOGUE
    }
    until(lambda: len(running.samples()) > len(wanted), 15, "the metrics are there")
    by_name = {sample.name: sample for sample in running.samples()}
    assert wanted - set(by_name) == set()
    for name in wanted:
        found = by_name[name].labels
        assert (found["service_name"], found["service_namespace"]) == ("plain", "shop")
        assert found["deployment_environment_name"] == "test"
        assert found["job"] == "shop/plain"
        assert found["instance"] == client.resource.attributes["service.instance.id"]


def test_a_services_deltas_become_running_totals(running: Rig) -> None:
    told = {SdkCounter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    exporter = OTLPMetricExporter(f"{running.collector.url}/v1/metrics", preferred_temporality=told)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], resource=running.client().resource, shutdown_on_exit=False)
    counter = provider.get_meter("plain").create_counter("shop.orders")
    for _ in range(3):
        counter.add(5)
        provider.force_flush()
    until(lambda: [s.value for s in running.samples("shop_orders_total")] == [15.0], 15, "3 times 5 is there")


def test_a_trace_leads_from_a_metric_by_its_exemplar(running: Rig) -> None:
    client = running.client()
    with client.tracer.start_as_current_span("GET /") as span:
        client.meter.create_histogram("http.server.request.duration", "s").record(0.2, {"http.route": "/"})
    client.flush_metrics()
    text = running.scraped("http_server_request_duration_seconds_bucket")
    assert f'trace_id="{span.get_span_context().trace_id:032x}"' in text


def test_the_collectors_own_metrics_have_the_names_that_rules_ask_for(running: Rig) -> None:
    with running.client().tracer.start_as_current_span("one"):
        pass
    until(lambda: running.collector.own(CollectorMetrics.SENT[0].prometheus_name) == 1, 15, "it counts the span")
    assert running.collector.own(CollectorMetrics.ACCEPTED[0].prometheus_name) == 1
    assert running.collector.own(CollectorMetrics.QUEUE_CAPACITY.prometheus_name) > 0
    assert running.collector.own(CollectorMetrics.UPTIME.prometheus_name) > 0
