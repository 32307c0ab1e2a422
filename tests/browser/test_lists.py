"""Lists and what narrows them: facets, conversations, whom the cost is for; asked of the real page in Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser


def _texts(page: Any, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def test_facets_narrow_the_list_and_back(view: Any, site: Any) -> None:
    page = view.open("/traces/", "a.tr")
    facet = page.get_by_label("Narrow down")
    facet.get_by_role("button", name=re.compile("^gpt-4o ?13|^gpt-4o\\b(?!-)")).first.click()
    expect(page).to_have_url(re.compile("filter=model%3Agpt-4o"))
    total = site.api("traces", filter="model:gpt-4o")["total"]
    assert total > 0
    expect(page.locator(".verdict p")).to_have_text(f"{total} traces match")
    expect(page.locator(".chip")).to_contain_text("gpt-4o")
    page.get_by_label("Without model gpt-4o", exact=True).click()
    expect(page.locator(".chip")).to_contain_text("not model gpt-4o")
    total = site.api("traces", filter="-model:gpt-4o")["total"]
    expect(page.locator(".verdict p")).to_have_text(f"{total} traces match")
    page.get_by_label("Without model gpt-4o", exact=True).click()
    expect(page.locator(".chip")).to_have_count(0)
    page.go_back()
    expect(page.locator(".chip")).to_contain_text("not model gpt-4o")


def test_comparisons_are_typed_and_shown(view: Any, site: Any) -> None:
    page = view.open("/traces/", "a.tr")
    box = page.get_by_label("Filter", exact=True)
    box.fill("duration:>3s -status:error cost:>0.0003")
    box.press("Enter")
    total = site.api("traces", filter="duration:>3s -status:error cost:>0.0003")["total"]
    assert total > 0
    expect(page.locator(".verdict p")).to_have_text(f"{total} traces match")
    expect(page.locator(".chip")).to_have_count(3)
    box.press("Backspace")
    expect(page.locator(".chip")).to_have_count(2)
    page.reload()
    expect(page.locator(".chip")).to_have_text([re.compile("duration >3s"), re.compile("not status error")])


def test_a_trace_id_leads_to_its_trace(view: Any, site: Any) -> None:
    row = site.api("traces", limit=1)["traces"][0]
    page = view.open("/logs/", ".log")
    box = page.get_by_label("Filter", exact=True)
    box.fill(row["trace_id"])
    box.press("Enter")
    expect(page.locator(".th h1")).to_contain_text(row["title"])


def test_conversations_are_listed_and_ordered(view: Any, site: Any) -> None:
    page = view.open("/conversations/", ".talks a.tr")
    told = site.api("conversations")
    expect(page.locator(".verdict p")).to_have_text(f"{told['total']} conversations")
    assert _texts(page, ".talks a.tr .q > bdi") == [row["first_question"] for row in told["conversations"]]
    page.get_by_role("button", name="Dearest").click()
    dearest = site.api("conversations", sort="dearest")["conversations"]
    expect(page.locator(".talks a.tr .q > bdi").first).to_have_text(dearest[0]["first_question"])
    box = page.get_by_label("Filter", exact=True)
    box.fill("turns:>1 group:acme")
    box.press("Enter")
    total = site.api("conversations", filter="turns:>1 group:acme")["total"]
    assert 0 < total < told["total"]
    expect(page.locator(".verdict p")).to_have_text(f"{total} conversations match")
    unpriced = site.api("conversations", filter="model:mistral-nemo-ft")["conversations"]
    assert unpriced[0]["cost_usd"] is None
    page.goto(page.url.split("?")[0] + "?filter=model:mistral-nemo-ft")
    expect(page.locator(".talks a.tr").first).to_contain_text("not priced")


def test_a_conversation_is_read_turn_by_turn(view: Any, site: Any) -> None:
    told = site.api("conversations", filter="turns:>3")["conversations"][0]
    whole = site.api(f"conversations/{told['conversation']}")
    page = view.open("/conversations/?filter=turns:>3", ".talks a.tr")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".exchange")).to_have_count(told["turns"])
    expect(page.locator(".th h1")).to_contain_text(told["first_question"])
    expect(page.locator(".th .facts").first).to_contain_text(f"{told['turns']} turns")
    asked = [turn["input"] for turn in whole["turns"]]
    assert [text.removeprefix("user\n") for text in _texts(page, ".said.by-user")] == asked
    expect(page.locator(".said.by-model").first).to_contain_text(whole["turns"][0]["output"])
    page.locator(".said .under").first.click()
    expect(page).to_have_url(re.compile(f"/traces/.*trace={whole['turns'][0]['trace_id']}"))
    page.go_back()
    expect(page.locator(".exchange")).to_have_count(told["turns"])
    page.get_by_role("link", name="← Conversations").click()
    expect(page.locator(".talks a.tr").first).to_be_visible()


def test_unknown_conversation_says_so(view_of: Any, site: Any) -> None:
    view = view_of(site)
    view.silent = True
    page = view.open("/conversations/?id=nobody", ".nothing")
    expect(page.locator(".nothing")).to_contain_text("There is no such conversation")


def test_users_and_groups_are_ranked_and_lead_to_their_conversations(view: Any, site: Any) -> None:
    page = view.open("/conversations/", ".talks a.tr")
    page.get_by_role("link", name="Groups").click()
    told = site.api("top", by="group")["top"]
    expect(page.locator(".ranked tbody tr")).to_have_count(len(told))
    assert _texts(page, ".ranked tbody td:first-child") == [row["value"] for row in told]
    page.get_by_role("button", name="Traces").click()
    expect(page).to_have_url(re.compile("sort=count"))
    page.get_by_role("link", name=told[0]["value"], exact=True).click()
    total = site.api("conversations", filter=f"group:{told[0]['value']}")["total"]
    expect(page.locator(".verdict p")).to_have_text(f"{total} conversations match")
