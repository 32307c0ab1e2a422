"""Jobs, queues and syncs as the API tells them."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from server_support import MS, Client, make_span

STORES = ("sqlite", "postgres")


def run(job: str, ms: float = 10, ago: float = 60, operation: str = "run_job", **more: Any) -> Any:
    attributes = {"gen_ai.operation.name": operation, **more.pop("attributes", {})}
    base = time.time_ns() - int(ago * 1000) * MS
    return make_span(f"{operation} {job}", base=base, ms=ms, kind=5, attributes=attributes, **more)


def send_points(client: Client, *points: tuple[str, float, float, dict[str, str]], monotonic: bool = False) -> None:
    """Send (metric, value, seconds ago, labels), as gauges or as counters that began with the oldest."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    service = resource.resource.attributes.add(key="service.name")
    service.value.string_value = "shop"
    metrics = resource.scope_metrics.add().metrics
    now = time.time()
    start = int((now - max(ago for _, _, ago, _ in points) - 1) * 1e9)
    for name, value, ago, labels in points:
        metric = metrics.add(name=name)
        if monotonic:
            metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
        point = (metric.sum if monotonic else metric.gauge).data_points.add()
        point.as_double, point.time_unix_nano, point.start_time_unix_nano = value, int((now - ago) * 1e9), start
        for key, text in labels.items():
            point.attributes.add(key=key).value.string_value = text
    assert client.post("/v1/metrics", request.SerializeToString()).status == 200


def of(job: str, **labels: str) -> dict[str, str]:
    return {"otelkit.job.name": job, "messaging.system": "rq", "messaging.destination.name": "orders", **labels}


def test_jobs_by_name_with_what_failed(client: Client) -> None:
    failed = {"status": 2, "status_message": "no order", "attributes": {"error.type": "shop.OrderError"}}
    spans = [run("pay", 10 * n, ago=200 - n) for n in range(1, 5)] + [run("mail"), run("pay", ago=7000)]
    client.send([*spans, run("pay", 900, ago=20, **failed)])
    counters = [("otelkit.job.runs", 5.0, 10, of("pay")), ("otelkit.job.retries", 0.0, 300, of("pay"))]
    send_points(client, *counters, ("otelkit.job.retries", 2.0, 10, of("pay")), monotonic=True)
    answer = client.ask("/api/jobs?range=1h")
    assert (answer["total"]["runs"], answer["total"]["errors"], answer["previous"]["runs"]) == (6, 1, 1)
    pay, mail = answer["jobs"]
    assert (pay["job"], pay["runs"], pay["errors"], pay["error_ratio"]) == ("pay", 5, 1, 0.2)
    assert (pay["system"], pay["queue"], pay["retries"]) == ("rq", "orders", 2)
    assert (pay["previous"]["runs"], sum(pay["series"]["runs"])) == (1, 5)
    assert (mail["job"], mail["queue"], mail["retries"]) == ("mail", None, None), "unknown is not none"
    (error,) = answer["errors"]["rows"]
    assert (error["job"], error["type"], error["message"]) == ("pay", "OrderError", "no order")
    assert client.ask(f"/api/traces/{error['trace_id']}/spans/{error['span_id']}")["span"]["duration_ms"] == 900.0


def test_a_job_that_should_have_run_again_is_late_even_outside_the_range(client: Client) -> None:
    now = time.time()
    client.send(
        [run("every minute", ago=60 * n + 1200) for n in range(8)] + [run("on time", ago=60 * n) for n in range(8)]
    )
    client.send([run("in bursts", ago=ago) for ago in (10_000, 9940, 7000, 6940, 4000, 3940, 2000)])
    send_points(client, ("otelkit.job.last_success", now - 1190, 5, of("every minute")))
    jobs = {job["job"]: job for job in client.ask("/api/jobs?range=15m")["jobs"]}
    late = jobs["every minute"]
    assert (late["overdue"], late["usual_s"], late["runs"]) == (True, 60, 0)
    assert abs(late["last_success"] / 1000 - (now - 1190)) < 0.01
    assert (jobs["on time"]["overdue"], jobs["on time"]["usual_s"]) == (False, 60)
    assert abs(jobs["on time"]["last_success"] / 1000 - now) < 125, "as its spans say, where nothing else does"
    assert jobs["in bursts"]["overdue"] is False
    assert next(iter(jobs)) == "every minute", "what is late comes first"


def test_too_few_runs_are_never_late(client: Client) -> None:
    client.send([run("once", ago=9000), run("once", ago=9060)])
    (job,) = client.ask("/api/jobs?range=24h")["jobs"]
    assert (job["usual_s"], job["overdue"]) == (None, False)


def test_queues_as_last_reported(client: Client) -> None:
    def queue(name: str) -> dict[str, str]:
        return {"messaging.system": "celery", "messaging.destination.name": name}

    length, oldest = "otelkit.job.queue.length", "otelkit.job.queue.oldest"
    send_points(client, (length, 3, 60, queue("orders")), (oldest, 30, 60, queue("orders")))
    send_points(client, (length, 7, 5, queue("orders")), (oldest, 95, 5, queue("orders")))
    send_points(client, (length, 9, 4000, queue("gone")), (oldest, 9, 4000, queue("gone")))
    send_points(client, (length, 0, 5, queue("idle")))
    orders, gone, idle = client.ask("/api/jobs")["queues"]
    assert (orders["queue"], orders["length"], orders["oldest_s"]) == ("orders", 7, 95)
    assert (gone["queue"], gone["length"], gone["oldest_s"]) == ("gone", None, None)
    assert (idle["length"], idle["oldest_s"]) == (0, None)


def test_syncs_by_integration(client: Client) -> None:
    client.send([run("calendar", operation="sync"), run("calendar", operation="sync", status=2), run("mail")])
    answer = client.ask("/api/jobs")
    (calendar,) = answer["syncs"]
    assert (calendar["integration"], calendar["runs"], calendar["errors"]) == ("calendar", 2, 1)
    assert [job["job"] for job in answer["jobs"]] == ["mail"], "a sync is no job"
    assert answer["errors"]["rows"][0]["job"] == "sync calendar"


def test_no_jobs(client: Client) -> None:
    answer = client.ask("/api/jobs")
    assert (answer["jobs"], answer["queues"], answer["syncs"], answer["errors"]["rows"]) == ([], [], [], [])
    assert (answer["total"]["runs"], answer["total"]["error_ratio"]) == (0, None)
