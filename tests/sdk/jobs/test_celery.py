"""Celery with a prefork worker on a real Redis, started as ``otelkit run -- celery -A … worker``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from otelkit.model import MetricPoint, SpanKind, StatusCode
from otelkit.testing.otlp_sink import OtlpSink
from tests.clients.environments import Unavailable, interpreter
from tests.sdk.jobs.support import Running, enqueue, environment, eventually, points, runs, total, worker
from tests.sdk.redis_support import RedisServer

pytestmark = pytest.mark.clients
Send: TypeAlias = Callable[[str], tuple[str, str]]
WORKER = ["celery", "-A", "celery_tasks", "worker", "--concurrency", "2", "--pool", "prefork", "-l", "info"]


@pytest.fixture
def told(sink: OtlpSink, redis: RedisServer) -> dict[str, str]:
    return {
        **environment(sink, redis.url()),
        "OTELKIT_METRIC_ALIASES": "otelkit.job.queue.length=queue_length_celery_tasks",
    }


@pytest.fixture(scope="session")
def python() -> str:
    """Celery and arq want different versions of redis-py: Celery is in an environment of its own."""
    try:
        return str(interpreter("celery"))
    except Unavailable as error:
        message = f"Celery is NOT tested: {error}"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def celery(told: dict[str, str], tmp_path: Path, python: str) -> Iterator[Running]:
    with worker(WORKER, told, tmp_path, ready="ready.", python=python) as running:
        yield running


@pytest.fixture
def send(told: dict[str, str], python: str) -> Send:
    return lambda code: enqueue(f"import celery_tasks as t\n{code}", told, python)


def test_a_run_is_a_trace_linked_to_the_one_that_enqueued_it(celery: Running, sink: OtlpSink, send: Send) -> None:
    trace_id, span_id = send("t.add.delay(17, 4).get(timeout=20)")
    eventually(lambda: runs(sink, "celery_tasks.add"), celery)
    (run,) = runs(sink, "celery_tasks.add")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in run.links] == [(trace_id, span_id)]
    assert (run.parent_id, run.kind, run.status) == (b"", SpanKind.CONSUMER, StatusCode.UNSET)
    assert run.trace_id.hex() != trace_id
    attributes = run.attributes
    assert attributes["messaging.system"] == "celery"
    assert attributes["messaging.destination.name"] == "orders"
    assert attributes["otelkit.job.attempt"] == 1
    assert attributes["messaging.client.id"].startswith("celery@")
    assert 0 <= attributes["otelkit.job.wait"] < 20
    assert "17" not in str(attributes.get("otelkit.input"))
    eventually(lambda: total(sink, "otelkit.job.runs", otelkit_outcome="success") == 1, celery)
    (beat,) = points(sink, "otelkit.job.last_success")
    assert abs(beat.value - time.time()) < 60
    assert total(sink, "otelkit.job.duration") == 1


def test_asking_for_work_is_nobodys_trace(celery: Running, sink: OtlpSink, send: Send) -> None:
    send("t.add.delay(1, 2).get(timeout=20)")
    eventually(lambda: runs(sink, "celery_tasks.add"), celery)
    time.sleep(1.5)
    of_worker = [span.name for span in sink.spans if span.resource.attributes["service.name"] == "shop"]
    assert [name for name in of_worker if "BRPOP" in name] == []


def test_failure_retries_and_their_figures(celery: Running, sink: OtlpSink, send: Send) -> None:
    send("t.fail.delay('anna@example.org')\nt.flaky.delay()")
    eventually(lambda: len(runs(sink, "celery_tasks.flaky")) == 3 and runs(sink, "celery_tasks.fail"), celery)
    (failed,) = runs(sink, "celery_tasks.fail")
    assert failed.status == StatusCode.ERROR
    assert failed.attributes["error.type"] == "ValueError"
    assert "anna@example.org" not in str(failed)
    # Processes of the pool take turns, and each sends when its own time has come.
    tries = sorted(runs(sink, "celery_tasks.flaky"), key=lambda run: run.attributes["otelkit.job.attempt"])
    assert [run.attributes["otelkit.job.attempt"] for run in tries] == [1, 2, 3]
    assert [run.attributes.get("otelkit.outcome") for run in tries] == ["retry", "retry", None]
    assert [run.attributes.get("error.type") for run in tries] == ["ConnectionError", "ConnectionError", None]
    assert [run.status for run in tries] == [StatusCode.UNSET] * 3
    assert [run.links[0].trace_id for run in tries[1:]] == [run.trace_id for run in tries[:2]]
    name = "celery_tasks.flaky"
    eventually(lambda: total(sink, "otelkit.job.retries", otelkit_job_name=name) == 2, celery)
    eventually(lambda: total(sink, "otelkit.job.runs", otelkit_job_name=name, otelkit_outcome="retry") == 2, celery)
    eventually(lambda: total(sink, "otelkit.job.failures", error_type="ValueError") == 1, celery)


def test_no_record_carries_arguments_or_results(celery: Running, sink: OtlpSink, send: Send) -> None:
    send("t.add.delay('Roe', 'witz').get(timeout=20)\nt.fail.delay('Janinek', )")
    eventually(lambda: "Roewitz" in celery.output and "raised unexpected" in celery.output, celery)
    eventually(lambda: any(record.scope.name == "celery.app.trace" for record in sink.logs))
    (failed,) = [record for record in sink.logs if record.scope.name == "celery.app.trace"]
    assert failed.attributes["exception.type"] == "ValueError"
    assert "celery_tasks.fail" in str(failed.body)
    assert "data" not in failed.attributes
    assert not any("Roe" in f"{record.body}{dict(record.attributes)}" for record in sink.logs)


def test_a_killed_process_is_a_failed_run(celery: Running, sink: OtlpSink, send: Send) -> None:
    trace_id, _ = send("t.die.delay()")
    eventually(lambda: runs(sink, "celery_tasks.die"), celery)
    (run,) = runs(sink, "celery_tasks.die")
    assert run.status == StatusCode.ERROR
    assert run.attributes["error.type"].endswith("WorkerLostError")
    assert [link.trace_id.hex() for link in run.links] == [trace_id]
    send("t.add.delay(1, 2).get(timeout=20)")  # and the worker goes on
    eventually(lambda: runs(sink, "celery_tasks.add"), celery)


def test_a_backlog_is_seen_without_any_worker_under_the_name_a_team_has_for_it(
    sink: OtlpSink, send: Send, told: dict[str, str], tmp_path: Path, python: str
) -> None:
    send("import time\nfor n in range(7): t.add.delay(n, n)\ntime.sleep(1.5)")

    def lengths() -> list[MetricPoint]:
        return [point for point in sink.points if point.name == "queue_length_celery_tasks"]

    newest = lengths()[-1]
    assert newest.value == 7
    assert newest.attributes == {"messaging.system": "celery", "messaging.destination.name": "orders"}
    oldest = [point for point in sink.points if point.name == "otelkit.job.queue.oldest"][-1]
    assert 0.5 < oldest.value < 60
    with worker(WORKER, told, tmp_path, ready="ready.", python=python) as running:
        eventually(lambda: len(runs(sink, "celery_tasks.add")) == 7, running)
        eventually(lambda: lengths()[-1].value == 0, running)
    assert {point.resource.attributes["service.name"] for point in lengths()} == {"web", "shop"}
