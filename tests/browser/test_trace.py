"""One trace on the page: the waterfall, its keys, long traces, clocks, the transcript; in a real browser."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.model import Resource, Scope, Span, SpanEvent, SpanLink
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

try:
    from playwright.sync_api import expect
except ImportError:  # the `chromium` fixture says so, and fails where everything is required
    expect = None

pytestmark = pytest.mark.browser

MS = 1_000_000
AGENT = Resource({"service.name": "research", "deployment.environment.name": "dev"})
ERP = Resource({"service.name": "erp", "deployment.environment.name": "dev"})
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "server.address": "models.example",
    "server.port": 443,
}


class Run:
    """Writes one agent run, times in milliseconds from its start."""

    def __init__(self, ago: float) -> None:
        self.base = time.time_ns() - int(ago * 1e9)
        self.trace_id = secrets.token_bytes(16)
        self.spans: list[Span] = []

    def add(self, name: str, begin: float, end: float, parent: bytes = b"", **more: Any) -> bytes:
        span_id = secrets.token_bytes(8)
        times = (self.base + int(begin * MS), self.base + int(end * MS))
        fields: dict[str, Any] = {"resource": AGENT, "scope": Scope("tests", "1"), "kind": 1, **more}
        kind = fields.pop("kind")
        self.spans.append(Span(self.trace_id, span_id, parent, name, kind, *times, **fields))
        return span_id

    @property
    def path(self) -> str:
        return f"/traces/?trace={self.trace_id.hex()}"


# Scrolls through everything in thirty steps and returns how long each took until it was drawn, sorted.
SCROLL = """async box => {
  const took = [];
  for (let turn = 0; turn < 30; turn++) {
    const begin = performance.now();
    box.scrollTop = (box.scrollHeight * (turn + 1)) / 31;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    took.push(performance.now() - begin);
  }
  return took.sort((one, other) => one - other);
}"""


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def chat(given: list[Any], answer: Any, tokens: tuple[int, int]) -> dict[str, Any]:
    content = {"gen_ai.input.messages": json.dumps(given), "gen_ai.output.messages": json.dumps([answer])}
    return {**CHAT, **content, "gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}


def research() -> Run:
    """Return a run with 48 equal queries, a failed tool, a slow clock and a lost parent."""
    run = Run(60)
    root = run.add("POST /research", 0, 9000, kind=2)
    agent = run.add("invoke_agent researcher", 10, 8950, root, attributes={"gen_ai.operation.name": "invoke_agent"})
    call = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"status": "late"}}
    asked = [said("system", "Be careful."), said("user", "Which supplier was late most often?")]
    first = {"role": "assistant", "parts": [call]}
    run.add("chat gpt-4o", 20, 1000, agent, kind=3, attributes=chat(asked, first, (800, 40)))
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    rows = json.dumps({"rows": [{"supplier": name, "late": 10} for name in ("Nordholm", "Vesta", "Aurum")]})
    content = {"gen_ai.tool.call.arguments": '{"status": "late"}', "gen_ai.tool.call.result": rows}
    search = run.add("execute_tool search", 1010, 2300, agent, attributes={**tool, **content})
    query = {"db.system.name": "sqlite"}
    for number in range(48):
        at = 1020 + number * 25
        run.add("SELECT chunks", at, at + 24, search, kind=3, attributes={**query, "chunk": number})
    raised = {"exception.type": "ConnectionError", "exception.message": "erp is down"}
    event = SpanEvent("exception", run.base + 3900 * MS, raised)
    failed = {**tool, "gen_ai.tool.name": "penalties"}
    run.add(
        *("execute_tool penalties", 2400, 3900, agent),
        attributes=failed,
        status=2,
        events=(event,),
        links=(SpanLink(b"\x4b" * 16, b"\2" * 8),),
    )
    url = {"http.request.method": "GET", "url.full": "https://erp.example/p?q='x'"}
    hop = run.add("GET /p", 4000, 4400, agent, kind=3, attributes=url)
    served = run.add("GET /p", 3880, 4180, hop, kind=2, resource=ERP)
    run.add("SELECT p", 3900, 4000, served, kind=3, resource=ERP, attributes=query)
    response = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": json.loads(rows)}]}
    answer = said("assistant", "Nordholm, by far.")
    run.add("chat gpt-4o", 4500, 8900, agent, kind=3, attributes=chat([*asked, first, response], answer, (2200, 160)))
    run.add("send metrics", 9010, 9400, root)
    run.add("orphan", 500, 900, b"\x66" * 8)
    return run


def endless(count: int = 20_000) -> Run:
    """Return an agent that ran for hours: every tenth span a model call, the others queries, one of them failed."""
    run = Run(8 * 3600)
    step = 3 * 3600_000 / count
    parent = root = run.add("invoke_agent", 0, count * step, attributes={"gen_ai.operation.name": "invoke_agent"})
    for number in range(1, count):
        at = number * step * 0.99
        if number % 10 == 0:
            parent = run.add(f"chat turn {number}", at, at + 30, root, kind=3, attributes={**CHAT, "turn": number})
        else:
            bad = number == 15_555
            attributes = {"db.system.name": "sqlite", "note": f"number-{number}"}
            run.add("SELECT chunks", at, at + 9, parent, kind=3, attributes=attributes, status=2 if bad else 0)
    return run


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return {"research": research(), "endless": endless()}


@pytest.fixture(scope="module")
def desk(site: Any, runs: dict[str, Run]) -> Iterator[Any]:
    """The shop's server, with an agent's runs."""
    with Server(ServerConfig(port=0)) as server:
        running = type(site)(server)
        for run in runs.values():
            running.send(run.spans)
        yield running


@pytest.fixture
def opened(view_of: Any, desk: Any, runs: dict[str, Run]) -> Any:
    return view_of(desk).open(runs["research"].path, ".sp.on")


def selected(page: Any) -> Any:
    return page.locator(".sp.on .n bdi")


def test_equal_spans_are_one_row_that_opens(opened: Any) -> None:
    page = opened
    run = page.locator(".sp.run")
    expect(run).to_have_count(1)
    expect(run).to_contain_text("48 × SELECT chunks")
    expect(run).to_contain_text("1.15")
    run.click()
    expect(page.locator(".det h2")).to_contain_text("48 × SELECT chunks")
    expect(page.locator(".det .kv")).to_contain_text("24 ms")
    rows = page.locator(".sp").count()
    page.keyboard.press("ArrowRight")
    expect(run).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(selected(page)).to_have_text("SELECT chunks")
    page.keyboard.press("ArrowLeft")
    expect(selected(page)).to_have_text("48 × SELECT chunks")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".sp")).to_have_count(rows)


def test_keys_move_fold_and_jump_to_failures(opened: Any) -> None:
    page = opened
    expect(selected(page)).to_have_text("execute_tool penalties")
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(selected(page)).to_have_text("execute_tool search")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".sp.on")).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".sp.run")).to_have_count(0)
    page.keyboard.press("e")
    expect(selected(page)).to_have_text("execute_tool penalties")
    page.keyboard.press("Home")
    expect(selected(page)).to_have_text("POST /research")
    page.get_by_role("button", name="1 error").click()
    expect(selected(page)).to_have_text("execute_tool penalties")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("critical path")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator(".sp.on").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".det")).to_be_focused()


def test_what_is_odd_is_said(opened: Any) -> None:
    page = opened
    served = page.locator(".sp", has_text="erp")
    expect(served).to_contain_text("clock differs by 170 ms")
    expect(page.locator(".th")).to_contain_text("the clock of erp differs by 170 ms")
    expect(page.locator(".th")).to_contain_text("1 span whose parent has not arrived")
    expect(page.locator(".sp", has_text="orphan")).to_contain_text("parent missing")
    expect(page.locator(".sp", has_text="send metrics")).to_contain_text("after its parent")
    boxes = [page.locator(".sp", has_text="GET /p").nth(at).locator(".b u").bounding_box() for at in (0, 1)]
    assert boxes[0]["x"] <= boxes[1]["x"]
    assert boxes[1]["x"] + boxes[1]["width"] <= boxes[0]["x"] + boxes[0]["width"] + 1
    expect(page.locator(".th a.mono")).to_have_attribute("href", re.compile("4b4b4b4b.*span=0202"))


def test_links_lead_both_ways(view_of: Any, desk: Any, runs: dict[str, Run]) -> None:
    target = runs["research"]
    linking = Run(300)
    linking.add("settle the claim", 0, 50, links=(SpanLink(target.trace_id, target.spans[0].span_id),))
    desk.send(linking.spans)
    page = view_of(desk).open(f"{target.path}&span={target.spans[0].span_id.hex()}&tab=attributes", ".sp.on")
    page.locator(".det").get_by_role("link", name="settle the claim").click()
    expect(selected(page)).to_have_text("settle the claim")
    page.locator(".th").get_by_role("link", name=target.trace_id.hex()[:8]).click()
    expect(selected(page)).to_have_text(target.spans[0].name)
    expect(page.locator(".th")).to_contain_text("linked from")


def test_the_critical_path_is_a_line_below_the_bars(opened: Any) -> None:
    page = opened
    expect(page.locator("i.critical")).to_have_count(0)
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("path=on"))
    expect(page.locator(".sp", has_text="execute_tool penalties").locator("i.critical")).to_have_count(1)
    assert page.locator(".sp.run i.critical").count() == 48
    expect(page.locator(".sp", has_text="orphan").locator("i.critical")).to_have_count(0)


def test_heat_shows_tokens_and_cost_the_strongest_where_there_is_most(opened: Any) -> None:
    page = opened
    page.get_by_role("button", name="Tokens").click()
    calls = page.locator(".sp", has_text="chat gpt-4o").locator(".heat")
    assert calls.all_inner_texts() == ["840", "2,360"]
    strengths = [
        int(style.split("--heat:")[1].strip(" ;%"))
        for style in calls.evaluate_all("all => all.map(one => one.getAttribute('style'))")
    ]
    assert strengths[0] < strengths[1] == 42
    expect(page.locator(".sp").first.locator(".heat")).to_have_text("3,200")
    page.get_by_role("button", name="Cost").click()
    expect(calls.last).to_contain_text("$0.0")
    expect(page).to_have_url(re.compile("heat=cost"))


def test_brush_zooms_the_axis_and_a_double_click_shows_all(opened: Any) -> None:
    page = opened
    box = page.locator(".minimap").bounding_box()
    middle = box["y"] + 20
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"zoom=23\d\d(\.\d+)?%7E47\d\d"))
    expect(page.locator(".minimap .seen")).to_be_visible()
    expect(page.locator(".sp", has_text="chat gpt-4o").first.locator(".b u")).to_have_count(0)
    expect(page.locator(".ruler i").first).to_have_text(re.compile(r"2\.3\d s"))
    page.locator(".minimap").dblclick()
    expect(page.locator(".minimap .seen")).to_have_count(0)
    page.keyboard.press("z")
    expect(page.locator(".sp.on .b u")).to_be_visible()
    assert page.locator(".sp.on .b u").bounding_box()["width"] > 200
    page.keyboard.press("0")
    expect(page.locator(".minimap .seen")).to_have_count(0)


def test_finding_reads_contents_and_jumps(opened: Any) -> None:
    page = opened
    page.keyboard.press("/")
    box = page.get_by_label("Find in this trace")
    expect(box).to_be_focused()
    box.fill("nordholm")
    expect(page.locator(".find small")).to_have_text("2 spans")
    expect(page.locator(".n .hit")).to_have_count(2)
    box.press("Enter")
    expect(selected(page)).to_have_text("chat gpt-4o")
    expect(page.locator(".find small")).to_have_text("2 of 2")
    box.press("Enter")
    expect(selected(page)).to_have_text("execute_tool search")
    box.fill("not there")
    expect(page.locator(".find small")).to_have_text("nothing")
    expect(page).to_have_url(re.compile("find=not"))


def test_records_are_copied_as_json_and_as_requests(view_of: Any, desk: Any, runs: dict[str, Run]) -> None:
    page = view_of(desk).open(runs["research"].path, ".sp.on")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    def copied(name: str) -> str:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        return str(page.evaluate("navigator.clipboard.readText()"))

    page.locator(".sp", has_text="GET /p").first.click()
    page.get_by_role("tab", name="Raw").click()
    assert copied("Copy its request") == "curl 'https://erp.example/p?q='\\''x'\\'''"
    page.locator(".sp", has_text="chat gpt-4o").first.click()
    page.get_by_role("tab", name="Raw").click()
    request = copied("Copy its request")
    assert request.startswith("curl 'https://models.example/v1/chat/completions'")
    assert json.loads(request.split(" -d ")[1].strip("'"))["messages"][0] == {
        "role": "system",
        "content": "Be careful.",
    }
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(page.locator(".raw pre")).to_contain_text('"focus"')
    assert copied("Copy as curl") == f"curl -s '{desk.url}/api/traces/{runs['research'].trace_id.hex()}'"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    whole = json.loads(download.value.path().read_text())
    assert len(whole["spans"]) == len(runs["research"].spans)


def test_an_agent_run_reads_as_a_transcript(opened: Any) -> None:
    page = opened
    page.get_by_role("button", name="Transcript").click()
    turns = page.locator(".turn")
    expect(turns).to_have_count(4)
    assert page.locator(".turn .msg > .r").all_inner_texts() == ["user", "assistant", "assistant"]
    expect(turns.nth(0)).to_contain_text("800 → 40 tokens")
    expect(turns.nth(1)).to_contain_text("late")
    expect(turns.nth(1).locator("details.fact")).to_have_count(1)
    expect(turns.nth(3)).to_contain_text("Nordholm, by far.")
    expect(turns.nth(3)).to_contain_text("4.40 s")
    turns.nth(3).locator(".meta").click()
    expect(selected(page)).to_have_text("chat gpt-4o")
    expect(page.locator(".sp.on .num")).to_contain_text("4.40")


def test_a_trace_leads_to_its_conversation_and_its_logs(view: Any, site: Any) -> None:
    row = site.api("traces", tool="search_orders", status="error", limit=1)["traces"][0]
    page = view.open(f"/traces/?trace={row['trace_id']}", ".sp.on")
    page.get_by_role("link", name=re.compile("log record")).click()
    expect(page).to_have_url(re.compile(f"/logs/.*trace_id={row['trace_id']}"))
    expect(page.locator(".log").first).to_be_visible()
    page.go_back()
    page.get_by_role("link", name=f"conversation {row['conversation']}").click()
    expect(page).to_have_url(re.compile(f"/conversations/.*id={row['conversation']}"))
    expect(page.locator("h1").first).to_be_visible()


def test_neighbours_in_the_list_are_a_key_away(view: Any, site: Any) -> None:
    rows = site.api("traces", model="gpt-4o")["traces"]
    page = view.open(f"/traces/?model=gpt-4o&trace={rows[0]['trace_id']}", ".sp.on")
    expect(page.locator(".ways")).to_contain_text(f"1 of {len(rows)}")
    page.keyboard.press("]")
    expect(page.locator(".ways")).to_contain_text(f"2 of {len(rows)}")
    expect(page).to_have_url(re.compile(rows[1]["trace_id"]))
    page.keyboard.press("[")
    expect(page).to_have_url(re.compile(rows[0]["trace_id"]))
    page.go_back()
    expect(page).to_have_url(re.compile(rows[1]["trace_id"]))


def test_twenty_thousand_spans_open_scroll_and_are_searched(view_of: Any, desk: Any, runs: dict[str, Run]) -> None:
    path = runs["endless"].path
    view_of(desk).open(runs["research"].path, ".sp.on")  # the browser and the server are warm
    other = view_of(desk).open(runs["research"].path, ".sp.on")
    small = other.evaluate("performance.now()")
    still = other.locator(".wf").evaluate(SCROLL)
    page = view_of(desk).open(path, ".sp.on")
    took = page.evaluate("performance.now()")
    assert took < max(1000, 10 * small), f"{took:.0f} ms, and a small trace {small:.0f} ms"
    expect(page.locator(".th")).to_contain_text("20,000 spans")
    expect(page.locator(".th .strong").first).to_have_text(re.compile("3 h"))
    expect(page.locator(".sp.on .n bdi")).to_have_text("SELECT chunks")
    assert page.locator(".sp").count() < 150
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    frames = page.locator(".wf").evaluate(SCROLL)
    assert frames[15] < max(100, 10 * still[15]), (frames, still)
    assert page.locator(".sp").count() < 150
    page.get_by_label("Find in this trace").fill("number-4321")
    expect(page.locator(".find small")).to_have_text("1 span", timeout=20_000)
    page.get_by_label("Find in this trace").press("Enter")
    expect(page.locator(".sp.on .n .hit")).to_be_visible()
    page.get_by_role("tab", name="Attributes").click()
    expect(page.locator(".attrs").first).to_contain_text("number-4321")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_scrolls_sideways_on_a_phone(view_of: Any, desk: Any, runs: dict[str, Run], dark: bool) -> None:
    for more in ("", "&view=transcript", "&view=json", "&heat=cost&path=on"):
        page = view_of(desk, width=390, height=844, dark=dark).open(
            runs["research"].path + more, ".sp, .turn, .raw pre"
        )
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), more
