"""What each fault of the pipeline costs: a row of the table in docs/operations.md is a test here.

A service numbers what it sends (:mod:`tests.stack.emitter`) and gives its own account; every backend is compared with
it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from otelkit.semconv.metrics import prometheus_name
from tests.stack.emitter import COUNTER, EVENT
from tests.stack.parts import missing
from tests.stack.pipeline import Pipeline
from tests.stack.running import COMMITTED, fetch, until

_RATE: Final = 100
_SETTLE: Final = 90.0
_BATCH: Final = 4096  # `max_size` of the batches in the sending queues
_UNSENT: Final = 1.0  # seconds: the emitter's flush interval of 0.2, and the time to send
_UNDER_WAY: Final = 0.5  # seconds a batch spans: that interval, the Collector's `flush_timeout` of 0.2, and some more
_REFUSED: Final = "otelcol_exporter_enqueue_failed_log_records"
_CALLS_P99: Final = 0.05
"""Seconds the telemetry calls of a tick may take on a shared machine; one that waits for a backend takes more."""


class Emitter:
    """The numbering service as a process; ``account`` waits for its end."""

    def __init__(
        self, pipeline: Pipeline, name: str, seconds: float, rate: float = _RATE, diary: Path | None = None
    ) -> None:
        self.name = name
        self.since = time.time() - 1
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack.emitter", name, str(seconds), str(rate)],
            cwd=COMMITTED.parent, stdout=subprocess.PIPE,
            stderr=diary.open("w") if diary else subprocess.DEVNULL, text=True,
            env={**os.environ, "OTELKIT_ENDPOINT": pipeline.collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "1000"},
        )  # fmt: skip

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def account(self) -> dict[str, Any]:
        out, _ = self._process.communicate(timeout=400)
        account: dict[str, Any] = json.loads(out)
        assert account["lost"] == {}
        assert account["flushed"]
        assert account["p99"] < _CALLS_P99, "telemetry slowed the service"
        return account


class Arrived:
    """What each backend has of one emitter's ticks."""

    def __init__(self, pipeline: Pipeline, emitter: Emitter) -> None:
        self._pipeline = pipeline
        self._emitter = emitter

    def lines(self) -> Counter[int]:
        return self._loki('| event_name=""')

    def events(self) -> Counter[int]:
        return self._loki(f'| event_name="{EVENT}"')

    def _loki(self, condition: str) -> Counter[int]:
        query = f'{{service_name="{self._emitter.name}"}} | n!="" {condition}'
        return self._pipeline.loki.numbers(query, self._emitter.since)

    def spans(self) -> Counter[int]:
        return self._pipeline.jaeger.numbers(self._emitter.name, "n")

    def on_server(self) -> tuple[int, int]:
        """Return events and AI spans that the server has stored; it stores a repeated one once."""
        url, words = self._pipeline.server.url, f"filter=service:{self._emitter.name}&range=all"
        events = fetch(f"{url}/api/logs?{words}&event_name={EVENT}")["total"]
        services = fetch(f"{url}/api/services?range=all")["services"]
        return events, sum(row["spans"] for row in services if row["service"] == self._emitter.name)

    def counted(self) -> float:
        name = prometheus_name(COUNTER, "", counter=True)
        return self._pipeline.prometheus.total(f'{name}{{service_name="{self._emitter.name}"}}')


def settle(pipeline: Pipeline, emitter: Emitter, may_lack: int = 0) -> tuple[int, Arrived]:
    """Wait until the service has ended and every backend has what it will get; returns how many ticks there were."""
    ticks = emitter.account()["ticks"]
    arrived = Arrived(pipeline, emitter)
    least = ticks - may_lack
    until(lambda: len(arrived.lines()) >= least, _SETTLE, "Loki has every line")
    until(lambda: len(arrived.events()) >= least, _SETTLE, "Loki has every event")
    until(lambda: min(arrived.on_server()) >= least, _SETTLE, "the server has every event and AI span")
    until(lambda: len(arrived.spans()) >= least, _SETTLE, "the trace store has every span")
    until(lambda: arrived.counted() >= ticks, _SETTLE, "Prometheus has the last count")
    return ticks, arrived


def doubled(seen: Counter[int]) -> int:
    return seen.total() - len(seen)


