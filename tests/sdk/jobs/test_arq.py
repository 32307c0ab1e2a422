"""arq on a real Redis, started as ``otelkit run -- arq module.WorkerSettings``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from otelkit.model import SpanKind, StatusCode
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk.jobs.support import Running, enqueue, eventually, runs, total, worker

Send: TypeAlias = Callable[[str], tuple[str, str]]
WORKER = ["arq", "arq_tasks.WorkerSettings"]
READY = "Starting worker"


@pytest.fixture
def arq(told: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    with worker(WORKER, told, tmp_path, ready=READY) as running:
        yield running


@pytest.fixture
def send(told: dict[str, str]) -> Send:
    begin = "import asyncio, arq, arq_tasks as t\nasync def main():\n    q = await arq.create_pool(t.REDIS)\n"
    return lambda code: enqueue(f"{begin}    {code}\nasyncio.run(main())", told)


def test_a_run_is_a_trace_linked_to_the_one_that_enqueued_it(arq: Running, sink: OtlpSink, send: Send) -> None:
    trace_id, span_id = send("await q.enqueue_job('add', 17, 4)")
    eventually(lambda: runs(sink, "add"), arq)
    (run,) = runs(sink, "add")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in run.links] == [(trace_id, span_id)]
    assert (run.parent_id, run.kind, run.status) == (b"", SpanKind.CONSUMER, StatusCode.UNSET)
    attributes = run.attributes
    assert attributes["messaging.system"] == "arq"
    assert attributes["messaging.destination.name"] == "arq:queue"
    assert attributes["otelkit.job.attempt"] == 1
    assert 0 <= attributes["otelkit.job.wait"] < 30
    of_worker = [span.name for span in sink.spans if span.resource.attributes["service.name"] == "shop"]
    assert of_worker == ["run_job add"], "asking for work is nobody's trace"


def test_failure_retries_and_timeouts(arq: Running, sink: OtlpSink, send: Send) -> None:
    send("[await q.enqueue_job(*call) for call in (('fail', 'anna@example.org'), ('flaky',), ('slow',))]")
    eventually(lambda: len(runs(sink, "flaky")) == 3 and runs(sink, "fail") and runs(sink, "slow"), arq)
    (failed,), (late,) = runs(sink, "fail"), runs(sink, "slow")
    assert (failed.status, failed.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "anna@example.org" not in str(failed)
    assert (late.status, late.attributes["error.type"]) == (StatusCode.ERROR, "TimeoutError")
    tries = runs(sink, "flaky")
    assert [run.attributes["otelkit.job.attempt"] for run in tries] == [1, 2, 3]
    assert [run.attributes.get("otelkit.outcome") for run in tries] == ["retry", "retry", None]
    eventually(lambda: total(sink, "otelkit.job.retries", otelkit_job_name="flaky") == 2, arq)


def test_after_a_kill_the_next_worker_makes_another_attempt(
    sink: OtlpSink, send: Send, told: dict[str, str], tmp_path: Path
) -> None:
    send("await q.enqueue_job('die')")
    with worker(WORKER, told, tmp_path) as first:
        first.process.wait(30)
    with worker(WORKER, told, tmp_path, ready=READY) as second:
        eventually(lambda: runs(sink, "die"), second, 40)  # when the first one's claim has run out
    (run,) = runs(sink, "die")
    assert run.attributes["otelkit.job.attempt"] == 2
    assert len(run.links) == 1


def test_a_backlog_is_seen_without_any_worker(sink: OtlpSink, send: Send, told: dict[str, str], tmp_path: Path) -> None:
    later = "await q.enqueue_job('add', 1, 2, _defer_by=600)"  # not due: no backlog
    send(f"[await q.enqueue_job('add', n, n) for n in range(7)]; {later}; await asyncio.sleep(1.5)")
    newest = [point for point in sink.points if point.name == "otelkit.job.queue.length"][-1]
    assert newest.value == 7
    assert newest.attributes == {"messaging.system": "arq", "messaging.destination.name": "arq:queue"}
    assert 0.5 < [point for point in sink.points if point.name == "otelkit.job.queue.oldest"][-1].value < 60
    with worker(WORKER, told, tmp_path, ready=READY) as running:
        eventually(lambda: len(runs(sink, "add")) == 7, running)
        eventually(lambda: [p for p in sink.points if p.name == "otelkit.job.queue.length"][-1].value == 0, running)
