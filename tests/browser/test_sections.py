"""Retrieval, tools, metrics and services on the page, in a real browser."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser

PLACES = ("/retrieval/", "/tools/", "/databases/", "/metrics/", "/services/", "/jobs/", "/system/")
DRAWN = ".grid, .one, .nothing"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def test_retrieval_shows_what_was_found_and_leads_to_the_slowest(view: Any, site: Any) -> None:
    page = view.open("/retrieval/", ".grid")
    told = site.api("retrieval")
    expect(page.locator(".verdict p")).to_contain_text(f"{told['total']['calls']} searches in 1 source")
    expect(page.locator(".card")).to_have_count(6)
    row = page.locator(".grid tbody tr")
    expect(row).to_have_count(len(told["sources"]))
    expect(row).to_contain_text("handbook")
    bars = page.locator(".bar .num").all_inner_texts()
    assert [int(text or 0) for text in bars] == [one["calls"] for one in told["found"]]
    expect(page.locator(".card").last).to_contain_text("not reported")
    slowest = page.locator(".one").first
    expect(slowest).to_contain_text(told["slowest"][0]["asked"])
    slowest.click()
    expect(page).to_have_url(re.compile(told["slowest"][0]["trace_id"]))
    expect(page.locator(".sp.on .n bdi")).to_have_text("retrieval handbook")


def test_tools_show_who_fails_and_how(view: Any, site: Any) -> None:
    page = view.open("/tools/", ".grid")
    told = site.api("tools")
    expect(page.locator(".verdict p .bad")).to_have_text(re.compile(r"^\d+(\.\d)? %$"))
    expect(page.locator(".verdict p")).to_contain_text("most in search_orders")
    rows = page.locator("[aria-label=Tools] tbody tr")
    expect(rows).to_have_count(len(told["tools"]))
    for at, tool in enumerate(told["tools"]):
        expect(rows.nth(at)).to_contain_text(tool["tool"])
        expect(rows.nth(at).locator("td").nth(1)).to_have_text(str(tool["calls"]))
    failure = page.locator(".chg").first
    expect(failure).to_contain_text("TimeoutError in search_orders")
    failure.click()
    expect(page.locator(".failure")).to_contain_text("TimeoutError")
    page.go_back()
    page.locator("[aria-label=Tools] tbody tr a").first.click()
    expect(page).to_have_url(re.compile("/traces/.*tool=search_orders"))


def _report(site: Any, minutes: int = 20) -> None:
    """Send a counter by model, a gauge and a histogram with an exemplar, of the last minutes."""
    now = time.time_ns()

    def texts(values: dict[str, str]) -> list[Any]:
        return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]

    def metric(name: str, shape: str, points: list[Any], **more: Any) -> Any:
        return {
            "name": name,
            "description": f"All {name}.",
            **more.pop("of", {}),
            shape: {"dataPoints": points, **more},
        }

    span = site.names.build(time.time()).spans[0]
    exemplar = {"asDouble": 1.5, "traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    tokens, memory, took = [], [], []
    for at in range(minutes):
        moment, before = (str(now - (minutes - at - less) * 60 * 10**9) for less in (0, -1))
        for model, pace in (("gpt-4o", 60), ("gpt-4o-mini", 600)):
            value = {"asInt": str(pace * at), "attributes": texts({"model": model})}
            tokens.append({"timeUnixNano": moment, "startTimeUnixNano": "1", **value})
        memory.append({"timeUnixNano": moment, "asInt": "250000000"})
        took.append(
            {
                "timeUnixNano": moment,
                "startTimeUnixNano": before,
                "count": "10",
                "sum": 12.0,
                "explicitBounds": [1, 2],
                "bucketCounts": ["5", "5", "0"],
                "exemplars": [{**exemplar, "timeUnixNano": moment}] if at == 10 else [],
            }
        )
    metrics = [
        metric("tokens.used", "sum", tokens, isMonotonic=True, aggregationTemporality=2, of={"unit": "{token}"}),
        metric("memory.used", "gauge", memory, of={"unit": "By"}),
        metric("request.took", "histogram", took, aggregationTemporality=1, of={"unit": "s"}),
    ]
    service = {"attributes": texts({"service.name": "shop-assistant"})}
    body = {"resourceMetrics": [{"resource": service, "scopeMetrics": [{"metrics": metrics}]}]}
    request = urllib.request.Request(
        site.url + "/v1/metrics", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def measured(site: Any) -> Any:
    _report(site)
    return site


def test_a_metric_is_found_plotted_split_and_filtered(view: Any, measured: Any) -> None:
    page = view.open("/metrics/", ".name")
    expect(page.locator(".name")).to_have_count(3)
    page.get_by_label("Find a metric").fill("tok")
    expect(page.locator(".name")).to_have_count(1)
    page.locator(".name").click()
    expect(page.locator(".one-metric h2")).to_have_text("tokens.used")
    expect(page.get_by_role("button", name="Rate")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".lines tbody tr")).to_contain_text(["11/s"])
    page.get_by_label("Split by").select_option("model")
    expect(page.locator(".lines tbody tr")).to_have_count(2)
    expect(page.locator(".lines tbody tr").first).to_contain_text("gpt-4o-mini")
    expect(page.locator(".lines tbody tr").first).to_contain_text("10/s")
    page.get_by_label("Only where").select_option("model")
    expect(page.locator(".lines tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("by=model.*where=model%3Agpt-4o"))
    page.get_by_role("button", name="Increase").click()
    expect(page.locator(".lines tbody tr").first).not_to_contain_text("/s")
    box = page.locator(".one-metric .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+"))


def test_a_measurement_leads_to_its_trace(view: Any, measured: Any) -> None:
    page = view.open("/metrics/?metric=request.took", ".spot")
    expect(page.locator(".lines tbody tr")).to_have_count(3)
    expect(page.locator(".spot")).to_have_attribute("aria-label", re.compile(r"^1\.50 s at "))
    page.locator(".spot").click()
    expect(page.locator(".sp.on")).to_be_visible()


def test_services_are_drawn_with_what_they_call(view: Any, site: Any) -> None:
    page = view.open("/services/", ".node")
    told = site.api("services/map")
    expect(page.locator(".node")).to_have_count(len(told["nodes"]))
    expect(page.locator(".map path")).to_have_count(len(told["edges"]))
    assert page.locator(".map path.bad").count() == sum(edge["error_ratio"] >= 0.01 for edge in told["edges"])
    tool = page.get_by_role("link", name=re.compile("^search_orders"))
    expect(tool).to_have_attribute("title", re.compile("^search_orders, tool: .* failed"))
    expect(page.locator("section[aria-label='Who calls whom']")).to_contain_text("from all")
    rows = page.locator("[aria-label=Services] tbody tr")
    assert rows.count() == len(site.api("services")["services"])
    expect(rows.first).to_contain_text("2.4.1")
    page.locator(".node.service", has_text="orders").hover()
    assert page.locator(".map path.lit").count() == 2
    assert page.locator(".node.far").count() > 0
    page.locator(".node.service", has_text="orders").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?.*service=orders"))
    expect(page.locator(".card").first).to_be_visible()


def test_the_map_is_a_list_on_a_phone(view_of: Any, site: Any) -> None:
    page = view_of(site, width=390, height=844).open("/services/", ".grid")
    expect(page.locator(".node")).to_have_count(0)
    edges = page.locator("section[aria-label='Who calls whom'] tbody tr")
    expect(edges).to_have_count(len(site.api("services/map")["edges"]))


# All of them


@pytest.mark.parametrize("place", PLACES)
def test_empty_sections_say_how_to_fill_them(empty_site: Any, view_of: Any, place: str) -> None:
    page = view_of(empty_site).open(place, ".nothing")
    expect(page.locator(".nothing .mono").first).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_text_stands_out_from_its_ground(view_of: Any, measured: Any, place: str, dark: bool) -> None:
    page = view_of(measured, dark=dark).open(place, DRAWN)
    weak = page.evaluate(CONTRAST)
    assert weak["checked"] > 25
    assert weak["below"] == []


@pytest.mark.parametrize("width", [390, 2560])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_scrolls_sideways(view_of: Any, measured: Any, place: str, width: int) -> None:
    page = view_of(measured, width=width, height=900).open(place, DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("window.__planted === undefined")
    assert page.locator("#app script, #app img, #app iframe, #app [onerror]").count() == 0


def test_rows_are_reached_by_keys(view: Any) -> None:
    page = view.open("/tools/", ".grid")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.hasAttribute('data-row')")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/traces/"))
