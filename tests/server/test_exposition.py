"""What Prometheus scrapes: the catalogue's names, figures that are right, unknown left out, people by pseudonym."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from server_support import MS, Client, chat_trace, make_span
from sqlalchemy import event, select, text

from otelkit.mapping.otlp import encode_spans
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import LogRecord, Resource
from otelkit.semconv.metrics import SERVER as ENTRIES
from otelkit.semconv.metrics import Instrument, MetricDef, ServerMetrics
from otelkit.server.config import ServerConfig
from otelkit.server.exposition import Exposition
from otelkit.server.runtime import Server
from otelkit.server.storage import schema

STORES = ("sqlite", "postgres")
OF_USE = {entry.name for entry in ENTRIES[: ENTRIES.index(ServerMetrics.RECEIVED)]}

Found = dict[tuple[str, tuple[str, ...]], float]


def scraped(client: Client, accept: str = "") -> Found:
    """Samples by name and label values, in the order of the labels' names."""
    answer = client.get("/metrics", Accept=accept)
    assert answer.status == 200
    parse = open_metrics if "openmetrics" in accept else plain_text
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse(answer.body.decode())
        for sample in family.samples
    }


def of(found: Found, entry: MetricDef) -> dict[tuple[str, ...], float]:
    return {labels: value for (name, labels), value in found.items() if name == entry.prometheus_name}


def visit(ago: float, group: str = "", conversation: str = "", **attributes: Any) -> Any:
    who = {"otelkit.group.id": group, "gen_ai.conversation.id": conversation}
    given = {**{key: value for key, value in who.items() if value}, **attributes}
    return make_span("POST /chat", base=time.time_ns() - int(ago * 1000) * MS, kind=2, attributes=given)


def test_what_is_unknown_is_absent(client: Client) -> None:
    client.send([make_span("GET /")])
    names = {name for name, _ in scraped(client)}
    assert not names & {entry.prometheus_name for entry in ENTRIES if entry.name in OF_USE}


def test_use_is_what_the_store_says(client: Client) -> None:
    for number in range(3):
        client.send(chat_trace(**{"gen_ai.conversation.id": f"c-{number % 2}", "user.id": f"u-{number}"}))
    client.send(chat_trace(model="nobody-prices-this", **{"otelkit.group.id": "other"}))
    found = scraped(client)
    assert of(found, ServerMetrics.USERS) == {("1h",): 3, ("24h",): 3, ("7d",): 3}
    assert of(found, ServerMetrics.SESSIONS) == {("5m",): 1, ("1h",): 1}
    assert of(found, ServerMetrics.CONVERSATIONS)["24h",] == 2
    assert of(found, ServerMetrics.MESSAGES) == {(): 2}
    assert sorted(of(found, ServerMetrics.TENANT_TOKENS).values()) == [1200, 3600]
    assert list(of(found, ServerMetrics.TENANT_COST).values()) == [pytest.approx(3 * (0.15e-3 + 0.12e-3))]
    assert sorted(of(found, ServerMetrics.TENANT_REQUESTS).values()) == [1, 3]


def test_conversations_of_yesterday_are_not_of_today(client: Client) -> None:
    since_midnight = time.time() % 86_400
    client.send([visit(since_midnight + 3700, conversation="old"), visit(0, conversation="new")])
    client.send([visit(2 * 86_400, conversation="older")])
    conversations = of(scraped(client), ServerMetrics.CONVERSATIONS)
    assert conversations["today",] == 1
    assert conversations["24h",] == (2 if since_midnight + 3700 < 86_400 else 1)


def test_messages_are_counted_where_the_collector_keeps_all_but_the_calls_of_models(client: Client) -> None:
    for number in range(3):
        call = chat_trace()[2]
        who = {"gen_ai.conversation.id": f"c-{number % 2}", "otelkit.group.id": "acme"}
        client.send([call._replace(attributes={**call.attributes, **who})])
    found = scraped(client)
    assert of(found, ServerMetrics.CONVERSATIONS)["24h",] == 2
    assert of(found, ServerMetrics.MESSAGES) == {(): 1.5}
    assert list(of(found, ServerMetrics.TENANT_REQUESTS).values()) == [3]


