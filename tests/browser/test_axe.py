"""Every page, dark and light, on a phone and a desk: axe finds nothing serious."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from otelkit.model import LogRecord

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
# What must have been drawn before anything is judged.
PAGES = {
    "/": ".brief a.chg",
    "/traces/": "a.tr",
    "/traces/?trace={failing}": ".sp.on",
    "/traces/?trace={failing}&view=transcript": ".turn",
    "/traces/?filter=-model:nothing": ".chip",
    "/conversations/": "a.tr",
    "/conversations/?id={conversation}": ".said",
    "/conversations/?by=user": "table",
    "/models/": "table",
    "/retrieval/": "table",
    "/tools/": "table",
    "/metrics/": "h1",
    "/errors/": "a.tr",
    "/errors/?id=1": ".raised, .nothing",
    "/logs/": ".log",
    "/jobs/": ".grid",
    "/databases/": ".nothing",
    "/system/": ".nothing",
    "/services/": "table, .map",
    "/audit/": ".trail",
    "/people/": "form",
    "/settings/": ".kv",
}


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_serious_is_wrong(view_of: Any, site: Any, dark: bool, width: int) -> None:
    failing = site.api("traces", status="error", tool="search_orders")["traces"][0]["trace_id"]
    conversation = site.api("conversations", sort="longest")["conversations"][0]["conversation"]
    view = view_of(site, width=width, dark=dark)
    wrong: list[str] = []
    for path, drawn in PAGES.items():
        page = view.open(path.format(failing=failing, conversation=conversation), drawn)
        wrong.extend(f"{path}: {found}" for found in serious(page))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_one_user_did_is_fine_too(view_of: Any, site: Any, dark: bool, width: int) -> None:
    page = view_of(site, width=width, dark=dark).open("/people/", "form")
    user = site.api("top", by="user", limit=1)["top"][0]["value"]
    told = {"user.id": user, "log.record.uid": "axe"}
    audit = {"otelkit.audit.action": "a.b", "otelkit.audit.actor": user, "log.record.uid": "axe audit"}
    now = time.time_ns()
    site.send(
        [],
        [
            LogRecord(now, now, 9, "INFO", None, told, "x.y"),
            LogRecord(now, now, 9, "INFO", "said", {"user.id": user}),
            LogRecord(now, now, 17, "ERROR", "Boom", {"user.id": user, "exception.type": "Boom"}),
            LogRecord(now, now, 9, "INFO", None, audit, "a.b"),
        ],
    )
    page.get_by_role("button", name="Pseudonym").click()
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Why you look").fill("to see how it looks")
    page.keyboard.press("Enter")
    page.locator(".deeds").wait_for()
    assert page.get_by_role("group", name="Kind").get_by_role("button").count() >= 5
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []


def test_the_start_is_fine_too(view_of: Any, empty_site: Any) -> None:
    assert serious(view_of(empty_site).open("/")) == []


def serious(page: Any) -> list[str]:
    """Return what axe finds serious or worse; the script is run, not loaded, which the page's policy would refuse."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:3]
    ]
