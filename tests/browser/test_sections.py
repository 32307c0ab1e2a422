"""Retrieval, tools, metrics and services on the page, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser

PLACES = ("/retrieval/", "/tools/")
DRAWN = ".grid, .one"
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
    assert [int(text or 0) for text in bars] == [one["calls"] for one in told["newest"]["results"]]
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


# All of them


@pytest.mark.parametrize("place", PLACES)
def test_empty_sections_say_how_to_fill_them(empty_site: Any, view_of: Any, place: str) -> None:
    page = view_of(empty_site).open(place, ".nothing")
    expect(page.locator(".nothing .mono").first).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_text_stands_out_from_its_ground(view_of: Any, site: Any, place: str, dark: bool) -> None:
    page = view_of(site, dark=dark).open(place, DRAWN)
    weak = page.evaluate(CONTRAST)
    assert weak["checked"] > 30
    assert weak["below"] == []


@pytest.mark.parametrize("width", [390, 2560])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_scrolls_sideways(view_of: Any, site: Any, place: str, width: int) -> None:
    page = view_of(site, width=width, height=900).open(place, DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("window.__planted === undefined")
    assert page.locator("#app script, #app img, #app iframe, #app [onerror]").count() == 0


def test_rows_are_reached_by_keys(view: Any) -> None:
    page = view.open("/tools/", ".grid")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.hasAttribute('data-row')")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/traces/"))
