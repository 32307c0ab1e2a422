"""What models cost, and setting what is not known; asked of the real page in Chromium."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser


@pytest.fixture
def told(empty_site: Any) -> Any:
    """A site of its own, because prices stay."""
    shop = empty_site.names.build(time.time())
    empty_site.send(shop.spans, shop.logs)
    return empty_site


def test_a_price_is_set_and_everything_follows(told: Any, view_of: Any) -> None:
    page = view_of(told).open("/models/", ".models")
    row = page.locator(".models tbody tr", has_text="mistral-nemo-ft")
    expect(row).to_contain_text("not priced")
    page.get_by_role("button", name=re.compile("mistral-nemo-ft")).click()
    form = page.get_by_role("form", name="Price of mistral-nemo-ft")
    expect(form.get_by_label("Input", exact=True)).to_be_focused()
    form.get_by_label("Input", exact=True).fill("2")
    form.get_by_label("Output").fill("10.5")
    form.get_by_role("button", name="Set the price").click()
    expect(form).to_have_count(0)
    tokens = next(one for one in told.api("models")["models"] if one["model"] == "mistral-nemo-ft")["tokens"]
    expect(row).not_to_contain_text("not priced")
    cost = next(one for one in told.api("models")["models"] if one["model"] == "mistral-nemo-ft")["cost_usd"]
    assert cost == pytest.approx(tokens["input"] * 2e-6 + tokens["output"] * 10.5e-6)
    expect(page.get_by_role("button", name=re.compile("mistral-nemo-ft"))).to_have_count(0)
    page.get_by_role("link", name="Settings").click()
    price = page.locator("tr", has_text="mistral-nemo-ft")
    expect(price).to_contain_text("$10.5")
    price.get_by_role("button", name="Edit the price of mistral-nemo-ft").click()
    page.get_by_label("Free, it runs here").check()
    page.get_by_role("button", name="Set the price").click()
    expect(price).to_contain_text("free")
    expect.set_options(timeout=10_000)
    page.get_by_role("button", name="Remove the price of mistral-nemo-ft").click()
    expect(page.locator(".settings")).to_contain_text("No price is set")
    page.get_by_role("link", name="Models").click()
    expect(row).to_contain_text("not priced")


def test_a_price_of_any_model_is_added_and_what_is_wrong_is_said(told: Any, view_of: Any) -> None:
    view = view_of(told)
    page = view.open("/settings/", ".settings .kv")
    page.get_by_role("button", name="Add a price").click()
    page.get_by_label("Provider").fill("openai")
    page.get_by_label("Model").fill("*")
    page.get_by_role("button", name="Set the price").click()  # the browser asks for the input price
    expect(page.get_by_label("Input", exact=True)).to_be_focused()
    page.get_by_label("Input", exact=True).fill("1")
    page.keyboard.press("Enter")
    expect(page.locator(".settings tr", has_text="any model")).to_contain_text("$1")
    page.get_by_role("button", name="Add a price").click()
    expect(page.get_by_label("Provider")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("form")).to_have_count(0)


def test_models_are_compared_and_their_cost_is_split(view: Any, site: Any) -> None:
    end = int(time.time() * 1000)
    period = {"from": end - 45 * 60_000, "to": end}
    told = site.api("models", **period)
    page = view.open(f"/models/?from={period['from']}&to={period['to']}", ".models")
    expect(page.locator(".cards .card").first).to_contain_text("$")
    assert told["total"]["previous"]["calls"] > 0
    expect(page.locator(".cards .card .c").first).to_contain_text("%")
    expect(page.locator(".models .delta").first).to_be_visible()
    assert page.locator(".models .tokens i").count() >= 5
    for by in ("provider", "user", "group"):
        rows = site.api("top", by=by, limit=5, **period)["top"]
        assert page.get_by_role("region", name=f"Cost by {by}").locator("tbody tr").count() == len(rows)
    page.get_by_role("link", name="all groups").click()
    expect(page.locator("h1")).to_have_text("Groups")


def test_settings_say_what_is_kept_and_where(view: Any, site: Any) -> None:
    page = view.open("/settings/", ".settings .kv")
    status = site.api("status")
    kept = page.get_by_role("region", name="What is kept")
    expect(kept).to_contain_text(status["store"]["path"])
    expect(kept).to_contain_text(f"{status['stored']['spans']:,} spans")
    expect(page.get_by_role("region", name="Addresses")).to_contain_text(status["otlp_endpoint"])


def test_dark_or_light_is_chosen_and_remembered(view: Any) -> None:
    page = view.open("/settings/", ".settings .kv")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="As the system").click()
    assert page.evaluate(ground) == light


def test_logs_are_narrowed_by_facets_and_attributes(view: Any, site: Any) -> None:
    page = view.open("/logs/", ".log")
    facets = site.api("facets", of="logs")
    logger = facets["logger"][0]
    page.get_by_label("Narrow down").locator(".value", has_text=logger["value"]).first.click()
    expect(page).to_have_url(re.compile("filter=logger"))
    expect(page.locator(".verdict p")).to_have_text(f"{logger['count']} records match")
    row = next(row for row in site.api("logs", limit=500)["logs"] if "order.id" in row["attributes"])
    order = row["attributes"]["order.id"]
    page.goto(page.url.split("?")[0] + f"?filter=order.id:{order}")
    found = site.api("logs", filter=f"order.id:{order}")["logs"]
    expect(page.locator(".log")).to_have_count(len(found))
