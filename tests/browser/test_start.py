"""The first thirty seconds, and the first page once there is something to see."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import expect

from otelkit.server.config import ServerConfig
from otelkit.server.demo import demo
from otelkit.server.runtime import Server

pytestmark = pytest.mark.browser


def test_a_test_trace_is_sent_and_opened(empty_site: Any, view_of: Any) -> None:
    page = view_of(empty_site).open("/")
    expect(page.get_by_role("region", name="Receiver")).to_contain_text("Listening")
    page.get_by_role("button", name="Send a test trace").click()
    expect(page).to_have_url(re.compile(r"/traces/\?trace=[0-9a-f]{32}"))
    expect(page.locator("main")).to_contain_text("search_catalogue")
    assert empty_site.api("status")["stored"]["traces"] == 1


def test_demo_data_is_loaded_and_shown(empty_site: Any, view_of: Any) -> None:
    page = view_of(empty_site).open("/")
    page.get_by_role("button", name="Load demo data").click()
    expect(page.locator(".card").first).to_be_visible()
    expect(page).to_have_url(re.compile("environment=demo"))
    expect(page.locator(".card .spark .base").first).to_be_attached()  # two hours: there is a period before
    errors = page.get_by_role("region", name="Newest errors")
    expect(errors).to_contain_text("TimeoutError in search_catalogue")
    expect(page.get_by_role("region", name="Routes and jobs")).to_contain_text("POST /ask")
    expect(page.get_by_role("region", name="Models", exact=True)).to_contain_text("not priced")
    errors.locator("a.chg", has_text="search_catalogue").first.click()
    expect(page).to_have_url(re.compile("/traces/.*trace="))
    expect(page.locator(".sp.on")).to_contain_text("search_catalogue")


def test_demo_data_can_be_removed(empty_site: Any, view_of: Any) -> None:
    page = view_of(empty_site).open("/settings/")
    panel = page.get_by_role("region", name="Try it")
    panel.get_by_role("button", name="Remove demo data").click()
    expect(panel.get_by_role("status")).to_have_text("There is none.")
    made = demo(time.time())
    empty_site.send(made.spans, made.logs)
    panel.get_by_role("button", name="Remove demo data").click()
    expect(panel.get_by_role("status")).to_have_text(re.compile(r"Removed \d+ traces\."))
    assert empty_site.api("status")["stored"]["spans"] == 0


def test_who_may_only_read_is_told_so(view_of: Any) -> None:
    token = "a token of sixteen"
    with Server(ServerConfig(port=0, tokens={"admin": "another one of sixteen", "read": token})) as server:
        view = view_of(_Site(server.url))
        view.silent = True  # the browser reports the 403 of its own accord
        page = view.open("/")
        page.get_by_label("Token").fill(token)
        page.get_by_label("Token").press("Enter")
        page.get_by_role("button", name="Load demo data").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("button", name="Load demo data")).to_be_enabled()


def test_cards_and_panels_lead_to_what_explains_them(view: Any) -> None:
    page = view.open("/", ".card")
    assert page.locator(".card:not([href])").count() == 0
    for panel in ("Newest errors", "Routes and jobs", "Models"):
        assert page.get_by_role("region", name=panel, exact=True).locator("a.chg").first.get_attribute("href")
    page.get_by_role("region", name="Routes and jobs").get_by_text("POST /chat").click()
    expect(page).to_have_url(re.compile("/traces/.*name=POST"))
    expect(page.locator("a.tr").first).to_be_visible()


@pytest.mark.parametrize("path", ["/logs/", "/conversations/"])
def test_new_rows_wait_while_the_reader_has_scrolled(empty_site: Any, view_of: Any, path: str) -> None:
    told = empty_site.names.build(time.time() - 600, conversations=60, minutes=40, hostile=False)
    empty_site.send(told.spans, told.logs)
    page = view_of(empty_site, height=500).open(path, "[data-row]")
    first = page.locator("[data-row]").first
    before = first.inner_text()
    page.mouse.wheel(0, 400)
    page.wait_for_function("scrollY > 60")
    fresh = empty_site.names.build(time.time() - 1, conversations=1, minutes=0.1, hostile=False)
    news = [record._replace(trace_id=b"\x07" * 16) for record in fresh.logs[:1]]
    told_once = {
        "attributes": {},
        "body": "something new",
        "severity": 9,
    }  # an error brings news of itself
    news = [record._replace(time=time.time_ns(), **told_once) for record in news]
    spans = [span for span in fresh.spans if span.attributes.get("gen_ai.conversation.id") == "c-0"]
    changed = [
        span._replace(trace_id=b"\x07" * 16, attributes={**span.attributes, "gen_ai.conversation.id": "new"})
        for span in spans
    ]
    empty_site.send(changed, news)
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert first.inner_text() == before
    page.get_by_role("button", name="1 new").click()
    expect(first).not_to_have_text(before)


class _Site:
    def __init__(self, url: str) -> None:
        self.url = url
