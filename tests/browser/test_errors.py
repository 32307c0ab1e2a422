"""The page of errors: what is told, narrowed, opened, resolved; and the ways to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def test_the_list_says_what_the_api_says(view: Any, site: Any) -> None:
    page = view.open("/errors/?range=3h", "a.tr")
    told = site.api("errors/groups", range="3h")
    assert told["total"] >= 2
    assert page.locator("a.tr").count() == len(told["groups"])
    for group, row in zip(told["groups"], page.locator("a.tr").all(), strict=True):
        text = row.inner_text()
        assert group["title"] in text
        assert f"{group['count']:,}" in text
        assert ("New" in text) == (group["state"] == "new")
    expect(page.locator(".verdict p")).to_contain_text(f"{told['total']} errors, seen {told['occurrences']} times")
    page.get_by_role("button", name="Most", exact=True).click()
    most = site.api("errors/groups", range="3h", sort="count")["groups"][0]
    expect(page.locator("a.tr").first).to_contain_text(most["title"])


def test_narrowed_by_category_and_words(view: Any, site: Any) -> None:
    page = view.open("/errors/?range=3h", "a.tr")
    page.get_by_role("group", name="Category").get_by_role("link", name=re.compile("Timeout")).click()
    expect(page.locator("a.tr")).to_have_count(site.api("errors/groups", range="3h", category="timeout")["total"])
    page.get_by_label("Find an error").fill("nothing like it")
    page.get_by_label("Find an error").press("Enter")
    expect(page.locator(".nothing")).to_contain_text("No error matches")
    page.get_by_role("link", name="Remove the filters").click()
    expect(page.locator("a.tr")).to_have_count(site.api("errors/groups", range="3h")["total"])


def test_one_is_opened_resolved_and_reopened(view: Any, site: Any) -> None:
    group = next(
        one
        for one in site.api("errors/groups", range="3h")["groups"]
        if one["title"] == "TimeoutError" and one["place"]
    )
    page = view.open("/errors/?range=3h", "a.tr")
    page.locator("a.tr", has_text=group["place"]).first.click()
    expect(page.locator("h1")).to_contain_text("TimeoutError")
    expect(page.locator(".raised li.own").first).to_contain_text(group["place"].rpartition(" in ")[2])
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("h1 .badge")).to_have_text("Resolved")
    page.get_by_role("link", name="← Errors").click()
    page.get_by_role("link", name=re.compile("Resolved")).click()
    page.locator("a.tr").first.click()
    page.get_by_role("button", name="Reopen").click()
    expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    page.locator(".calls a.one").first.click()
    expect(page.locator(".failure")).to_contain_text("TimeoutError")


def test_a_trace_and_the_overview_lead_there(view: Any, site: Any) -> None:
    failing = site.api("traces", status="error", tool="search_orders", range="3h")["traces"][0]["trace_id"]
    page = view.open(f"/traces/?trace={failing}", ".failure")
    page.locator(".failure").get_by_role("link", name=re.compile("Seen")).first.click()
    expect(page.locator("h1")).to_contain_text("TimeoutError")
    page = view.open("/", ".brief a.chg")
    page.get_by_role("link", name="All errors").click()
    expect(page.locator("h1")).to_have_text("Errors")


def test_nothing_yet_and_what_is_not_there(view_of: Any, empty_site: Any) -> None:
    view = view_of(empty_site)
    expect(view.open("/errors/", ".nothing").locator(".nothing")).to_contain_text("No errors in this range")
    view.silent = True  # the browser reports the 404
    expect(view.open("/errors/?id=7", ".nothing").locator(".nothing")).to_contain_text("There is no such error")