def test_tenants_are_at_most_ten_and_known_by_pseudonym_only(client: Client, server: Server) -> None:
    with server.database.reading() as connection:
        key = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "secret")).scalar_one()
    ours = Pseudonymiser(bytes.fromhex(key))
    known = ours("group", "a group that the SDK has made a pseudonym of")
    usage = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 0}
    client.send([visit(60, group=f"acme-{number}", **usage) for number in range(30)])
    client.send([visit(60, group=known, **{**usage, "gen_ai.usage.input_tokens": 5})])
    text = client.get("/metrics").body.decode()
    assert "acme" not in text
    tenants = of(scraped(client), ServerMetrics.TENANT_TOKENS)
    assert len(tenants) == 10
    assert tenants[known,] == 5
    assert all(ours.made(tenant) for (tenant,) in tenants)


def test_tenants_are_those_of_the_page_where_only_the_services_have_the_salt(client: Client) -> None:
    salted = Pseudonymiser(b"salt of the services")
    client.send([visit(60, group=salted("group", "acme"))])
    client.send([visit(60, group="a raw id")])
    listed = {entry["value"] for entry in client.ask("/api/top?by=group&range=24h")["top"]}
    tenants = {tenant for (tenant,) in of(scraped(client), ServerMetrics.TENANT_REQUESTS)}
    assert tenants & listed == {salted("group", "acme")}
    assert len(tenants) == 2
    assert "a raw id" not in tenants


def test_with_the_salt_what_only_looks_like_a_pseudonym_is_made_one(new_store: Any) -> None:
    salted, looks_alike = Pseudonymiser(b"salt of the services"), "0af7651916cd43dd8448eb211c80319c"
    with Server(ServerConfig(port=0, database=new_store(), salt=b"salt of the services")) as server:
        client = Client(server.url)
        client.send([visit(60, group=group) for group in (salted("group", "acme"), looks_alike)])
        tenants = {tenant for (tenant,) in of(scraped(client), ServerMetrics.TENANT_REQUESTS)}
    assert tenants == {salted("group", "acme"), salted("group", looks_alike)}


def test_the_servers_own_work_is_counted(client: Client) -> None:
    client.send(chat_trace())
    client.send_logs([LogRecord(time.time_ns() - 20 * 10**9, 0, 9, "", "late", {}, resource=Resource())])
    client.post("/v1/traces", encode_spans([make_span(span_id=b"\0" * 8)]))
    client.post("/v1/traces", b"not OTLP")
    client.post("/v1/traces", b"", "text/plain")
    found = scraped(client)
    assert of(found, ServerMetrics.RECEIVED) == {("traces",): 4, ("logs",): 1, ("metrics",): 0}
    assert of(found, ServerMetrics.REJECTED)["span_id", "traces"] == 1
    refused = {labels: count for labels, count in of(found, ServerMetrics.REFUSED).items() if count}
    assert refused == {("invalid", "traces"): 1, ("unsupported", "traces"): 1}
    assert of(found, ServerMetrics.WRITABLE) == {(): 1}
    assert of(found, ServerMetrics.STORE_SIZE)[()] > 10_000
    assert 0 < of(found, ServerMetrics.UPTIME)[()] < 100
    assert of(found, ServerMetrics.QUEUE_LENGTH) == of(found, ServerMetrics.QUEUE_SIZE) == {(): 0}


def test_the_delay_is_from_a_records_own_time_to_its_commit(client: Client) -> None:
    client.send_logs([LogRecord(time.time_ns() - 20 * 10**9, 0, 9, "", "late", {}, resource=Resource())])
    client.send_logs([LogRecord(time.time_ns() + 20 * 10**9, 0, 9, "", "by a clock ahead", {}, resource=Resource())])
    found = scraped(client)
    name = ServerMetrics.DELAY.prometheus_name
    assert found[f"{name}_bucket", ("0.1", "logs")] == found[f"{name}_bucket", ("10.0", "logs")] == 1
    assert found[f"{name}_bucket", ("30.0", "logs")] == found[f"{name}_count", ("logs",)] == 2
    assert found[f"{name}_sum", ("logs",)] == pytest.approx(20, abs=2)
    assert found[f"{name}_count", ("metrics",)] == 0


def test_both_formats_say_the_same(client: Client) -> None:
    client.send(chat_trace())
    plain = scraped(client)
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")
    kind = "application/openmetrics-text; version=1.0.0"
    answer = client.get("/metrics", Accept=kind)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")
    assert scraped(client, kind).keys() == plain.keys()


def test_every_entry_is_there_with_its_type_and_labels(client: Client) -> None:
    client.send(chat_trace())
    types = {Instrument.COUNTER: "counter", Instrument.GAUGE: "gauge", Instrument.HISTOGRAM: "histogram"}
    families = {family.name: family for family in plain_text(client.get("/metrics").body.decode())}
    for entry in ENTRIES:
        if entry is ServerMetrics.WEBSOCKETS:
            continue  # no service has said
        family = families[entry.prometheus_name.removesuffix("_total")]
        assert (family.type, family.documentation) == (types[entry.instrument], entry.description)
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels - {"le"} == {name.replace(".", "_") for name in entry.attributes}


