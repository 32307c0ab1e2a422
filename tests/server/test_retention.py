"""Old records go in small steps, with everything that is theirs; the rest and the figures stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from server_support import MS, Client, NewStore, chat_trace, everything, make_span
from sqlalchemy import Table, func, select

from otelkit.mapping.otlp import encode_spans
from otelkit.model import LogRecord, Span
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import schema
from otelkit.server.storage.retention import Retention

STORES = ("sqlite", "postgres")
DAY = 86_400


@pytest.fixture
def server(new_store: NewStore) -> Iterator[Server]:
    """A server whose own retention never runs: the tests say when."""
    with Server(ServerConfig(port=0, database=new_store(), keep=0)) as running:
        yield running


def days_ago(days: float) -> int:
    return time.time_ns() - int(days * DAY * 1000) * MS


def retention(server: Server, *, keep: int = 30 * DAY, max_size: int = 0, ahead: float = 0.0) -> Retention:
    """Return the server's retention with other limits, whose clock is ``ahead`` by some seconds."""
    own = server.retention
    return Retention(own._store, own._order, keep, max_size, lambda: time.time() + ahead)


def run(some: Retention) -> list[float]:
    """Delete everything that is due and return how long each step took."""
    steps = []
    while (took := some.step()) is not None:
        steps.append(took)
    return steps


def count(server: Server, table: Table) -> int:
    with server.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def points(client: Client, times: list[int], name: str = "timers.started") -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = name
    for at in times:
        point = metric.gauge.data_points.add()
        point.time_unix_nano, point.as_double = at, 1.0
    assert client.post("/v1/metrics", request.SerializeToString()).status == 200


def test_what_is_old_goes_with_everything_that_is_its_own(server: Server, client: Client) -> None:
    for number in range(40):
        client.send(chat_trace(f"old {number}", base=days_ago(31)))
        client.send_logs([LogRecord(days_ago(31), 0, 9, "INFO", f"old line {number}", {"key": f"hidden{number}"})])
    points(client, [days_ago(31), days_ago(32)], "gone.entirely")
    points(client, [days_ago(31), days_ago(1)])
    before = client.ask("/api/models?range=all")
    client.send(chat_trace("young"))
    client.send_logs([LogRecord(days_ago(1), 0, 9, "INFO", "young line")])
    some = retention(server)
    assert len(run(some)) >= 1
    assert client.ask("/api/traces?range=all")["total"] == 1
    assert [log["body"] for log in client.ask("/api/logs?range=all")["logs"]] == ["young line"]
    for table, left in ((schema.trace, 1), (schema.span, 4), (schema.log, 1), (schema.metric_point, 1)):
        assert count(server, table) == left, table.name
    assert count(server, schema.payload) == 2
    assert count(server, schema.payload_left) == 0
    assert [metric["name"] for metric in client.ask("/api/metrics")["metrics"]] == ["timers.started"]
    for words in ("old", "hidden7", "line"):
        with server.database.reading() as connection:
            found = connection.execute(
                select(func.count()).where(server.database.dialect.matches(schema.log.c.id, "log_text", (words,)))
            ).scalar_one()
            assert found == (words == "line"), words
    after = client.ask("/api/models?range=all")
    assert after["total"]["calls"] == before["total"]["calls"] + 1
    status = client.ask("/api/status")
    assert status["stored"] == {"spans": 4, "traces": 1, "logs": 1, "points": 1}
    assert some.last is not None
    assert status["retention"]["deleted"] == {"spans": 160, "traces": 40, "logs": 40, "points": 3}
    # The writer has not kept ids of series that are gone.
    points(client, [time.time_ns()], "gone.entirely")
    assert len(client.ask("/api/metrics/points?name=gone.entirely&range=1h")["series"][0]["points"]) == 1


def test_time_passes(server: Server, client: Client) -> None:
    client.send(chat_trace("a day old", base=days_ago(1)))
    client.send(chat_trace("now"))
    assert run(retention(server)) == []
    run(retention(server, ahead=29.5 * DAY))
    assert [row["title"] for row in client.ask("/api/traces?range=all")["traces"]] == ["now"]
    run(retention(server, ahead=31 * DAY))
    assert client.ask("/api/traces?range=all")["total"] == 0
    assert count(server, schema.payload) == 0


