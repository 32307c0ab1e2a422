"""What the Collector has acknowledged arrives, whatever happens to it or to what stands behind it."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import pytest

from otelkit.testing.otlp_sink import Answer
from tests.stack.collector_support import Client, Rig, rig
from tests.stack.running import until

pytestmark = pytest.mark.stack

RECORDS = 60


def emit(client: Client, start: int, count: int) -> None:
    for number in range(start, start + count):
        client.logger.emit(
            timestamp=time.time_ns(), body=f"record {number}", attributes={"number": number}, event_name="test.event"
        )


def numbers(rig: Rig) -> set[object]:
    return {record.attributes["number"] for record in rig.loki.logs}


def test_nothing_acknowledged_is_lost_when_the_collector_is_killed(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        running.loki.script(then=Answer(503))
        running.server.script(then=Answer(503))
        emit(running.client(), 0, RECORDS)  # returns when each was acknowledged
        assert running.loki.logs == []
        running.collector.kill()
        running.collector.start()
        emit(running.client(), RECORDS, RECORDS)
        running.collector.kill()
        running.loki.script()
        running.server.script()
        running.collector.start()
        wanted = set(range(2 * RECORDS))
        until(lambda: numbers(running) >= wanted, 60, "all are with Loki")
        until(lambda: {r.attributes["number"] for r in running.server.logs} >= wanted, 60, "all are with the server")


def test_what_waits_when_the_collector_is_stopped_is_sent_after_its_next_start(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        running.loki.script(then=Answer(503))
        emit(running.client(), 0, RECORDS)
        until(lambda: len(running.loki.requests) > 0, 15, "it has tried")
        running.collector.stop()
        running.loki.script()
        running.collector.start()
        until(lambda: numbers(running) == set(range(RECORDS)), 60, "all are with Loki")


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_backend_that_refuses_is_asked_once_and_the_loss_is_counted(tmp_path: Path, status: int) -> None:
    """What the exporter takes for final; docs/operations.md says what to do when a token changes."""
    with rig(tmp_path) as running:
        running.server.script(then=Answer(status))
        emit(running.client(), 0, 1)
        until(lambda: running.collector.own("otelcol_exporter_send_failed_log_records") == 1, 15, "it is counted")
        running.server.script()
        emit(running.client(), 1, 1)
        until(lambda: running.server.logs, 15, "the next one arrives")
        assert [request.status for request in running.server.requests] == [status, 200]
        assert [record.attributes["number"] for record in running.server.logs] == [1]
        until(lambda: numbers(running) == {0, 1}, 15, "the other leg has both")


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL])
def test_a_trace_store_that_refuses_is_asked_once_and_the_loss_is_counted(
    tmp_path: Path, status: grpc.StatusCode
) -> None:
    with rig(tmp_path) as running:
        tracer = running.client().tracer
        running.traces.answers = status
        tracer.start_span("lost").end()
        until(lambda: running.collector.own("otelcol_exporter_send_failed_spans") == 1, 15, "it is counted")
        running.traces.answers = None
        tracer.start_span("next").end()
        until(lambda: running.traces.spans, 15, "the next one arrives")
        assert running.traces.refused == 1
        assert [span.name for span in running.traces.spans] == ["next"]


def test_a_token_that_changes_while_the_collector_is_stopped_loses_nothing_that_waits(tmp_path: Path) -> None:
    with rig(tmp_path, "standard.yaml", "auth=server", SERVER_TOKEN="of-yesterday") as running:
        running.server.script(then=Answer(503))
        emit(running.client(), 0, 5)
        running.collector.stop()
        running.server.script()
        asked = len(running.server.requests)
        with running.collector.told(SERVER_TOKEN="of-today"):
            running.collector.start()
            until(lambda: len(running.server.logs) == 5, 30, "what waited is there")
        assert {each.headers["Authorization"] for each in running.server.requests[asked:]} == {"Bearer of-today"}


def test_a_leg_that_is_away_keeps_the_others_from_nothing(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        running.loki.script(then=Answer(503))
        emit(running.client(), 0, 5)
        until(lambda: len(running.server.logs) == 5, 15, "the server has them")
        assert running.loki.logs == []


def test_events_reach_loki_with_their_name_as_an_attribute_and_the_server_as_they_were(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        logger = running.client().logger
        logger.emit(timestamp=time.time_ns(), body="a line of the log")
        emit(running.client(), 7, 1)
        until(lambda: len(running.loki.logs) == 2 and running.server.logs, 15, "they are there")
        line, event = running.loki.logs
        assert (line.body, dict(line.attributes)) == ("a line of the log", {})
        assert dict(event.attributes) == {"number": 7, "event_name": "test.event"}
        (told,) = running.server.logs
        assert (told.event_name, dict(told.attributes)) == ("test.event", {"number": 7})


def test_the_server_gets_the_steps_of_ai_applications_and_the_trace_store_everything(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        tracer = running.client().tracer
        with tracer.start_as_current_span("GET /chat"), tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
        until(lambda: len(running.traces.spans) == 2 and running.server.spans, 15, "they are there")
        assert [span.name for span in running.server.spans] == ["chat gpt-4o"]


def test_everything_reaches_the_server_where_that_is_asked_for(tmp_path: Path) -> None:
    with rig(tmp_path, "standard.yaml", "server=all") as running:
        client = running.client()
        with client.tracer.start_as_current_span("GET /"):
            client.logger.emit(timestamp=time.time_ns(), body="a line of the log")
        until(lambda: running.server.spans and running.server.logs, 15, "they are there")


def test_a_receiver_for_others_asks_for_its_token_and_shows_each_leg_the_legs_own(tmp_path: Path) -> None:
    told = {"TOKEN": "of-the-receiver", "LOKI_TOKEN": "of-loki", "SERVER_TOKEN": "of-the-server"}
    words = ("token=true", "tls=false", "auth=loki,server")
    with rig(tmp_path, "standard.yaml", *words, **told) as running:
        emit(running.client(), 0, 1)
        wrong = Client(running.collector.url, {"authorization": "Bearer of-somebody"})
        emit(wrong, 1, 1)
        right = Client(running.collector.url, {"authorization": "Bearer of-the-receiver"})
        emit(right, 2, 1)
        with right.tracer.start_as_current_span("one"):
            pass
        until(lambda: running.loki.logs and running.server.logs and running.traces.spans, 15, "the right one arrives")
        assert numbers(running) == {2}
        assert running.loki.requests[0].headers["Authorization"] == "Bearer of-loki"
        assert running.server.requests[0].headers["Authorization"] == "Bearer of-the-server"
