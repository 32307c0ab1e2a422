"""⌘K: anywhere in a few letters, by keyboard alone."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect


def test_a_page_a_model_a_range_and_a_trace(view: Any, site: Any) -> None:
    page = view.open("/")
    page.keyboard.press("ControlOrMeta+k")
    dialog = page.get_by_role("dialog", name="Go to")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("conver")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/conversations/"))
    expect(dialog).to_have_count(0)

    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type("4o-mini")
    expect(dialog.get_by_role("option").first).to_contain_text("gpt-4o-mini")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/traces/\?.*model=gpt-4o-mini"))

    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type("last 24")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"model=gpt-4o-mini.*range=24h|range=24h.*model=gpt-4o-mini"))

    trace = site.api("traces")["traces"][0]["trace_id"]
    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type(trace)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"trace={trace}"))


def test_escape_leaves_everything_as_it_was(view: Any) -> None:
    page = view.open("/logs")
    address = page.url
    page.get_by_role("button", name=re.compile("Go to")).click()
    page.keyboard.type("zzz no such thing")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing here is called that")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url == address