def test_a_block_stays_while_a_row_refers_to_it(server: Server, client: Client) -> None:
    young = chat_trace("young")
    client.send([*chat_trace("old", base=days_ago(40)), *young, *chat_trace("older", base=days_ago(50))])
    assert count(server, schema.payload) == 1
    run(retention(server, keep=45 * DAY))
    run(retention(server))
    shown = client.ask(f"/api/traces/{young[0].trace_id.hex()}")
    assert [span["attributes"] != {} for span in shown["spans"]] == [True] * 4
    with server.database.reading() as connection:
        assert [tuple(row)[1] for row in connection.execute(select(schema.payload_left))] == [4]
    run(retention(server, ahead=31 * DAY))
    assert count(server, schema.payload) == count(server, schema.payload_left) == 0


def test_a_trace_that_is_still_going_on_stays_whole(server: Server, client: Client) -> None:
    root = make_span("long job", base=days_ago(35), ms=10 * DAY * 1000)
    client.send([root, make_span("step", base=days_ago(35), trace_id=root.trace_id, parent_id=root.span_id)])
    assert run(retention(server)) == []
    assert client.ask("/api/traces?range=all")["traces"][0]["spans"] == 2


def test_a_long_trace_goes_in_several_steps(server: Server, client: Client) -> None:
    root = make_span("root", base=days_ago(31))
    children = [
        make_span("child", base=days_ago(31), trace_id=root.trace_id, parent_id=root.span_id) for _ in range(1200)
    ]
    client.send([root, *children])
    assert len(run(retention(server))) > 2
    for table in (schema.trace, schema.span, schema.payload, schema.payload_left):
        assert count(server, table) == 0, table.name


def test_ingest_goes_on_and_nothing_young_is_touched(server: Server, client: Client) -> None:
    for number in range(60):
        client.send([span for _ in range(10) for span in chat_trace(f"old {number}", base=days_ago(31))])
    sent: list[list[Span]] = []
    waits: list[float] = []
    done = threading.Event()

    def ingest() -> None:
        mine = Client(server.url)
        while not done.is_set():
            trace = chat_trace("young")
            started = time.perf_counter()
            assert mine.post("/v1/traces", encode_spans(trace)).status == 200
            waits.append(time.perf_counter() - started)
            sent.append(trace)

    thread = threading.Thread(target=ingest)
    thread.start()
    steps = run(retention(server))
    done.set()
    thread.join()
    assert len(steps) > 3
    assert sent
    assert sorted(steps)[len(steps) // 2] < 0.25  # the aim is 10 ms; machines that run tests are slow
    assert max(waits) < 5
    assert client.ask("/api/traces?range=all")["total"] == len(sent)
    with Server(ServerConfig(port=0, keep=0)) as alone:
        for trace in sent:
            Client(alone.url).send(trace)
        assert everything(server)["traces"] == everything(alone)["traces"]


def test_the_server_does_it_by_itself(new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelkit.server.storage.retention._IDLE", 0.5)
    with Server(ServerConfig(port=0, database=new_store(), keep=5)) as server:
        client = Client(server.url)
        client.send(chat_trace("soon old", base=time.time_ns() - 2 * 10**9))
        client.send(chat_trace("young", base=time.time_ns() + 600 * 10**9))
        end = time.monotonic() + 30
        while client.ask("/api/status")["retention"]["deleted"]["traces"] < 1 and time.monotonic() < end:
            time.sleep(0.1)
        with server.database.reading() as connection:
            assert [row.input for row in connection.execute(schema.trace.select())] == ["young"]
        kept = client.ask("/api/status")["retention"]
        assert (kept["keep_s"], kept["max_bytes"], kept["deleted"]["traces"]) == (5, None, 1)


def pages(server: Server) -> int:
    with server.database.reading() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def test_a_file_that_is_too_large_loses_its_oldest_and_gets_smaller(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(ServerConfig(port=0, database=str(tmp_path / "large.db"), keep=0)) as server:
        client = Client(server.url)
        for number in range(30):
            words = " ".join(f"{number}word{at}" for at in range(40))
            batch = [chat_trace(f"{words} {at}", base=days_ago(20 - number / 2)) for at in range(30)]
            client.send([span for trace in batch for span in trace])
        with server.database.reading() as connection:
            full = server.database.dialect.used(connection)
        monkeypatch.setattr("otelkit.server.storage.sqlite._SPARE_PAGES", 10)
        size = pages(server)
        some = retention(server, keep=0, max_size=full // 2)
        run(some)
        assert pages(server) < size * 0.8
        with server.database.reading() as connection:
            assert full // 4 < server.database.dialect.used(connection) <= full // 2
            assert not server.database.dialect.unused(connection)
        times = [row["start"] for row in client.ask("/api/traces?range=all&limit=200")["traces"]]
        assert len(times) > 100
        assert min(times) > days_ago(15) / 1e6
        with server.database.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
