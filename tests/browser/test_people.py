"""Support's view of one user: asked once for each look, with a reason, by who may; in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import LogRecord, Resource
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser

SALT = b"salt of the services"
ADMIN, READER = "admin-token-0123456789", "reader-token-012345678"
SHOP = Resource({"service.name": "shop-assistant"})


@pytest.fixture
def told(empty_site: Any) -> Any:
    """A site of its own, because every look leaves an entry."""
    shop = empty_site.names.build(time.time())
    empty_site.send(shop.spans, shop.logs)
    return empty_site


def whom(site: Any) -> str:
    """Return a user who talked, and has an event and an audit entry from now on."""
    user = str(site.api("top", by="user", limit=1)["top"][0]["value"])
    now = time.time_ns()
    audit = {"otelkit.audit.action": "order.cancelled", "otelkit.audit.target": "order:7", "otelkit.audit.actor": user}
    event = {"user.id": user, "otelkit.consent.categories": ("analytics.usage_patterns",)}
    site.send(
        [],
        [
            LogRecord(now, now, 9, "INFO", None, audit, "order.cancelled", resource=SHOP),
            LogRecord(now, now, 9, "INFO", None, event, "search.performed", resource=SHOP),
        ],
    )
    return user


def looks(site: Any) -> list[Any]:
    return list(site.api("audit", action="person.viewed")["entries"])


def look(page: Any, who: str, *, pseudonym: bool) -> None:
    page.get_by_role("button", name="Pseudonym" if pseudonym else "Application's id").click()
    page.get_by_label("User", exact=True).fill(who)
    page.get_by_label("Why you look").fill("ticket 4711")
    page.keyboard.press("Enter")


def test_a_look_shows_what_they_did_and_is_asked_once(told: Any, view_of: Any) -> None:
    user = whom(told)
    asked: list[str] = []
    view = view_of(told)
    view.page.on("request", lambda request: asked.append(request.method) if request.url.endswith("/people") else None)
    page = view.open("/people/", "form")
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_role("button", name="Look", exact=True).click()  # the browser asks for the reason
    expect(page.get_by_label("Why you look")).to_be_focused()
    assert (asked, looks(told)) == ([], [])
    look(page, user, pseudonym=True)
    rows = page.locator(".deeds .tr:not(.heads)")
    expect(page.locator(".kv")).to_contain_text("analytics.usage_patterns")
    expect(page.locator(".card").nth(1)).to_contain_text("1")
    everything = rows.count()
    assert everything >= 3
    (entry,) = looks(told)
    assert entry["after"] == {"found": everything, "reason": "ticket 4711"}
    # What comes in meanwhile is not asked for: that would be another look.
    told.send([], [LogRecord(time.time_ns(), 0, 9, "INFO", "later", {"user.id": user}, resource=SHOP)])
    page.wait_for_timeout(2_500)
    assert (asked, rows.count(), len(looks(told))) == (["POST"], everything, 1)
    assert user not in page.url
    page.get_by_role("group", name="Kind").get_by_role("button", name=re.compile("Audit")).click()
    expect(rows).to_have_count(1)
    rows.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(f"/audit/.*actor={user}&action=order.cancelled"))
    expect(page.locator(".trail")).to_contain_text("order:7")


def test_deeds_lead_to_trace_and_conversation(told: Any, view_of: Any) -> None:
    user = whom(told)
    page = view_of(told).open(f"/people/?user={user}", "form")
    expect(page.get_by_label("User", exact=True)).to_have_value(user)
    assert looks(told) == []
    look(page, user, pseudonym=True)
    page.locator(".deeds").get_by_role("link", name="conversation").first.click()
    expect(page.locator(".said").first).to_be_visible()
    page.go_back()
    look(page, user, pseudonym=True)
    page.locator(".deeds .tr", has_text=re.compile("trace")).last.locator("a[data-row]").click()
    expect(page).to_have_url(re.compile("/traces/.*trace=[0-9a-f]{32}"))
    assert len(looks(told)) == 2


def test_without_the_salt_the_pseudonym_is_asked_for(told: Any, view_of: Any) -> None:
    view = view_of(told)
    view.silent = True
    page = view.open("/people/", "form")
    look(page, "u-17", pseudonym=False)
    expect(page.get_by_role("alert")).to_contain_text("OTELKIT_SALT")
    look(page, "f" * 32, pseudonym=False)  # which is a pseudonym whatever was chosen
    expect(page.locator(".nothing")).to_contain_text("Nothing is known of this user")
    expect(page.get_by_role("button", name="Pseudonym")).to_have_attribute("aria-pressed", "true")
    assert [entry["target"] for entry in looks(told)] == [f"user:{'f' * 32}"]


@pytest.fixture
def guarded() -> Iterator[Server]:
    tokens: dict[Any, str | None] = {"admin": ADMIN, "read": READER}
    with Server(ServerConfig(port=0, salt=SALT, tokens=tokens)) as server:
        yield server


def test_only_the_admin_may_look(guarded: Server, view_of: Any) -> None:
    view = view_of(guarded)
    view.silent = True
    page = view.page
    for token, says in (
        (READER, "Only the admin's token may look at a user"),
        (ADMIN, "Nothing is known of this user"),
    ):
        page.goto(f"{guarded.url}/people/")
        if page.get_by_label("Token").count() == 0:
            page.context.clear_cookies()
            page.reload()
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.locator(".people form").wait_for()
        look(page, "u-17", pseudonym=False)
        expect(page.locator("main")).to_contain_text(says)
    shown = page.request.get(f"{guarded.url}/api/audit?action=person.viewed").text()
    assert [entry["target"] for entry in json.loads(shown)["entries"]] == [
        f"user:{Pseudonymiser(SALT)('user', 'u-17')}"
    ]