def test_scraping_again_and_again_asks_the_store_once(server: Server, client: Client) -> None:
    client.send(chat_trace())
    first = of(scraped(client), ServerMetrics.TENANT_TOKENS)
    asked: list[str] = []
    event.listen(server.database.dialect.reader, "before_cursor_execute", lambda *args: asked.append(args[2]))
    client.send(chat_trace())
    asked.clear()
    again = [scraped(client) for _ in range(20)]
    assert asked == []
    assert [of(one, ServerMetrics.TENANT_TOKENS) for one in again] == [first] * 20
    assert of(again[0], ServerMetrics.RECEIVED)["traces",] == 8, "its own counts are those of now"


def renamed(server: Server, old: str, new: str) -> None:
    with server.database.writing() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def counting(server: Server) -> list[float]:
    """Return when the store was asked for anything."""
    asked: list[float] = []
    event.listen(server.database.dialect.reader, "begin", lambda *_: asked.append(time.monotonic()))
    return asked


def test_the_servers_own_work_is_told_while_the_store_fails_which_is_asked_once(server: Server, client: Client) -> None:
    client.send(chat_trace())
    renamed(server, "trace", "gone")
    asked = counting(server)
    found = [scraped(client) for _ in range(5)][-1]
    assert len(asked) == 1
    assert of(found, ServerMetrics.RECEIVED)["traces",] == 4
    for entry in (ServerMetrics.WRITABLE, ServerMetrics.QUEUE_LENGTH, ServerMetrics.REFUSED, ServerMetrics.UPTIME):
        assert of(found, entry)
    assert f"{ServerMetrics.DELAY.prometheus_name}_count" in {name for name, _ in found}
    assert not of(found, ServerMetrics.TENANT_TOKENS), "unknown is absent"


def test_what_was_known_is_told_for_five_minutes_after_the_store_failed(server: Server, client: Client) -> None:
    client.send(chat_trace())
    now = [1000.0]
    exposition = Exposition(server.database, server.pipeline, server.status, clock=lambda: now[0])

    def tokens() -> bool:
        return f"{ServerMetrics.TENANT_TOKENS.prometheus_name}{{" in asyncio.run(exposition.text(""))[0].decode()

    assert tokens()
    renamed(server, "trace", "gone")
    asked = counting(server)
    for later, known, questions in ((20, True, 0), (31, True, 1), (45, True, 1), (62, True, 2), (301, False, 3)):
        now[0] = 1000.0 + later
        assert (tokens(), len(asked)) == (known, questions), later
    renamed(server, "gone", "trace")
    now[0] += 31
    assert tokens()


def slowed(server: Server, seconds: float) -> list[str]:
    """Let the store take this long for each question about people; returns those that were asked."""
    asked: list[str] = []

    def wait(*arguments: Any) -> None:
        if "conversation" in arguments[2]:
            asked.append(arguments[2])
            time.sleep(seconds)

    event.listen(server.database.dialect.reader, "before_cursor_execute", wait)
    return asked


def took(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_scrapes_of_a_slow_store_neither_hold_up_others_nor_wait_for_long(server: Server, client: Client) -> None:
    client.send(chat_trace())
    asked = slowed(server, 6)
    with ThreadPoolExecutor(60) as many:
        scrapes = [many.submit(took, lambda: scraped(client)) for _ in range(60)]
        time.sleep(0.5)
        assert took(lambda: client.ask("/api/status")) < 2
        assert max(scrape.result() for scrape in scrapes) < 6
        assert took(lambda: scraped(client)) < 1, "once it is known to be slow nobody waits"
    assert len(asked) <= 2, "of today and of 24 hours, once"


def test_a_browser_is_sent_to_the_page_of_metrics(client: Client) -> None:
    answer = client.get("/metrics", Accept="text/html,application/xhtml+xml")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_off_loopback_a_token_that_may_look_is_needed(new_store: Any) -> None:
    tokens = {"read": "r" * 32, "ingest": "i" * 32}
    with Server(ServerConfig(port=0, database=new_store(), tokens=tokens)) as server:
        client = Client(server.url)
        assert client.get("/metrics").status == 401
        assert client.get("/metrics", Authorization="Bearer " + tokens["ingest"]).status == 403
        assert client.get("/metrics", Authorization="Bearer " + tokens["read"]).status == 200
