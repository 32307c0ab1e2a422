"""What a reader of the page sees, asked of the real page in a real browser."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from otelkit.model import Resource, Span
from otelkit.server.app import PAGE

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser

PLACES = (
    "/",
    "/traces/",
    "/errors/",
    "/logs/",
    "/models/",
    "/settings/",
    *(f"/conversations/{view}" for view in ("", "?by=user", "?id=c-16")),
)
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def _trace(site: Any, name: str) -> str:
    return f"/traces/?trace={site.names.trace_id(name)}"


def _failing(site: Any) -> Any:
    return site.api("traces", tool="search_orders", status="error", limit=1)["traces"][0]


def _texts(page: Any, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


# Overview


def test_first_line_says_what_is_wrong_before_any_number(view: Any, site: Any) -> None:
    page = view.open("/")
    told = site.api("overview")["verdict"]
    assert told["level"] == "bad"
    expect(page.locator("h1")).to_have_text(told["headline"])
    expect(page.locator(".verdict p")).to_contain_text("search_orders")
    expect(page.locator(".verdict p .bad")).to_have_text("search_orders")


def test_overview_shows_the_figures_of_the_api(view: Any, site: Any) -> None:
    page = view.open("/", ".card")
    told = site.api("overview")
    cards = _texts(page, ".card")
    assert len(cards) == len(told["figures"]) == 6
    for card, figure in zip(cards, told["figures"], strict=True):
        assert card.startswith(figure["label"])
    assert f"{told['figures'][0]['total']:,} in all" in cards[0]
    assert f"${told['figures'][5]['value']:.3f}" in cards[5]
    assert re.search(r"\d(\.\d)? s\b", cards[2].replace("\n", " "))
    assert page.locator(".card .spark .line:not(.last):not([d=''])").count() >= 5
    assert len(_texts(page, "[aria-label='What changed'] .chg")) == len(told["changes"]) > 0
    titles = _texts(page, ".tr .q > bdi")
    assert titles == [row["title"] for row in told["slowest_and_failing"]]


def test_unpriced_models_are_named_and_unknown_is_never_zero(view: Any, site: Any) -> None:
    page = view.open("/", ".notice.warn")
    notice = page.locator(".notice.warn")
    expect(notice).to_contain_text(site.names.LOCAL_MODEL)
    expect(notice).to_contain_text("not in the totals")
    silent = site.api("overview")["unreported_calls"]
    assert silent > 0
    expect(notice).to_contain_text(f"{silent} call{'s' if silent > 1 else ''} reported no tokens")
    page = view.open("/traces/?model=" + site.names.LOCAL_MODEL, ".tr")
    expect(page.locator("a.tr")).to_have_count(1)
    expect(page.locator("a.tr")).to_contain_text("not priced")
    page = view.open("/traces/?name=POST+/summary", ".tr")
    expect(page.locator("a.tr")).to_contain_text("not reported")
    expect(page.locator("a.tr")).not_to_contain_text("$")


def test_chart_is_read_by_hovering_and_zoomed_by_dragging(view: Any) -> None:
    page = view.open("/", ".plot canvas")
    box = page.locator(".plot .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    expect(page.locator(".legend .when")).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(page.locator(".legend b").first).to_have_text(re.compile(r"\d"))
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))


# Traces


def test_traces_are_named_by_what_was_asked_newest_first(view: Any, site: Any) -> None:
    page = view.open("/traces/", "a.tr")
    rows = site.api("traces")
    assert _texts(page, "a.tr .q > bdi") == [row["title"] for row in rows["traces"]]
    expect(page.locator(".verdict p")).to_have_text(f"{rows['total']} traces")
    assert page.locator("a.tr .split i").count() > len(rows["traces"])
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("a.tr")).to_have_count(min(100, rows["total"]))


def test_order_can_be_changed_and_is_in_the_address(view: Any, site: Any) -> None:
    page = view.open("/traces/", "a.tr")
    page.get_by_role("button", name="Slowest").click()
    expect(page).to_have_url(re.compile("sort=slowest"))
    expected = [row["title"] for row in site.api("traces", sort="slowest")["traces"]]
    expect(page.locator("a.tr .q > bdi").first).to_have_text(expected[0])
    expect(page.get_by_role("button", name="Slowest")).to_have_attribute("aria-pressed", "true")


def test_filter_takes_keys_and_words_and_points_at_what_it_does_not_know(view: Any, site: Any) -> None:
    page = view.open("/traces/", "a.tr")
    page.keyboard.press("/")
    box = page.get_by_label("Filter", exact=True)
    expect(box).to_be_focused()
    box.fill("model:gpt-4o status:ok quieter")
    box.press("Enter")
    expected = site.api("traces", model="gpt-4o", status="ok", q="quieter")
    assert expected["total"] > 0
    expect(page.locator(".verdict p")).to_have_text(f"{expected['total']} traces match")
    assert _texts(page, ".chip") == ["status ok\n×", "model gpt-4o\n×"] or len(_texts(page, ".chip")) == 2
    assert "q=quieter" in page.url
    box.fill("colour:red")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no filter 'colour' here")
    expect(page.locator("#filter-error u")).to_have_text("colour")
    assert box.evaluate("(box) => box.value.slice(box.selectionStart, box.selectionEnd)") == "colour"
    box.fill("status:maybe")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("error, ok")
    expect(page.locator("#filter-error u")).to_have_text("maybe")
    page.get_by_label("Remove the filter model").click()
    expect(page.locator(".chip")).to_have_count(1)


def test_filter_offers_what_there_is(view: Any) -> None:
    page = view.open("/traces/", "a.tr")
    box = page.get_by_label("Filter", exact=True)
    box.fill("tool:sea")
    page.get_by_role("option", name="tool:search_orders").click()
    expect(page.locator(".chip")).to_contain_text("search_orders")
    expect(page).to_have_url(re.compile("filter=tool%3Asearch_orders"))


def test_nothing_found_says_so_and_leads_on(view: Any) -> None:
    page = view.open("/traces/?q=unheardof")
    expect(page.locator(".nothing")).to_contain_text("No trace matches")
    page.get_by_role("link", name="Remove the filters").click()
    expect(page.locator("a.tr").first).to_be_visible()


# One trace


def test_failing_trace_opens_on_the_span_that_failed_with_its_stack(view: Any, site: Any) -> None:
    row = _failing(site)
    whole = site.api(f"traces/{row['trace_id']}")
    focus = next(span for span in whole["spans"] if span["span_id"] == whole["focus"])
    page = view.open(f"/traces/?trace={row['trace_id']}", ".sp.on")
    expect(page.locator(".sp.on bdi")).to_have_text(focus["name"])
    expect(page.locator(".failure")).to_contain_text("TimeoutError")
    expect(page.locator(".failure pre")).to_contain_text("in search_orders")
    assert page.locator(".sp").count() == len(whole["spans"])
    expect(page.locator(".th h1")).to_contain_text(row["title"])


def test_answered_trace_opens_on_the_model_call_and_reads_as_a_transcript(view: Any, site: Any) -> None:
    row = site.api("traces", tool="search_orders", status="ok", limit=1)["traces"][0]
    whole = site.api(f"traces/{row['trace_id']}")
    focus = next(span for span in whole["spans"] if span["span_id"] == whole["focus"])
    assert focus["step"] == "llm"
    page = view.open(f"/traces/?trace={row['trace_id']}", ".msg")
    expect(page.locator(".sp.on bdi")).to_have_text(focus["name"])
    roles = _texts(page, ".msg > .r")
    assert roles == ["user", "assistant", "tool · search_orders", "assistant"]
    expect(page.locator(".msg.answer")).to_contain_text(row["output"])
    expect(page.locator(".det")).to_contain_text(f"{focus['tokens']['output']:,} output tokens")
    assert page.locator(".sp.on .b s").count() == 1, "what streamed after the first token is hatched"
    expect(page.locator(".det .kv")).to_contain_text("First token")


def test_tabs_show_attributes_logs_and_the_record(view: Any, site: Any) -> None:
    row = _failing(site)
    page = view.open(f"/traces/?trace={row['trace_id']}", ".sp.on")
    page.get_by_role("tab", name="Attributes").click()
    expect(page.locator(".attrs").first).to_contain_text("gen_ai.tool.name")
    page.get_by_role("tab", name="Logs").click()
    expect(page.locator(".det .log")).to_contain_text("timed out")
    page.get_by_role("tab", name="Raw").click()
    expect(page.locator(".det")).to_contain_text('"span_id"')


def test_content_that_was_not_recorded_says_how_to_switch_it_on(view: Any, site: Any) -> None:
    page = view.open(_trace(site, "unreported"), ".off")
    expect(page.locator(".off")).to_contain_text("OTELKIT_CAPTURE_CONTENT=true")
    expect(page.locator(".det")).to_contain_text("Tokens not reported")


def test_a_link_shows_what_its_sender_saw(view: Any, site: Any) -> None:
    row = _failing(site)
    page = view.open(f"/traces/?trace={row['trace_id']}", ".sp.on")
    page.locator(".sp", has_text="retrieval handbook").click()
    page.get_by_role("tab", name="Attributes").click()
    expect(page.locator(".attrs").first).to_contain_text("gen_ai.data_source.id")
    before = _texts(page, ".sp.on, .tabs .on, .attrs")
    page.reload()
    page.locator(".attrs").first.wait_for()
    assert _texts(page, ".sp.on, .tabs .on, .attrs") == before


def test_back_leads_to_the_list_as_it_was(view: Any) -> None:
    page = view.open("/traces/?status=error&sort=slowest", "a.tr")
    listed = _texts(page, "a.tr .q > bdi")
    page.locator("a.tr").nth(1).click()
    page.locator(".sp.on").wait_for()
    page.locator(".sp").first.click()
    page.go_back()
    page.locator("a.tr").first.wait_for()
    assert page.url.endswith("/traces/?status=error&sort=slowest")
    assert _texts(page, "a.tr .q > bdi") == listed


def test_keyboard_alone_gets_in_and_out(view: Any) -> None:
    page = view.open("/traces/", "a.tr")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    wanted = page.locator("a.tr .q > bdi").nth(1).inner_text()
    page.keyboard.press("Enter")
    expect(page.locator(".th h1")).to_contain_text(wanted)
    selected = page.locator(".sp.on").get_attribute("id")
    page.keyboard.press("k")
    expect(page.locator(".sp.on")).not_to_have_attribute("id", selected)
    page.keyboard.press("Escape")
    expect(page.locator("a.tr").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Filter", exact=True)).to_be_focused()


def test_unknown_trace_says_so(view_of: Any, site: Any) -> None:
    view = view_of(site)
    view.silent = True  # the browser reports the 404 of its own accord
    page = view.open("/traces/?trace=" + "0" * 31 + "1", ".nothing")
    expect(page.locator(".nothing")).to_contain_text("There is no such trace")


def test_long_trace_draws_only_the_rows_in_sight(empty_site: Any, view_of: Any) -> None:
    now = time.time_ns()
    service = Resource({"service.name": "long"})
    root = b"\x01" * 8
    spans = [Span(b"\x07" * 16, root, b"", "agent run", 1, now - 9_000_000_000, now, resource=service)]
    for place in range(4000):
        start = now - 9_000_000_000 + place * 2_000_000
        own = place.to_bytes(8, "big", signed=False) if place else b"\x02" * 8
        given = {"step.number": place}
        spans.append(
            Span(b"\x07" * 16, own, root, f"step {place}", 1, start, start + 1_000_000, 0, "", given, resource=service)
        )
    empty_site.send(spans)
    long = view_of(empty_site)
    page = long.open("/traces/?trace=" + "07" * 16, ".sp")
    assert page.locator(".sp").count() < 150
    page.locator(".wf").evaluate("box => { box.scrollTop = box.scrollHeight }")
    page.locator(".sp", has_text="step 3999").click()
    page.get_by_role("tab", name="Attributes").click()
    expect(page.locator(".attrs").first).to_contain_text("3999")


# Logs and models


def test_logs_open_and_lead_to_their_trace(view: Any, site: Any) -> None:
    page = view.open("/logs/?severity=error", ".log")
    told = site.api("logs", severity="error")
    assert page.locator(".log").count() == len(told["logs"])
    page.locator(".log", has_text="timed out").first.click()
    expect(page.locator(".opened")).to_contain_text("order.id")
    page.locator(".opened a").first.click()
    expect(page.locator(".sp.on bdi")).to_contain_text("search_orders")


def test_logs_are_searched_by_words(view: Any, site: Any) -> None:
    page = view.open("/logs/?q=shorter", ".log")
    assert page.locator(".log").count() == len(site.api("logs", q="shorter")["logs"]) > 0


def test_models_show_the_figures_of_the_api(view: Any, site: Any) -> None:
    page = view.open("/models/", "table")
    told = site.api("models")
    rows = page.locator(".models tbody tr")
    assert rows.count() == len(told["models"])
    for at, model in enumerate(told["models"]):
        text = rows.nth(at).inner_text()
        assert model["model"] in text
        assert str(model["calls"]) in text
        assert ("$" in text) is (model["cost_usd"] is not None)
    rows.first.locator("a").click()
    expect(page).to_have_url(re.compile("/traces/.*model="))


# All pages


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("place", [*PLACES, "trace"])
def test_text_stands_out_from_its_ground(view_of: Any, site: Any, place: str, dark: bool) -> None:
    path = f"/traces/?trace={_failing(site)['trace_id']}" if place == "trace" else place
    page = view_of(site, dark=dark).open(path, "a.tr, .log, table, .msg, .failure, .said, .settings .kv")
    weak = page.evaluate(CONTRAST)
    assert weak["checked"] > 25
    assert weak["below"] == []


@pytest.mark.parametrize("place", [*PLACES, "trace", "hostile"])
def test_nothing_scrolls_sideways_on_a_phone(view_of: Any, site: Any, place: str) -> None:
    named = {"trace": f"/traces/?trace={_failing(site)['trace_id']}", "hostile": _trace(site, "hostile")}
    page = view_of(site, width=390, height=844).open(
        named.get(place, place), "a.tr, .log, table, .sp, .said, .settings .kv"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_planted_scripts_stay_text_everywhere(view: Any, site: Any) -> None:
    script, image, *_ = site.names.HOSTILE
    quoted = "/traces/?user=%3Cscript%3Ewindow.__planted%20%3D%201%3C%2Fscript%3E"
    spans = site.api(f"traces/{site.names.trace_id('hostile')}")["spans"]
    opened = [
        f"{_trace(site, 'hostile')}&span={span['span_id']}&tab={tab}"
        for span in spans
        for tab in ("messages", "attributes", "logs", "raw")
    ]
    for path in (*PLACES, quoted, "/logs/?severity=error", *opened):
        page = view.open(path, "a.tr, .log, table, .sp.on, .nothing, .said, .settings .kv")
        page.locator("#tab-panel, .tr, .log, table, .said, .settings .kv").first.wait_for()
        assert page.evaluate("window.__planted === undefined")
        assert page.locator("#app script, #app img, #app iframe, #app [onerror]").count() == 0
    expect(view.open(quoted, "a.tr").locator("a.tr")).to_contain_text(script)
    expect(view.open("/logs/?severity=error", ".log").locator("main")).to_contain_text(image)


def test_wide_screens_get_two_panels_more(view_of: Any, site: Any) -> None:
    page = view_of(site, width=2560, height=1400).open("/", "[aria-label='Newest warnings and errors'] .log")
    expect(page.get_by_role("region", name="Models")).to_contain_text("gpt-4o-mini")
    page = view_of(site, width=2560, height=1400).open(f"/traces/?trace={_failing(site)['trace_id']}", ".sp.on")
    expect(page.locator(".narrow a.tr").first).to_be_visible()


def test_first_trace_turns_the_start_page_into_the_overview(empty_site: Any, view_of: Any) -> None:
    page = view_of(empty_site).open("/")
    expect(page.locator("h1")).to_have_text("Waiting for the first trace")
    expect(page.locator("main")).to_contain_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={empty_site.url}")
    told = empty_site.names.build(time.time(), conversations=3, minutes=2)
    empty_site.send(told.spans, told.logs)
    expect(page.locator(".card").first).to_be_visible()


def test_new_traces_wait_while_the_reader_has_scrolled(empty_site: Any, view_of: Any) -> None:
    told = empty_site.names.build(time.time() - 60, conversations=30, minutes=20)
    empty_site.send(told.spans)
    page = view_of(empty_site).open("/traces/", "a.tr")
    first = page.locator("a.tr .q > bdi").first
    page.mouse.wheel(0, 400)
    now = time.time_ns()
    fresh = Span(
        b"\x09" * 16, b"\x09" * 8, b"", "fresh one", 2, now - 1_000_000, now, resource=Resource({"service.name": "s"})
    )
    empty_site.send([fresh])
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(first).not_to_have_text("fresh one")
    page.get_by_role("button", name="1 new").click()
    expect(first).to_have_text("fresh one")
    empty_site.send([fresh._replace(trace_id=b"\x0a" * 16, name="fresher")])
    expect(page.locator("a.tr", has_text="fresher")).to_be_visible()


def test_paused_means_paused(empty_site: Any, view_of: Any) -> None:
    told = empty_site.names.build(time.time() - 60, conversations=3, minutes=2)
    empty_site.send(told.spans)
    page = view_of(empty_site).open("/traces/", "a.tr")
    page.get_by_role("button", name="Live").click()
    expect(page).to_have_url(re.compile("live=off"))
    now = time.time_ns()
    empty_site.send([Span(b"\x09" * 16, b"\x09" * 8, b"", "fresh one", 2, now - 1_000_000, now)])
    page.wait_for_timeout(2600)
    assert page.locator("a.tr", has_text="fresh one").count() == 0
    page.get_by_role("button", name="Paused").click()
    expect(page.locator("a.tr", has_text="fresh one")).to_be_visible()


def test_a_server_that_is_gone_is_said_and_what_was_read_stays(empty_site: Any, view_of: Any) -> None:
    told = empty_site.names.build(time.time() - 60, conversations=3, minutes=2)
    empty_site.send(told.spans)
    view = view_of(empty_site)
    view.silent = True  # the browser reports refused connections of its own accord
    page = view.open("/traces/", "a.tr")
    empty_site.server.stop()
    expect(page.get_by_role("alert").first).to_contain_text("The server does not answer")
    expect(page.locator("a.tr").first).to_be_visible()


def test_wrong_parameter_is_explained(view_of: Any, site: Any) -> None:
    view = view_of(site)
    view.silent = True  # the browser reports the 400 of its own accord
    page = view.open("/traces/?sort=errors&min_duration_ms=soon", "[role=alert]")
    expect(page.get_by_role("alert")).to_contain_text("min_duration_ms")


def test_no_file_of_the_page_names_another_host_or_writes_markup() -> None:
    own = [path for path in PAGE.rglob("*.js") if "vendor" not in path.parts]
    for path in own:
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert not re.search(r"https?://(?!127\.)[a-z]", text.replace("https?:", "")), path
