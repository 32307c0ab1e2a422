"""Jobs on the page, in a real browser: what is late stands out, failures and rows lead to their traces."""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.request
from typing import Any

import pytest

from otelkit.model import Resource, Span

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser


def run(job: str, ago: float, operation: str = "run_job", **more: Any) -> Span:
    start = time.time_ns() - int(ago * 1e9)
    fields = {"kind": 5, "start": start, "end": start + 240_000_000, "resource": Resource({"service.name": "worker"})}
    attributes = {"gen_ai.operation.name": operation, **more.pop("attributes", {})}
    identity = (secrets.token_bytes(16), secrets.token_bytes(8), b"")
    return Span(*identity, f"{operation} {job}", attributes=attributes, **{**fields, **more})


def send_gauges(site: Any, *points: tuple[str, float, dict[str, str]]) -> None:
    metrics = [
        {
            "name": name,
            "gauge": {
                "dataPoints": [
                    {
                        "asDouble": value,
                        "timeUnixNano": str(time.time_ns()),
                        "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in labels.items()],
                    }
                ]
            },
        }
        for name, value, labels in points
    ]
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode()
    request = urllib.request.Request(f"{site.url}/v1/metrics", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=20).close()


def test_what_is_late_or_fails_stands_out_and_leads_on(view_of: Any, empty_site: Any) -> None:
    site = empty_site
    failed = {"status": 2, "status_message": "try later", "attributes": {"error.type": "smtplib.SMTPError"}}
    site.send([run("nightly", 1200 + 60 * n) for n in range(6)])
    site.send([run("send_receipt", 30 * n + 5) for n in range(6)] + [run("send_receipt", 3, **failed)])
    site.send([run("calendar", 40, operation="sync")])
    queue = {"messaging.system": "celery", "messaging.destination.name": "receipts"}
    send_gauges(site, ("otelkit.job.queue.length", 17, queue), ("otelkit.job.queue.oldest", 95, queue))
    page = view_of(site).open("/jobs/?range=1h", ".grid")
    expect(page.locator(".verdict p")).to_contain_text(
        "13 runs of 2 jobs · nightly is late · 7.7 % failed, most in send_receipt · 17 waiting"
    )
    rows = page.locator("[aria-label=Jobs] tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("nightly")
    expect(rows.first.locator(".err")).to_have_text(re.compile(r"^2[01] min ago, late$"))
    expect(page.locator("[aria-label=Queues] tbody tr")).to_contain_text("17")
    expect(page.locator("[aria-label=Queues] tbody tr")).to_contain_text("95 s")
    expect(page.locator("[aria-label=Syncs] tbody tr")).to_contain_text("calendar")
    page.locator(".chg").first.click()
    expect(page.locator(".failure")).to_contain_text("SMTPError")
    page.go_back()
    page.locator("[aria-label=Syncs] tbody tr a").first.click()
    expect(page.locator("a.tr")).to_have_count(1)


def test_without_jobs_it_says_where_they_come_from(view_of: Any, empty_site: Any) -> None:
    empty_site.send([])
    page = view_of(empty_site).open("/jobs/", ".nothing")
    expect(page.locator(".nothing")).to_contain_text("otelkit run")


def test_an_exceeded_budget_is_red(view_of: Any, empty_site: Any) -> None:
    site = empty_site
    more = {"kind": 2, "attributes": {"http.route": "/chat"}}
    site.send([run("x", 30, **more)._replace(name="POST /chat") for _ in range(3)])

    def of(target: str, measure: str) -> dict[str, str]:
        return {"otelkit.budget.target": target, "otelkit.budget.measure": measure}

    limit, value = "otelkit.budget.limit", "otelkit.budget.value"
    send_gauges(site, (limit, 0.1, of("POST /chat", "p95")), (limit, 300e3, of("static", "bytes")))
    send_gauges(site, (value, 251e3, of("static", "bytes")))
    page = view_of(site).open("/?range=1h", ".notice.bad")
    expect(page.locator(".notice.bad")).to_contain_text(
        re.compile(r"1 budget exceeded\s*POST /chat: p95 24\d ms, limit\s+100 ms")
    )
    expect(page.locator(".here")).to_contain_text("not known")
    page.locator(".notice.bad a").click()
    rows = page.locator("[aria-label=Budgets] tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".err")).to_have_text(re.compile(r"24\d ms"))
    expect(rows.nth(1)).to_contain_text("251 kB")
