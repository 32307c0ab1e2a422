"""The standard profile with its committed files on the real programs: what was done is what each of them says."""

from __future__ import annotations

import re
from collections import Counter

from otelkit.semconv.metrics import Metrics
from tests.stack.pipeline import SERVICE, Load, Pipeline
from tests.stack.running import until

_CHAT = f'{{http_route="/chat", service_name="{SERVICE}"}}'
_SECRET = re.compile(r"(?<![a-z0-9])(?:ada|ben|chloe|dan|eva|finn|gita|hugo|ivan|sk-test)(?![a-z0-9])", re.IGNORECASE)
"""Names of the demo's users, and the beginning of its key."""
_LOGS = f'{{service_name="{SERVICE}"}}'


def test_requests_in_prometheus_are_the_requests_that_were_made(pipeline: Pipeline, load: Load) -> None:
    requests = f"{Metrics.HTTP_DURATION.prometheus_name}_count{_CHAT}"
    until(lambda: pipeline.prometheus.total(requests) >= load.report.messages, 60, "Prometheus has every request")
    assert pipeline.prometheus.total(requests) == load.report.messages


def test_tokens_in_prometheus_are_the_tokens_of_the_models_own_ledger(pipeline: Pipeline, load: Load) -> None:
    answered = [entry for entry in load.ledger() if entry["usage_reported"]]
    for kind, key in (("input", "prompt_tokens"), ("output", "completion_tokens")):
        query = f'{Metrics.LLM_TOKENS.prometheus_name}{{gen_ai_token_type="{kind}"}}'
        truth = sum(entry[key] for entry in answered)
        until(lambda query=query, truth=truth: pipeline.prometheus.total(query) >= truth, 60, f"{kind} tokens")
        assert pipeline.prometheus.total(query) == truth


def test_a_series_has_the_service_as_job_and_the_worker_as_instance_and_is_there_once(
    pipeline: Pipeline, load: Load
) -> None:
    name = f"{Metrics.HTTP_DURATION.prometheus_name}_count"
    series = until(lambda: pipeline.prometheus.query(f"{name}{_CHAT}"), 60, "the series")
    assert {entry["metric"]["job"] for entry in series} == {SERVICE}
    assert len({entry["metric"]["instance"] for entry in series}) == 1
    assert not pipeline.prometheus.query(f'{name}{{exported_job!=""}}')


def test_each_event_is_in_loki_once_under_its_name(pipeline: Pipeline, load: Load) -> None:
    for name, number in load.events.items():
        query = f'{_LOGS} | event_name="{name}"'
        until(lambda query=query, number=number: len(pipeline.loki.entries(query)) >= number, 60, name)
        uids = Counter(labels["log_record_uid"] for labels, _ in pipeline.loki.entries(query))
        assert (len(uids), max(uids.values())) == (number, 1)


def test_the_server_has_each_event_too(pipeline: Pipeline, load: Load) -> None:
    for name, number in load.events.items():
        until(lambda name=name, number=number: pipeline.events(name) >= number, 60, name)
        assert pipeline.events(name) == number


def test_a_log_line_leads_to_its_trace_and_the_trace_store_has_it_whole(pipeline: Pipeline, load: Load) -> None:
    lines = until(lambda: pipeline.loki.entries(f'{_LOGS} | severity_text="ERROR" | trace_id!=""'), 60, "an error line")
    trace_id = lines[0][0]["trace_id"]
    spans = until(lambda: pipeline.jaeger.trace(trace_id), 60, "the trace")
    until(
        lambda: any(span["operationName"] == "POST /chat" for span in pipeline.jaeger.trace(trace_id)), 30, "its root"
    )
    spans = pipeline.jaeger.trace(trace_id)
    ids = {span["spanID"] for span in spans}
    parents = [link["spanID"] for span in spans for link in span["references"] if link["refType"] == "CHILD_OF"]
    assert [parent for parent in parents if parent not in ids] == []
    assert len(spans) - len(parents) == 1
    assert any(span["operationName"].startswith("chat ") for span in spans)


def test_a_slow_bucket_leads_to_a_trace(pipeline: Pipeline, load: Load) -> None:
    name = f"{Metrics.OPERATION_DURATION.prometheus_name}_bucket"
    found = until(lambda: pipeline.prometheus.exemplars(name), 60, "exemplars")
    trace_id = found[0]["labels"]["trace_id"]
    assert until(lambda: pipeline.jaeger.trace(trace_id), 60, "the exemplar's trace")


def test_no_index_label_of_loki_tells_processes_apart(pipeline: Pipeline, load: Load) -> None:
    until(lambda: pipeline.loki.entries(_LOGS), 60, "a log line")
    labels = set(pipeline.loki.labels())
    assert {"service_name", "deployment_environment_name"} <= labels
    assert not labels & {"service_instance_id", "host_name", "trace_id"}


def test_no_name_of_a_user_and_no_key_is_in_loki(pipeline: Pipeline, load: Load) -> None:
    entries = until(lambda: pipeline.loki.entries(_LOGS), 60, "a log line")
    for labels, line in entries:
        found = [secret for text in (line, *labels.values()) for secret in _SECRET.findall(text)]
        assert found == [], line


def test_a_name_is_found_whatever_stands_around_it() -> None:
    assert _SECRET.findall("user_ada, key:sk-test-1 {'who':'Ben'}") == ["ada", "sk-test", "Ben"]
    assert _SECRET.findall("canada, divan, task-testing, 3ada4") == []
