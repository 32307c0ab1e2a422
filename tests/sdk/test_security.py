"""Security events: by name, and bursts of refused requests seen without help; nobody's id or address in any of them."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import otelkit
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import LogRecord
from otelkit.sdk import alarms
from otelkit.sdk.events import Events
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk import processes

SALT = "salt of the tests"
MADE = Pseudonymiser(SALT.encode())
ADDRESS, OTHER = "127.0.0.1", "127.0.0.2"
PLANTED = ("u-99", "Ada said no", ADDRESS, OTHER)
UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]


@pytest.fixture(scope="module")
def kept(logger_provider: LoggerProvider) -> InMemoryLogRecordExporter:
    exporter = InMemoryLogRecordExporter()
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return exporter


@pytest.fixture
def recorded(kept: InMemoryLogRecordExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(alarms._Process, "pseudonym", MADE)
    kept.clear()
    yield lambda: [record.log_record for record in kept.get_finished_logs()]
    kept.clear()


# --- by name -------------------------------------------------------------------------------------------------


def test_it_speaks_the_common_words(recorded: Any) -> None:
    assert otelkit.security_event("authentication.failed", user="u-99", reason="wrong_password", attempts=3)
    (record,) = recorded()
    assert (record.event_name, record.severity_text) == ("security.authentication.failed", "WARN")
    told = dict(record.attributes)
    assert told.pop("log.record.uid")
    assert told == {
        "event.category": "authentication",
        "event.type": "start",
        "event.outcome": "failure",
        "event.action": "log-in",
        "event.reason": "wrong_password",
        "otelkit.security.user": MADE("user", "u-99"),
        "otelkit.security.detail.attempts": 3,
    }


def test_what_succeeds_is_no_warning(recorded: Any) -> None:
    otelkit.security_event("authentication.succeeded")
    otelkit.security_event("permission.denied", outcome="unknown")
    assert [(one.severity_text, one.attributes["event.outcome"]) for one in recorded()] == [
        ("INFO", "success"),
        ("INFO", "unknown"),
    ]


def test_nothing_personal_is_in_it(recorded: Any) -> None:
    otelkit.security_event(
        "export.unusual",
        user="ada@example.com",
        reason="Ada wanted it",
        name="ada",
        password="hunter2",
        rows=10**30,
        nothing=None,
        rate=float("nan"),
        nested={"who": "Ada"},
        **{"ada@example.com": 1},
    )
    told = json.dumps(dict(recorded()[0].attributes))
    assert [text for text in ("ada", "Ada", "hunter2", "NaN") if text in told] == []
    assert told.count("fingerprint:") == 6


def test_the_session_says_who_where_nobody_else_does(recorded: Any, pseudonyms: Pseudonymiser) -> None:
    with otelkit.session(user_id="u-17"):
        otelkit.security_event("token.misused")
        otelkit.security_event("token.misused", user=pseudonyms("user", "u-1"))
    assert recorded()[0].attributes["otelkit.security.user"] == pseudonyms("user", "u-17")


@pytest.mark.parametrize("kind", ["login.failed", "responses.refused", "", 7, None])
def test_an_unknown_kind_is_counted_and_nothing_else(recorded: Any, kind: Any) -> None:
    before = Events.withheld["_OTHER", "unknown_event"]
    assert not otelkit.security_event(kind)
    assert Events.withheld["_OTHER", "unknown_event"] == before + 1
    assert recorded() == []


def test_a_wrong_outcome_is_unknown(recorded: Any) -> None:
    otelkit.security_event("token.misused", outcome="fine")  # type: ignore[arg-type]
    assert recorded()[0].attributes["event.outcome"] == "unknown"


def test_before_and_without_telemetry_it_does_nothing() -> None:
    tell = "print(otelkit.security_event('token.misused'))\n"
    code = f"import otelkit\n{tell}otelkit.init(service='s', instrument=False)\n{tell}"
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, env={**os.environ, "OTEL_SDK_DISABLED": "true"}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "False"]


# --- bursts --------------------------------------------------------------------------------------------------


class Clients:
    """Refuses requests, and tells the time."""

    def __init__(self, burst: int) -> None:
        self.now = 1000.0
        self.refusals = alarms.Refusals(MADE, burst, lambda: self.now)

    def refuse(self, times: int = 1, *, status: int = 401, address: str = "203.0.113.7", every: float = 0.0) -> None:
        for _ in range(times):
            route = SimpleNamespace(path="/chat/{id}")
            self.refusals.saw({"client": (address, 1), "route": route, "path": "/chat/ada"}, status)
            self.now += every


def test_a_burst_is_told_once_and_again_after_a_minute(recorded: Any) -> None:
    clients = Clients(5)
    clients.refuse(4)
    assert recorded() == []
    clients.refuse(1, status=429)
    clients.refuse(20)
    (record,) = recorded()
    assert dict(record.attributes) | {
        "otelkit.security.client": MADE("client", "203.0.113.7"),
        "otelkit.security.statuses.401": 4,
        "otelkit.security.statuses.429": 1,
        "otelkit.security.routes": ("/chat/{id}",),
    } == dict(record.attributes)
    clients.refuse(20, every=3.1)
    clients.refuse(1)
    again = recorded()[1:]
    assert [one.attributes["otelkit.security.statuses.401"] for one in again] == [41]
    assert "203.0.113.7" not in str(recorded())
    assert "/chat/ada" not in str(recorded())


def test_slow_refusals_are_no_burst_and_are_not_part_of_a_later_one(recorded: Any) -> None:
    clients = Clients(5)
    clients.refuse(50, every=15.1)
    assert recorded() == []
    clients.now += 60
    clients.refuse(5)
    assert recorded()[0].attributes["otelkit.security.statuses.401"] == 5


def test_clients_are_told_apart_and_one_without_an_address_is_nobody(recorded: Any) -> None:
    clients = Clients(3)
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        clients.refuse(2, address=address)
    for nobody in (None, ("", 0)):
        for _ in range(9):
            clients.refusals.saw({"client": nobody}, 403)
    assert recorded() == []


def test_of_very_many_clients_the_oldest_are_forgotten(recorded: Any) -> None:
    clients = Clients(2)
    clients.refuse(address="first")
    for number in range(10_000):
        clients.refuse(address=f"client {number}")
    assert len(clients.refusals._clients) == 10_000
    clients.refuse(address="first")
    assert recorded() == []
    clients.refuse(address="first")
    assert len(recorded()) == 1


def test_none_are_told_where_that_was_said(recorded: Any) -> None:
    Clients(0).refuse(100)
    assert recorded() == []


# --- a real service ------------------------------------------------------------------------------------------


def test_a_real_service_tells_of_a_burst(tmp_path: Path) -> None:
    with OtlpSink() as sink:
        environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_SALT": SALT, "OTELKIT_SECURITY_BURST": "6"}
        with processes.service(UVICORN, tmp_path, environment) as shop:
            for path in ("refused/401", "refused/403", "refused/429", "refused", "refused/404") * 2:
                ask(shop.address, path, ADDRESS)
            for _ in range(5):
                ask(shop.address, "refused/401", OTHER)
            ask(shop.address, "guarded/42", OTHER)
        first, second = named(sink, "security.responses.refused")
        assert first.attributes["otelkit.security.client"] == MADE("client", ADDRESS)
        assert {code: first.attributes[f"otelkit.security.statuses.{code}"] for code in (401, 403, 429)} == {
            401: 2, 403: 3, 429: 1,
        }  # fmt: skip
        assert tuple(first.attributes["otelkit.security.routes"]) == ("/refused", "/refused/{status}")
        assert len(first.trace_id) == 16
        assert second.attributes["otelkit.security.client"] == MADE("client", OTHER)
        (denied,) = named(sink, "security.permission.denied")
        assert denied.attributes["http.route"] == "/guarded/{project}"
        assert denied.attributes["http.request.method"] == "GET"
        assert denied.attributes["otelkit.request.id"]
        assert denied.attributes["otelkit.security.user"] == MADE("user", "u-99")
        assert denied.attributes["otelkit.security.detail.role"] == "guest"
        told = str([record for record in sink.logs if record.event_name.startswith("security.")])
        assert [text for text in PLANTED if text in told] == []
        assert counted(sink) == {("permission.denied", "failure"): 1.0, ("responses.refused", "failure"): 2.0}


def test_every_process_of_a_service_counts_for_itself_and_a_forked_one_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "service:app", "-b", "127.0.0.1:{port}", "-k",
               "uvicorn.workers.UvicornWorker", "--preload"]  # fmt: skip
    with OtlpSink() as sink:
        environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_SECURITY_BURST": "3"}
        with processes.service(command, tmp_path, environment) as shop:
            for _ in range(8):
                ask(shop.address, "refused/403", ADDRESS)
        assert len(named(sink, "security.responses.refused")) == 1


def test_websockets_that_are_not_let_in_are_refusals(tmp_path: Path) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with OtlpSink() as sink:
        environment = {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_SECURITY_BURST": "3"}
        with processes.service(UVICORN, tmp_path, environment) as shop:
            assert [ask(shop.address, "closed/7", ADDRESS, handshake) for _ in range(3)] == [403, 403, 403]
        (burst,) = named(sink, "security.responses.refused")
        assert burst.attributes["otelkit.security.statuses.403"] == 3
        assert tuple(burst.attributes["otelkit.security.routes"]) == ("/closed/{room}",)


def ask(address: str, path: str, source: str, headers: Mapping[str, str] = MappingProxyType({})) -> int:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20, source_address=(source, 0))
    connection.request("GET", f"/{path}", headers=dict(headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def named(sink: OtlpSink, name: str) -> list[LogRecord]:
    return [record for record in sink.logs if record.event_name == name]


def counted(sink: OtlpSink) -> dict[tuple[Any, Any], float]:
    points = [point for point in sink.points if point.name == "otelkit.security.events"]
    return {(p.attributes["otelkit.security.kind"], p.attributes["event.outcome"]): p.value for p in points}
