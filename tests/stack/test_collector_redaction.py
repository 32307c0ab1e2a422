"""What a plain OpenTelemetry client sends without a thought is masked in the Collector; figures and ids are not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from tests.stack.collector_support import Rig, rig
from tests.stack.running import until

AttributeValue = str | int | list[str]

pytestmark = pytest.mark.stack

PLANTED = {
    "email": "jane.doe@example.com",
    "email of elsewhere": "jürgen@müller.example",
    "credentials": "s3cr3tpw",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "openai key": "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2",
    "aws key": "AKIAIOSFODNN7EXAMPLE",
    "github token": "ghp_1234567890abcdefghijABCDEFGHIJ123456",
    "bearer": "Zm9vYmFyYmF6MTIzNDU2Nzg5",
    "password": "hunter2!",
    "card": "4111 1111 1111 1111",
    "card in one": "5555555555554444",
    "amex": "378282246310005",
    "iban": "DE89370400440532013000",
    "ssn": "078-05-1120",
    "phone": "+49 170 1234567",
    "us phone": "(212) 555-0187",
    "address": "203.0.113.77",
    "address six": "2001:db8:85a3::8a2e:370:7334",
}
TEXTS = {
    **{what: f"it says {secret} here" for what, secret in PLANTED.items()},
    "credentials": "postgres://app:s3cr3tpw@db/shop",
    "bearer": "Authorization: Bearer Zm9vYmFyYmF6MTIzNDU2Nzg5",
    "password": "connect with password=hunter2! please",
}
HARMLESS = {
    "gen_ai.usage.input_tokens": 4111,
    "gen_ai.usage.output_tokens": 5500,
    "gen_ai.usage.cache_read.input_tokens": 4111111111111111,  # a count, however it looks
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
    "request": "550e8400-e29b-41d4-a716-446655440000",
    "when": "2026-11-21T21:15:19.123456+00:00",
    "when.nanoseconds": 1795296558644606382,
    "version": "3.12.4",
    "score": 0.5412345678901234,
    "scores": (0.5412345678901234, 0.4111111111111111),
    "tokens": "prompt_tokens: 128, completion_tokens=1024 of max_tokens: 4096",
    "agent": "chatbot/2.4.1 (python 3.11)",
    "local": "http://127.0.0.1:8000/chat",
    "duration": "took 1234567 ms at 10:20:30",
    "flag": True,
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("redaction")) as made:
        yield made


BY_KEY: Mapping[str, AttributeValue] = {
    "password": "plantedword",
    "api_key": "plantedword",
    "session_token": "plantedword",
    "http.request.header.authorization": "plantedword",
    "http.request.header.cookie": ["sid=plantedword"],
    "phone": "5550187",
    "user.mobile": 5550187,
    "user_ssn": "078051120",
    "url.query": "code=4plantedword&state=plantedword",
    "http.query": "sig=plantedword&x=1",
    "url.full": "https://h/cb?token=plantedword&x=1",
    "http.target": "/cb?access_token=plantedword",
    "http.url": "https://h/cb?email=plantedword%40example.com",
    **dict.fromkeys(
        (
            "service.instance.id", "service.version", "http.request.method", "url.scheme", "db.system.name",
            "otelkit.outcome", "gen_ai.response.finish_reasons", "log.record.uid", "telemetry.sdk.name",
        ),
        "plantedword@example.com",
    ),
}  # fmt: skip
BY_KEY_LEAKS = re.compile("plantedword|5550187|078051120")


def secrets_in(text: str) -> list[str]:
    return [what for what, secret in PLANTED.items() if secret in text]


def test_the_texts_hold_what_is_planted() -> None:
    assert secrets_in(" ".join(TEXTS.values())) == list(PLANTED)


def test_nothing_planted_in_a_span_reaches_trace_store_or_server(running: Rig) -> None:
    link = Link(SpanContext(1, 1, True, TraceFlags(1)))
    everything = " ".join(TEXTS.values())
    tracer = running.client().tracer
    with tracer.start_as_current_span(f"chat {everything}", links=[link], record_exception=False) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        for what, text in TEXTS.items():
            span.set_attribute(f"text.{what}", text)
            span.set_attribute(f"list.{what}", ["ok", text])
        span.set_attribute("number", 4111111111111111)
        span.add_event(f"event {everything}", {"inside": everything})
        span.record_exception(ValueError(everything))
        span.set_status(Status(StatusCode.ERROR, everything))
    arrived = until(lambda: list(running.traces.spans) and running.server.spans, 15, "the span is there")
    for found in (running.traces.spans[0], arrived[0]):
        assert secrets_in(str(found)) == []
        assert "4111111111111111" not in str(found)
        assert found.attributes["gen_ai.operation.name"] == "chat"
        assert found.name.startswith("chat it says ****")
        assert "****" in found.status_message
        assert found.events[0].name.startswith("event it says ****")
        assert len(found.attributes) == 2 * len(TEXTS) + 2


def test_figures_ids_times_and_versions_stay_as_they_are(running: Rig) -> None:
    known = len(running.traces.spans)
    with running.client(service__version="10.4.2").tracer.start_as_current_span("GET /items/{i}") as span:
        span.set_attributes(HARMLESS)
    until(lambda: len(running.traces.spans) > known, 15, "the span is there")
    found = running.traces.spans[known]
    assert {key: found.attributes[key] for key in HARMLESS} == HARMLESS
    assert found.name == "GET /items/{i}"
    assert found.trace_id.hex() == f"{span.get_span_context().trace_id:032x}"
    assert found.resource.attributes["service.version"] == "10.4.2"


def test_nothing_planted_in_a_log_record_reaches_loki_or_the_server(running: Rig) -> None:
    everything = " ".join(TEXTS.values())
    logger = running.client().logger
    attributes = {**{f"text.{what}": text for what, text in TEXTS.items()}, "nested": {"list": [everything]}}
    logger.emit(timestamp=time.time_ns(), body=everything, attributes=attributes, event_name=f"made.up {everything}")
    logger.emit(timestamp=time.time_ns(), body={"said": {"by": [everything]}, "n": 5}, event_name="made.up")
    until(lambda: len(running.loki.logs) > 1 and len(running.server.logs) > 1, 15, "both records are there")
    for found in (*running.loki.logs, *running.server.logs):
        assert secrets_in(str(found)) == []
        assert found.event_name.startswith("made.up")
    assert running.loki.logs[1].body["n"] == 5


def test_nothing_planted_in_metric_attributes_reaches_prometheus(running: Rig) -> None:
    client = running.client(host__contact=TEXTS["email"])
    counter = client.meter.create_counter("shop.orders")
    counter.add(1, {f"text.{what}": text for what, text in TEXTS.items()})
    client.flush_metrics()
    text = running.scraped("shop_orders_total")
    assert secrets_in(text) == []
    assert 'text_email="it says **** here"' in text


def test_what_an_attributes_key_tells_to_be_secret_is_masked_in_spans_logs_and_metrics(running: Rig) -> None:
    client = running.client(user_password="plantedword", service__instance__id="plantedword@example.com")
    spans, logs = len(running.traces.spans), len(running.loki.logs)
    with client.tracer.start_as_current_span("GET /cb") as span:
        span.set_attributes({**BY_KEY, "enabled.password": True, "gen_ai.usage.input_tokens": 5550188})
        span.add_event("read", BY_KEY)
    client.logger.emit(
        timestamp=time.time_ns(), body={"user": {**BY_KEY, "n": 5}, "secret": "plantedword"}, attributes=BY_KEY
    )
    client.meter.create_counter("shop.keys").add(1, {key: str(value) for key, value in BY_KEY.items()})
    client.flush_metrics()
    until(lambda: len(running.traces.spans) > spans and len(running.loki.logs) > logs, 15, "both are there")
    found, record = running.traces.spans[spans], running.loki.logs[logs]
    said = f"{found} {record} {running.scraped('shop_keys_total')}"
    assert [said[at.start() - 40 : at.end()] for at in BY_KEY_LEAKS.finditer(said)] == []
    assert set(BY_KEY) <= set(found.attributes)
    assert (found.attributes["enabled.password"], found.attributes["gen_ai.usage.input_tokens"]) == (True, 5550188)
    assert record.body["user"]["n"] == 5
    assert record.body["secret"] == "****"


def test_a_scopes_name_and_version_are_masked_and_others_stay(running: Rig) -> None:
    client = running.client()
    known, seen = len(running.traces.spans), len(running.loki.logs)
    for name, version in (("shop of jane@example.com", "for jane@example.com"), ("opentelemetry.httpx", "0.49b2")):
        with client.providers.tracer.get_tracer(name, version).start_as_current_span("one"):
            pass
        client.providers.logger.get_logger(name, version).emit(timestamp=time.time_ns(), body="one")
        client.providers.meter.get_meter(name, version).create_counter(f"scoped.{len(name)}").add(1)
    client.flush_metrics()
    until(lambda: len(running.traces.spans) > known + 1 and len(running.loki.logs) > seen + 1, 15, "all are there")
    wanted = {("shop of ****", "for ****"), ("opentelemetry.httpx", "0.49b2")}
    scopes = [record.scope for record in (*running.traces.spans[known:], *running.loki.logs[seen:])]
    assert {(scope.name, scope.version) for scope in scopes} == wanted
    assert not any(scope.attributes for scope in scopes)
    text = running.scraped("scoped_19_total")
    assert "jane@example.com" not in text
    assert 'otel_scope_name="shop of ****"' in text
    assert "otelkit_lifted" not in text
