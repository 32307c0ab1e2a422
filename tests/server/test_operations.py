"""Databases and the machine, as the server tells them: by what is called, by fingerprint, by process."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from server_support import MS, Client, make_span

from otelkit.model import LogRecord, Resource, Scope, SpanEvent

STORES = ("sqlite", "postgres")
SERVICE = Resource({"service.name": "shop", "deployment.environment.name": "test"})
PLANTED = "Xq7planted"


def call(statement: str, **values: Any) -> Any:
    attributes = {"db.system": "postgresql", "db.statement": statement, **values.pop("attributes", {})}
    return make_span("SELECT shop", kind=3, attributes=attributes, **values)


def event(name: str, attributes: dict[str, Any], at: int, trace_id: bytes = b"") -> LogRecord:
    return LogRecord(
        at, at, 13, "WARN", "said", attributes, name, trace_id, b"", 1, SERVICE, Scope("otelkit.databases")
    )


def send_metrics(client: Client, instance: str, values: list[tuple[str, str, float, dict[str, str]]]) -> None:
    """``values``: name, kind (gauge, sum, growing), value, attributes."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    for key, value in (("service.name", "shop"), ("service.instance.id", instance)):
        added = resource.resource.attributes.add(key=key)
        added.value.string_value = value
    scope = resource.scope_metrics.add()
    for name, kind, value, attributes in values:
        metric = scope.metrics.add(name=name, unit="1")
        data = metric.gauge if kind == "gauge" else metric.sum
        if kind != "gauge":
            metric.sum.aggregation_temporality = 2
            metric.sum.is_monotonic = kind == "growing"
        point = data.data_points.add(
            time_unix_nano=time.time_ns() - 2_000 * MS, start_time_unix_nano=1, as_double=value
        )
        for key, text in attributes.items():
            point.attributes.add(key=key).value.string_value = text
    assert client.post("/v1/metrics", request.SerializeToString()).status == 200


def test_calls_of_any_instrumentation_by_what_they_do(client: Client) -> None:
    spans = [call(f"SELECT * FROM orders WHERE id = {number} AND name = '{PLANTED}'", ms=10) for number in range(9)]
    failed = SpanEvent(
        "exception", spans[0].end, {"exception.type": "psycopg.errors.Bad", "exception.message": PLANTED}
    )
    spans.append(
        call(f"INSERT INTO orders VALUES ('{PLANTED}')", ms=900, status=2, status_message=PLANTED, events=(failed,))
    )
    client.send(spans)
    answer = client.ask("/api/databases?range=1h")
    assert PLANTED not in str(answer)
    assert (answer["total"]["calls"], answer["total"]["errors"]) == (10, 1)
    rows = {row["call"]: row for row in answer["calls"]}
    select = rows["SELECT orders"]
    assert (select["calls"], select["errors"]) == (9, 0)
    assert (select["system"], select["operation"], select["table"]) == ("postgresql", "SELECT", "orders")
    assert select["statement"] == "SELECT * FROM orders WHERE id = ? AND name = ?"
    assert select["p95_ms"] == pytest.approx(10, rel=0.1)
    assert answer["slowest"][0]["label"] == "INSERT orders"
    (error,) = answer["errors"]["rows"]
    assert (error["call"], error["type"]) == ("INSERT orders", "Bad")
    trace = client.ask(f"/api/traces/{spans[-1].trace_id.hex()}")
    assert PLANTED not in str(trace)