def test_a_collector_killed_ten_times_loses_nothing(faulty: Pipeline) -> None:
    emitter = Emitter(faulty, "killed", seconds=35)
    kills = 0
    while kills < 10:
        time.sleep(2)
        faulty.collector.kill()
        kills += 1
        faulty.collector.start()
    ticks, arrived = settle(faulty, emitter)
    assert arrived.on_server() == (ticks, ticks), "the server stores what is sent again once"
    assert arrived.counted() == ticks
    for seen in (arrived.lines(), arrived.events(), arrived.spans()):
        assert set(seen) == set(range(ticks))
        # A kill comes between a delivery and its note in the queue: one batch a kill and leg at most.
        assert doubled(seen) <= kills * _UNDER_WAY * _RATE


def test_loki_and_prometheus_away_for_a_minute(faulty: Pipeline) -> None:
    emitter = Emitter(faulty, "away", seconds=75)
    time.sleep(3)
    faulty.loki.kill()
    faulty.prometheus.kill()
    time.sleep(60)
    faulty.loki.start()
    faulty.prometheus.start()
    ticks, arrived = settle(faulty, emitter)
    assert set(arrived.lines()) == set(arrived.events()) == set(range(ticks))
    assert arrived.on_server() == (ticks, ticks)
    assert arrived.counted() == ticks, "counters are cumulative: after a gap they are right again"


def test_the_trace_store_and_the_server_away_for_half_a_minute(faulty: Pipeline) -> None:
    emitter = Emitter(faulty, "stores", seconds=40)
    time.sleep(2)
    faulty.jaeger.pause()  # its memory would not outlive a kill
    faulty.server.kill()
    time.sleep(30)
    faulty.jaeger.go_on()
    faulty.server.start()
    ticks, arrived = settle(faulty, emitter)
    assert set(arrived.spans()) == set(range(ticks))
    assert arrived.on_server() == (ticks, ticks)


def test_a_service_killed_loses_what_it_had_not_sent_yet_and_nothing_before(faulty: Pipeline, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    emitter = Emitter(faulty, "victim", seconds=60, diary=diary)
    time.sleep(8)
    emitter.kill()
    made = diary.read_text().count("INFO:emitter:tick")
    assert made > 2 * _RATE
    arrived = Arrived(faulty, emitter)
    least = made - int(_UNSENT * _RATE) - 1
    until(lambda: min(len(arrived.lines()), len(arrived.events()), len(arrived.spans())) >= least, _SETTLE, "the rest")
    for seen in (arrived.lines(), arrived.events(), arrived.spans()):
        assert set(seen) == set(range(len(seen))), "what is lost is the end"


def test_a_full_queue_is_told_to_the_service_which_keeps_and_sends_again(faulty: Pipeline) -> None:
    with other_queues(faulty, QUEUE_BYTES="150000"):
        emitter = Emitter(faulty, "queue", seconds=30)
        faulty.loki.kill()
        until(lambda: faulty.collector.own(_REFUSED) > 0, 60, "the queue refuses")
        faulty.loki.start()
        ticks, arrived = settle(faulty, emitter)
        assert set(arrived.lines()) == set(arrived.events()) == set(range(ticks))
        assert arrived.on_server() == (ticks, ticks)


def test_a_full_disk_of_the_queues_loses_at_most_the_batch_in_dispatch_of_each_leg(
    faulty: Pipeline, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]).returncode:
        missing("a full disk needs a small file system: run the tests as root")
    try:
        with other_queues(faulty, QUEUES=str(disk / "queues")):
            ballast = fill(disk)
            emitter = Emitter(faulty, "full", seconds=30, rate=200)
            faulty.loki.kill()
            until(lambda: faulty.collector.own(_REFUSED) > 0, 60, "the queue refuses")
            ballast.unlink()
            faulty.loki.start()
            settle(faulty, emitter, may_lack=_BATCH)
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a file system, as another program's file does."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"0" * 65536):
            pass
    return ballast


@contextmanager
def other_queues(pipeline: Pipeline, **variables: str) -> Iterator[None]:
    """Run the Collector with other settings of its queues for a while."""
    pipeline.collector.stop()
    with pipeline.collector.told(**variables):
        pipeline.collector.start()
        try:
            yield
        finally:
            pipeline.collector.stop()
    pipeline.collector.start()
