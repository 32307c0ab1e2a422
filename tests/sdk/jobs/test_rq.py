"""RQ on a real Redis, started as ``otelkit run -- rq worker``: a process forked for each job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from otelkit.model import SpanKind, StatusCode
from otelkit.testing.otlp_sink import OtlpSink
from otelkit.testing.sentry import SentrySink
from tests.sdk.jobs.support import Running, enqueue, eventually, points, runs, total, worker
from tests.sdk.redis_support import RedisServer

Send: TypeAlias = Callable[[str], tuple[str, str]]


@pytest.fixture
def words(redis: RedisServer) -> list[str]:
    return ["rq.cli", "worker", "orders", "--url", redis.url(), "--name", "w1"]


@pytest.fixture
def rq(words: list[str], told: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    with worker(words, told, tmp_path, ready="Listening on") as running:
        yield running


@pytest.fixture
def send(told: dict[str, str]) -> Send:
    begin = (
        "import os, redis, rq, rq_tasks as t\nq = rq.Queue('orders', connection=redis.from_url(os.environ['BROKER']))\n"
    )
    return lambda code: enqueue(begin + code, told)


def test_a_run_is_a_trace_linked_to_the_one_that_enqueued_it(rq: Running, sink: OtlpSink, send: Send) -> None:
    trace_id, span_id = send("q.enqueue(t.add, 17, 4)")
    eventually(lambda: runs(sink, "rq_tasks.add"), rq)
    (run,) = runs(sink, "rq_tasks.add")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in run.links] == [(trace_id, span_id)]
    assert (run.parent_id, run.kind, run.status) == (b"", SpanKind.CONSUMER, StatusCode.UNSET)
    attributes = run.attributes
    assert attributes["messaging.system"] == "rq"
    assert attributes["messaging.destination.name"] == "orders"
    assert attributes["messaging.client.id"] == "w1"
    assert attributes["otelkit.job.attempt"] == 1
    assert 0 <= attributes["otelkit.job.wait"] < 30


def test_a_failed_run_is_one_error_in_sentry_too(
    words: list[str], told: dict[str, str], tmp_path: Path, sink: OtlpSink, send: Send
) -> None:
    with SentrySink() as sentry:
        environment = {**told, "SENTRY_DSN": sentry.dsn}
        with worker(words, environment, tmp_path, ready="Listening on") as running:
            send("q.enqueue(t.fail, 'Jane Roe')")
            eventually(lambda: runs(sink, "rq_tasks.fail") and sentry.events, running)
            eventually(lambda: total(sink, "otelkit.errors") == 1, running)
        (event,) = sentry.events
        (run,) = runs(sink, "rq_tasks.fail")
        assert event["contexts"]["trace"] == {"trace_id": run.trace_id.hex(), "span_id": run.span_id.hex()}
        (raised,) = event["exception"]["values"]
        assert (raised["value"], raised["mechanism"]["handled"]) == ("no order for *", False)
        assert b"Roe" not in b"".join(sentry.bodies)
        (counted,) = points(sink, "otelkit.errors")
        assert (counted.value, counted.attributes["otelkit.error.unhandled"]) == (1, True)


def test_the_worker_counts_what_its_processes_did(rq: Running, sink: OtlpSink, send: Send) -> None:
    send("for n in range(5): q.enqueue(t.add, n, n)")
    eventually(lambda: total(sink, "otelkit.job.runs", otelkit_outcome="success") == 5, rq)
    (runs_series,) = points(sink, "otelkit.job.runs", otelkit_outcome="success")
    assert runs_series.resource.attributes["service.name"] == "shop"
    (durations,) = points(sink, "otelkit.job.duration")
    assert durations.samples == 5
    (own,) = points(sink, "sums.made")  # the application's own counter, too
    assert own.value == 5
    of_worker = {
        str(point.resource.attributes["service.instance.id"])
        for point in sink.points
        if point.resource.attributes["service.name"] == "shop"
    }
    assert len(of_worker) == 1, "a series for each job would have no end"


def test_failure_and_retries(rq: Running, sink: OtlpSink, send: Send, tmp_path: Path) -> None:
    send(f"q.enqueue(t.fail, 'anna@example.org')\nq.enqueue(t.flaky, {str(tmp_path)!r}, retry=rq.Retry(max=3))")
    eventually(lambda: len(runs(sink, "rq_tasks.flaky")) == 3 and runs(sink, "rq_tasks.fail"), rq)
    (failed,) = runs(sink, "rq_tasks.fail")
    assert (failed.status, failed.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "anna@example.org" not in str(failed)
    tries = runs(sink, "rq_tasks.flaky")
    assert [run.attributes["otelkit.job.attempt"] for run in tries] == [1, 2, 3]
    assert [run.attributes.get("otelkit.outcome") for run in tries] == ["retry", "retry", None]
    assert len({run.links[0].trace_id for run in tries}) == 1
    eventually(lambda: total(sink, "otelkit.job.retries", otelkit_job_name="rq_tasks.flaky") == 2, rq)
    assert total(sink, "otelkit.job.failures", error_type="ConnectionError") == 2


def test_a_killed_process_is_a_failed_run(rq: Running, sink: OtlpSink, send: Send) -> None:
    trace_id, _ = send("q.enqueue(t.die)\nq.enqueue(t.add, 1, 2)")
    eventually(lambda: runs(sink, "rq_tasks.die") and runs(sink, "rq_tasks.add"), rq)
    (run,) = runs(sink, "rq_tasks.die")
    assert run.status == StatusCode.ERROR
    assert run.attributes["error.type"].endswith("ProcessDiedError")
    assert "signal 9" in run.status_message
    assert run.links[0].trace_id.hex() == trace_id
    assert run.end - run.start > 0.1e9


def test_a_decorated_function_names_the_run(rq: Running, sink: OtlpSink, send: Send) -> None:
    send("q.enqueue(t.report)")
    eventually(lambda: runs(sink, "nightly report"), rq)
    (run,) = runs(sink, "nightly report")
    assert run.attributes["messaging.destination.name"] == "orders"
    assert [span for span in sink.spans if span.name.startswith("run_job")] == [run]


def test_a_backlog_is_seen_without_any_worker(
    sink: OtlpSink, send: Send, words: list[str], told: dict[str, str], tmp_path: Path
) -> None:
    send("import time\nfor n in range(7): q.enqueue(t.add, n, n)\ntime.sleep(1.5)")
    newest = [point for point in sink.points if point.name == "otelkit.job.queue.length"][-1]
    assert newest.value == 7
    assert newest.attributes == {"messaging.system": "rq", "messaging.destination.name": "orders"}
    assert 0.5 < [point for point in sink.points if point.name == "otelkit.job.queue.oldest"][-1].value < 60
    with worker([*words, "--worker-class", "rq.SimpleWorker"], told, tmp_path, ready="Listening on") as running:
        eventually(lambda: len(runs(sink, "rq_tasks.add")) == 7, running)
        eventually(lambda: [p for p in sink.points if p.name == "otelkit.job.queue.length"][-1].value == 0, running)
        eventually(lambda: total(sink, "otelkit.job.runs", otelkit_outcome="success") == 7, running)


def test_a_backend_that_is_away_does_not_hold_up_the_queue(
    redis: RedisServer, words: list[str], told: dict[str, str], tmp_path: Path
) -> None:
    away = {**told, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTELKIT_SHUTDOWN_SECONDS": "1"}
    begin = (
        "import os, redis, rq, rq_tasks as t\nq = rq.Queue('orders', connection=redis.from_url(os.environ['BROKER']))\n"
    )
    enqueue(begin + "for n in range(20): q.enqueue(t.add, n, n)", away)
    with worker([*words, "--burst"], away, tmp_path, ready="Listening on") as running:
        began = time.monotonic()
        eventually(lambda: redis.client().llen("rq:queue:orders") == 0, running)
        assert running.process.wait(30) == 0
    # Without telemetry it is half a second or so; each process waiting its two seconds would make it forty.
    assert time.monotonic() - began < 15
