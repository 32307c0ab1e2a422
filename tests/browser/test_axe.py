"""Every page, dark and light, on a phone and a desk: axe finds nothing serious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
