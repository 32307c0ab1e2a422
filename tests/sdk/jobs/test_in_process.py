"""Jobs that run where they are scheduled: APScheduler, BackgroundTasks, and ``traced_job`` and ``sync`` themselves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from otelkit.model import SpanKind, StatusCode
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk.jobs.support import HERE, ROOT, points, runs, total

SCHEDULED = """
import asyncio, datetime, time
from apscheduler.schedulers.{kind} import {scheduler}
import otelkit
otelkit.init(service="shop")
from scheduled import tidy, broken, atidy

def plan(s, *functions):
    due = datetime.datetime.now() - datetime.timedelta(seconds=0.5)
    for f in functions:
        s.add_job(f, "date", run_date=due, args=["anna"], name="mail Anna", misfire_grace_time=60)
"""


def run(code: str, sink: OtlpSink, *start: str, disabled: str = "") -> str:
    told = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.address,
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "OTELKIT_DISABLED_INSTRUMENTATIONS": disabled,
    }
    words = [*start, sys.executable, "-c", code]
    done = subprocess.run(words, cwd=HERE, env=told, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "internal error swallowed" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("kind", "scheduler", "body"),
    [
        ("background", "BackgroundScheduler", "s = BackgroundScheduler()\nplan(s, tidy, broken)\ns.start()\n"
         "time.sleep(1.5)\ns.shutdown()"),
        ("background", "BackgroundScheduler",
         "s = BackgroundScheduler(executors={'default': {'type': 'processpool', 'max_workers': 1}})\n"
         "plan(s, tidy, broken)\ns.start()\ntime.sleep(3)\ns.shutdown()"),
        ("asyncio", "AsyncIOScheduler", "async def main():\n    s = AsyncIOScheduler()\n    plan(s, atidy, broken)\n"
         "    s.start()\n    await asyncio.sleep(1.5)\n    s.shutdown()\nasyncio.run(main())"),
    ],
    ids=["threads", "processes", "asyncio"],
)  # fmt: skip
def test_apscheduler(kind: str, scheduler: str, body: str) -> None:
    with OtlpSink() as sink:
        # Its processes are spawned: what is started in each of them must be started from outside.
        start = [sys.executable, "-m", "otelkit.cli", "run", "--"] if "processpool" in body else []
        run(SCHEDULED.format(kind=kind, scheduler=scheduler) + body + "\notelkit.shutdown()", sink, *start)
        name = "scheduled.atidy" if kind == "asyncio" else "scheduled.tidy"
        (tidy,), (broken,) = runs(sink, name), runs(sink, "scheduled.broken")
        assert (tidy.parent_id, tidy.kind, tidy.links) == (b"", SpanKind.CONSUMER, ())
        assert 0.4 < tidy.attributes["otelkit.job.wait"] < 30
        assert (broken.status, broken.attributes["error.type"]) == (StatusCode.ERROR, "ZeroDivisionError")
        assert "anna" not in str(sink.spans).lower()
        assert total(sink, "otelkit.job.runs", otelkit_outcome="error") == 1


BACKGROUND = """
import fastapi, otelkit
from fastapi.testclient import TestClient
from starlette.background import BackgroundTasks as Several
app = fastapi.FastAPI()
otelkit.init(app, service="shop", salt="sixteen characters")

def send_mail(to): pass
async def count(n): raise KeyError(n)
@otelkit.traced_job("tidy up")
def tidy(): pass

@app.post("/orders")
async def order(tasks: fastapi.BackgroundTasks):
    with otelkit.session(group_id="acme"):
        tasks.add_task(send_mail, "anna@example.org")
        tasks.add_task(tidy)
        tasks.add_task(count, 3)

try:
    TestClient(app).post("/orders")
except KeyError:
    pass
otelkit.shutdown()
"""


def test_background_tasks_are_linked_to_their_request() -> None:
    with OtlpSink() as sink:
        run(BACKGROUND, sink)
        request = sink.span("POST /orders")
        mail, tidy, count = (runs(sink, name)[0] for name in ("send_mail", "tidy up", "count"))
        for job in (mail, tidy, count):
            assert [(link.trace_id, link.span_id) for link in job.links] == [(request.trace_id, request.span_id)]
            assert (job.parent_id, job.kind) == (b"", SpanKind.CONSUMER)
            assert job.attributes["otelkit.request.id"] == request.attributes["otelkit.request.id"]
        assert len([span for span in sink.spans if span.name.startswith("run_job")]) == 3
        assert count.status == StatusCode.ERROR
        assert "anna" not in str(sink.spans)


@pytest.mark.parametrize("name", ["background", "otelkit-background"])
def test_a_hook_can_be_left_out(name: str) -> None:
    with OtlpSink() as sink:
        run(BACKGROUND, sink, disabled=name)
        assert [span.name for span in sink.spans if span.name.startswith("run_job")] == ["run_job tidy up"]


DECORATED = """
import asyncio, otelkit, warnings
otelkit.init(service="shop", salt="sixteen characters")

@otelkit.traced_job
def nightly(ok):
    if not ok: raise TimeoutError("anna@example.org")

nightly(True)
for _ in range(2):
    try: nightly(False)
    except TimeoutError: pass

@otelkit.sync("calendar", group="the smiths")
async def pull(ok):
    if not ok: raise ConnectionError("anna@example.org")
asyncio.run(pull(True))
try: asyncio.run(pull(False))
except ConnectionError: pass
with otelkit.sync("mail", group=17):
    pass
async def inside():
    async with otelkit.sync("mail"):
        pass
asyncio.run(inside())
otelkit.shutdown()
"""


def test_traced_job_and_sync_have_their_figures() -> None:
    with OtlpSink() as sink:
        run(DECORATED, sink)
        assert total(sink, "otelkit.job.runs", otelkit_job_name="nightly", otelkit_outcome="success") == 1
        assert total(sink, "otelkit.job.runs", otelkit_job_name="nightly", otelkit_outcome="error") == 2
        assert total(sink, "otelkit.job.failures", error_type="TimeoutError") == 2
        (beat,) = points(sink, "otelkit.job.last_success")
        assert abs(beat.value * 1e9 - runs(sink, "nightly")[0].end) < 1e6
        calendar = [span for span in sink.spans if span.name == "sync calendar"]
        assert len(calendar) == 2
        assert total(sink, "otelkit.sync.runs", otelkit_sync_integration="calendar", otelkit_outcome="success") == 1
        assert total(sink, "otelkit.sync.failures", error_type="ConnectionError") == 1
        assert total(sink, "otelkit.sync.runs", otelkit_sync_integration="mail", otelkit_outcome="success") == 2
        assert len(points(sink, "otelkit.sync.last_success")) == 2
        groups = [span.attributes.get("otelkit.group.id") for span in calendar]
        assert groups[0] == groups[1] != "the smiths"
        assert len(str(groups[0])) == 32
        assert not [point for point in sink.points if "otelkit.group.id" in point.attributes]
        assert "smiths" not in str(sink.spans) + str(sink.points)
        assert "anna" not in str(sink.spans) + str(sink.points)
