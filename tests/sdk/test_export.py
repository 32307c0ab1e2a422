"""Worker, lane and transport against a real socket: what a backend can do to us, and what must not happen then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan

from otelkit.sdk.export.lane import Batch, Lane
from otelkit.sdk.export.ledger import DeliveryLedger, Reason, Signal
from otelkit.sdk.export.transport import HttpTransport, retry_after
from otelkit.sdk.export.worker import Record, Worker
from otelkit.testing.otlp_sink import Answer, OtlpSink


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as running:
        yield running


def lane_to(address: str, ledger: DeliveryLedger, *, limit: int = 1_000_000, timeout: float = 2.0) -> Lane:
    transport = HttpTransport(f"{address}/v1/traces", {"x-team": "a"})
    lane = Lane(Signal.TRACES, transport, ledger, limit_bytes=limit, timeout=timeout)
    lane.start()
    return lane


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def test_delivers_in_order_with_headers(sink: OtlpSink) -> None:
    ledger = DeliveryLedger()
    lane = lane_to(sink.address, ledger)
    for i in range(20):
        lane.put(Batch(b"%d" % i, 3))
    assert lane.flush(soon())
    assert [request.body for request in sink.requests] == [b"%d" % i for i in range(20)]
    assert sink.requests[0].headers["x-team"] == "a"
    assert sink.requests[0].headers["Content-Type"] == "application/x-protobuf"
    assert ledger.deliveries()[Signal.TRACES] == 60
    assert ledger.total_dropped() == 0


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504, 0])
def test_retries_what_may_work_later_and_loses_nothing(sink: OtlpSink, status: int) -> None:
    ledger = DeliveryLedger()
    lane = lane_to(sink.address, ledger)
    sink.script(Answer(status), Answer(status))
    lane.put(Batch(b"one", 1))
    lane.put(Batch(b"two", 1))
    assert lane.flush(soon(10))
    assert [request.body for request in sink.requests if request.status == 200] == [b"one", b"two"]
    assert ledger.total_dropped() == 0


def test_obeys_retry_after(sink: OtlpSink) -> None:
    lane = lane_to(sink.address, DeliveryLedger())
    sink.script(Answer(503, {"Retry-After": "1"}))
    started = time.monotonic()
    lane.put(Batch(b"one", 1))
    assert sink.wait_for(2)
    assert time.monotonic() - started >= 0.95


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_drops_and_counts_what_never_will_work(sink: OtlpSink, status: int) -> None:
    ledger = DeliveryLedger()
    lane = lane_to(sink.address, ledger)
    sink.script(Answer(status))
    lane.put(Batch(b"bad", 7))
    lane.put(Batch(b"good", 1))
    assert lane.flush(soon())
    assert ledger.drops()[Signal.TRACES, Reason.REJECTED] == 7
    assert ledger.deliveries()[Signal.TRACES] == 1


def test_partial_success_is_counted(sink: OtlpSink) -> None:
    ledger = DeliveryLedger()
    lane = lane_to(sink.address, ledger)
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    sink.script(Answer(200, {}, 0, answer.SerializeToString()))
    lane.put(Batch(b"x", 5))
    assert lane.flush(soon())
    assert (ledger.deliveries()[Signal.TRACES], ledger.drops()[Signal.TRACES, Reason.REJECTED]) == (3, 2)


def test_dead_backend_bounds_memory_and_counts() -> None:
    ledger = DeliveryLedger()
    lane = lane_to("http://127.0.0.1:9", ledger, limit=1000)
    started = time.monotonic()
    for _ in range(1000):
        lane.put(Batch(b"x" * 100, 2))
    assert time.monotonic() - started < 1.0  # putting never waits for the network
    assert lane.waiting_records <= 2 * 11
    assert ledger.drops()[Signal.TRACES, Reason.BUFFER_FULL] >= 2 * 980


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "slow"])
def test_flush_and_close_keep_their_deadline(sink: OtlpSink, address: str) -> None:
    if address == "slow":
        sink.script(then=Answer(200, {}, 30.0))
        address = sink.address
    ledger = DeliveryLedger()
    lane = lane_to(address, ledger, timeout=30)
    lane.put(Batch(b"x", 4))
    started = time.monotonic()
    assert not lane.flush(soon(0.3))
    assert time.monotonic() - started < 0.8
    started = time.monotonic()
    lane.close(soon(0.3))
    assert time.monotonic() - started < 0.8
    assert ledger.drops()[Signal.TRACES, Reason.SHUTDOWN] == 4


def test_close_gives_up_on_a_dead_backend_at_once() -> None:
    lane = lane_to("http://127.0.0.1:9", DeliveryLedger())
    lane.put(Batch(b"x", 1))
    time.sleep(0.2)
    started = time.monotonic()
    lane.close(soon(30))
    assert time.monotonic() - started < 5


def test_backend_that_comes_back_gets_everything() -> None:
    ledger = DeliveryLedger()
    sink = OtlpSink()
    port = int(sink.address.rsplit(":", 1)[1])
    sink.start().stop()
    lane = lane_to(f"http://127.0.0.1:{port}", ledger)
    for i in range(5):
        lane.put(Batch(b"%d" % i, 1))
    time.sleep(0.3)
    with OtlpSink(port) as again:
        assert lane.flush(soon(20))
        assert [request.body for request in again.requests] == [b"0", b"1", b"2", b"3", b"4"]


def test_retry_after_in_both_forms() -> None:
    assert retry_after("7") == 7.0
    assert retry_after(None) is None
    assert retry_after("soon") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


# --- worker


class Recorder:
    """Processes records slowly on request, and remembers their order."""

    def __init__(self, pause: float = 0.0) -> None:
        self.seen: list[int] = []
        self.refused = 0
        self.threads: set[str] = set()
        self._pause = pause

    def process(self, records: Sequence[Record]) -> None:
        self.threads.add(threading.current_thread().name)
        for record in records:
            self.seen.append(int(record.name))  # type: ignore[union-attr]
        time.sleep(self._pause)

    def refuse(self, record: Record) -> None:
        self.refused += 1


def span(i: int) -> ReadableSpan:
    return ReadableSpan(name=str(i))


def test_worker_processes_in_order_off_the_callers_thread() -> None:
    recorder = Recorder()
    worker = Worker(recorder.process, recorder.refuse, queue_size=10_000, interval=0.01)
    for i in range(300):
        worker.submit(span(i))
    time.sleep(0.3)
    assert recorder.seen == list(range(300))
    assert recorder.threads == {"otelkit-worker"}


def test_flush_processes_what_waits_even_without_the_thread() -> None:
    recorder = Recorder()
    worker = Worker(recorder.process, recorder.refuse, queue_size=10_000, interval=60)
    for i in range(100):
        worker.submit(span(i))
    assert worker.flush(soon())
    assert recorder.seen == list(range(100))


def test_full_queue_refuses_and_counts() -> None:
    gate = threading.Event()
    worker = Worker(lambda records: gate.wait(5) and None, lambda record: None, queue_size=64, interval=0.001)
    recorder = Recorder()
    worker._refused = recorder.refuse
    for i in range(2000):
        worker.submit(span(i))
    gate.set()
    assert recorder.refused > 0
    assert worker.waiting <= 64


def test_a_starved_worker_loses_nothing_because_callers_help() -> None:
    recorder = Recorder()
    worker = Worker(recorder.process, recorder.refuse, queue_size=4096, interval=60)  # the thread hardly ever runs
    worker._warm = True
    for i in range(20_000):
        worker.submit(span(i))
    assert recorder.refused == 0
    assert worker.flush(soon())
    assert recorder.seen == list(range(20_000))


def test_stop_refuses_what_comes_later() -> None:
    recorder = Recorder()
    worker = Worker(recorder.process, recorder.refuse, queue_size=64, interval=0.01)
    worker.submit(span(0))
    assert worker.stop(soon())
    worker.submit(span(1))
    assert (recorder.seen, recorder.refused) == ([0], 1)