def test_statements_that_were_told_about_by_fingerprint(client: Client) -> None:
    now, trace_id = time.time_ns() - 60_000 * MS, secrets.token_bytes(16)
    about = {"db.query.summary": "SELECT orders", "db.query.text": "SELECT ?", "otelkit.db.query.fingerprint": "f1"}
    client.send_logs(
        [
            event("db.query.slow", {**about, "otelkit.db.duration": 2.5}, now, trace_id),
            event("db.query.slow", {**about, "otelkit.db.duration": 0.7, "otelkit.db.not_told": 4}, now + 1000 * MS),
            event("db.query.slow", {**about, "otelkit.db.query.fingerprint": "f2", "otelkit.db.duration": 1}, now - MS),
            event("db.query.repeated", {**about, "otelkit.db.repeated.count": 12, "http.route": "/orders"}, now),
        ]
    )
    answer = client.ask("/api/databases?range=1h")
    first, second = answer["slow"]
    assert (first["fingerprint"], first["times"], first["worst"]) == ("f1", 6, 2.5)
    assert first["trace_id"] == trace_id.hex()  # the worst one's
    assert (second["fingerprint"], second["times"]) == ("f2", 1)
    (repeated,) = answer["repeated"]
    assert (repeated["route"], repeated["worst"]) == ("/orders", 12)


def test_pools_of_all_processes_together(client: Client) -> None:
    pool = {"db.client.connection.pool.name": "main", "db.system.name": "postgresql"}
    for instance in ("a", "b"):
        send_metrics(
            client,
            instance,
            [
                ("db.client.connection.count", "sum", 3, {**pool, "db.client.connection.state": "used"}),
                ("db.client.connection.count", "sum", 2, {**pool, "db.client.connection.state": "idle"}),
                ("db.client.connection.max", "sum", 5, pool),
            ],
        )
    (row,) = client.ask("/api/databases?range=1h")["pools"]
    assert row == {
        "pool": "main",
        "system": "postgresql",
        "used": 6,
        "idle": 4,
        "most": 10,
        "waiting": None,  # which they did not tell, and which is not 0
        "timeouts": None,
    }


def test_the_machine_once_and_each_process(client: Client) -> None:
    host = [
        ("system.cpu.utilization", "gauge", 0.25, {"cpu.mode": "user"}),
        ("system.cpu.utilization", "gauge", 0.75, {"cpu.mode": "idle"}),
        ("system.memory.usage", "sum", 600.0, {"system.memory.state": "used"}),
        ("system.memory.limit", "sum", 1000.0, {}),
        (
            "system.filesystem.usage",
            "sum",
            10.0,
            {"system.filesystem.mountpoint": "/", "system.filesystem.state": "used"},
        ),
        (
            "system.filesystem.usage",
            "sum",
            90.0,
            {"system.filesystem.mountpoint": "/", "system.filesystem.state": "free"},
        ),
    ]
    send_metrics(
        client, "a", [*host, ("process.memory.usage", "sum", 50.0, {}), ("process.thread.count", "sum", 4, {})]
    )
    send_metrics(client, "b", [("process.memory.usage", "sum", 70.0, {})])
    answer = client.ask("/api/system?range=15m")
    assert answer["container"] is False
    assert [value for value in answer["cpu"]["shares"]["user"] if value is not None][-1] == 0.25
    assert (answer["memory"]["limit"], answer["load"]["1m"], answer["lag"]) == (1000, None, None)
    assert answer["filesystems"] == [{"mountpoint": "/", "used": 10, "free": 90}]
    processes = {row["instance"]: row for row in answer["processes"]}
    assert list(processes) == ["b", "a"]
    assert (processes["a"]["memory"], processes["a"]["threads"], processes["b"]["threads"]) == (50, 4, None)


def test_a_container_shows_its_own_limits(client: Client) -> None:
    send_metrics(
        client,
        "a",
        [
            ("container.cpu.usage", "gauge", 0.5, {}),
            ("otelkit.container.cpu.limit", "gauge", 2.0, {}),
            ("container.memory.working_set", "sum", 300.0, {}),
            ("otelkit.container.memory.limit", "gauge", 500.0, {}),
        ],
    )
    answer = client.ask("/api/system?range=15m")
    assert answer["container"] is True
    assert [value for value in answer["cpu"]["shares"]["used"] if value is not None][-1] == 0.25
    assert (answer["cpu"]["processors"], answer["memory"]["limit"]) == (2, 500)
