"""Metrics before they leave: no people and no secrets in labels, equal points added, a fork's inheritance taken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client.parser import text_string_to_metric_families

from otelkit.mapping.otlp import decode_metrics
from otelkit.mapping.redaction import Redactor
from otelkit.sdk.export.lane import Batch
from otelkit.sdk.export.points import LabelCleaner
from otelkit.sdk.export.readers import PushReader
from otelkit.testing.otlp_sink import OtlpSink

from . import processes
from .test_bootstrap import UVICORN


class Meters:
    """A provider whose metrics are cleaned as in a service."""

    def __init__(self) -> None:
        self.sent: list[Batch] = []
        self.reader = PushReader(self.sent.append, LabelCleaner(Redactor()))
        self.meter = MeterProvider([self.reader]).get_meter("test")

    def points(self) -> list[Any]:
        """What a collection sends."""
        self.sent.clear()
        self.reader.collect()
        return [point for batch in self.sent for point in decode_metrics(batch.body).records]


@pytest.fixture
def meters() -> Meters:
    return Meters()


def test_users_are_never_a_label_and_their_points_add_up(meters: Meters) -> None:
    counter = meters.meter.create_counter("messages")
    histogram = meters.meter.create_histogram("sizes")
    for user in ("alice", "bob", "eve"):
        counter.add(2, {"user_id": user, "plan": "pro"})
        counter.add(1.5, {"user.id": user, "plan": "free"})
        histogram.record(7, {"session.id": user})
    points = meters.points()
    assert [(p.value, p.attributes) for p in points if p.name == "messages"] == [
        (6, {"plan": "pro"}),
        (4.5, {"plan": "free"}),
    ]
    (sizes,) = [point for point in points if point.name == "sizes"]
    assert (sizes.samples, sizes.total, sum(sizes.buckets)) == (3, 21, 3)
    assert not any(name in body for name in (b"alice", b"bob", b"eve") for body in [b.body for b in meters.sent])


def test_secrets_content_and_patterns_are_hidden(meters: Meters) -> None:
    planted = {"password": "hunter2", "gen_ai.input.messages": "my prompt", "to": "jane@example.com", "route": "/x"}
    meters.meter.create_counter("messages").add(1, planted)
    (point,) = meters.points()
    assert point.attributes["route"] == "/x"
    assert set(point.attributes) == set(planted)
    assert not any(secret in meters.sent[0].body for secret in (b"hunter2", b"my prompt", b"jane@"))


def test_gauges_of_people_keep_the_last(meters: Meters) -> None:
    gauge = meters.meter.create_gauge("load")
    gauge.set(1, {"user_id": "alice"})
    gauge.set(5, {"user_id": "bob"})
    assert [point.value for point in meters.points()] == [5]


def test_what_a_fork_inherits_is_not_counted_again(meters: Meters) -> None:
    counter = meters.meter.create_counter("jobs")
    histogram = meters.meter.create_histogram("sizes")
    counter.add(5)
    histogram.record(7)
    meters.reader.inherit()
    counter.add(2)
    histogram.record(9)
    found = {point.name: point for point in meters.points()}
    assert found["jobs"].value == 2
    assert (found["sizes"].samples, found["sizes"].total) == (1, 9)


def test_own_counters_survive_a_fork_and_a_second_start() -> None:
    code = """
import os, otelkit
timers = otelkit.counter("timers")
otelkit.init(service="x", instrument=False)
timers.add(5)
pid = os.fork()
if pid == 0:
    timers.add(1)
    os._exit(0 if otelkit.flush(5) else 1)
assert os.waitpid(pid, 0)[1] == 0
assert otelkit.flush(5)
otelkit.shutdown()
otelkit.init(service="x", instrument=False)
timers.add(10)
assert otelkit.flush(5)
"""
    with OtlpSink() as sink:
        done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address, "OTEL_METRIC_EXPORT_INTERVAL": "60000"})
        assert done.returncode == 0, done.stderr
        assert sorted(point.value for point in sink.points if point.name == "timers")[:2] == [1, 5]
        assert max(point.value for point in sink.points if point.name == "timers") == 15


def test_the_prometheus_page_is_as_clean(tmp_path: Path) -> None:
    code = "import otelkit\nfrom service import app\n"
    code += (
        "for user in ('alice', 'bob'): otelkit.counter('messages').add(2, {'user_id': user, 'password': 'hunter2'})\n"
    )
    (tmp_path / "labelled.py").write_text(code)
    with OtlpSink() as sink:
        command = [word.replace("service:app", "labelled:app") for word in UVICORN]
        environment = {
            "OTELKIT_ENDPOINT": sink.address,
            "OTELKIT_PROMETHEUS": "true",
            "PYTHONPATH": f"{tmp_path}:{processes.HERE}",
        }
        with processes.service(command, tmp_path, environment) as shop:
            text = shop.get("/metrics")[1]
    assert "hunter2" not in text
    assert "alice" not in text
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == "messages_total"]
    assert [sample.value for sample in samples] == [4]
    assert samples[0].labels["password"] == "[redacted]"
