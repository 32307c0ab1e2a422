"""Errors in Sentry: each once, with its trace and route, and nothing that was planted; asked of real envelopes."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from otelkit.testing.otlp_sink import OtlpSink
from otelkit.testing.sentry import SentryAnswer, SentrySink

from . import processes

UVICORN = [sys.executable, "-m", "uvicorn", "failing:app", "--port", "{port}", "--log-level", "error"]
SECRETS = (
    "jane.roe@example.com",
    "4111 1111 1111 1111",
    "sk-proj-abcdefghijklmnopqrstuvwxyz123456",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "Jane Roe",
)
PLANTED = "|".join(SECRETS)
PATHS = ("unhandled", "tool", "caught", "logged", "chained", "message", "session", "later", "stream", "thread")


@pytest.fixture
def sentry() -> Iterator[SentrySink]:
    with SentrySink() as running:
        yield running


@pytest.fixture
def otlp() -> Iterator[OtlpSink]:
    with OtlpSink() as running:
        yield running


@pytest.fixture
def shop(sentry: SentrySink, otlp: OtlpSink, tmp_path: Path) -> Iterator[processes.Service]:
    environment = {"OTELKIT_ENDPOINT": otlp.address, "SENTRY_DSN": sentry.dsn, "APP_VERSION": "1.4.1"}
    with processes.service(UVICORN, tmp_path, environment) as running:
        yield running


def ask(shop: processes.Service, path: str, **headers: str) -> None:
    try:
        shop.get(f"/{path}", {"x-planted": PLANTED, "cookie": f"session={PLANTED}", **headers})
    except Exception:
        assert path.startswith("stream"), "only a broken stream breaks the connection"


def told(sentry: SentrySink, shop: processes.Service, path: str, **headers: str) -> list[dict[str, Any]]:
    """What Sentry hears of one request."""
    before = len(sentry.events)
    ask(shop, f"{path}?q={quote(PLANTED)}", **headers)
    time.sleep(0.2)  # the server logs it after the answer
    shop.get("/flush")
    return sentry.events[before:]


def test_an_unhandled_error_comes_once_with_trace_route_and_release(
    shop: processes.Service, sentry: SentrySink, otlp: OtlpSink
) -> None:
    (event,) = told(sentry, shop, "unhandled/7")
    request = otlp.span("GET /unhandled/{number}")
    assert event["contexts"]["trace"] == {"trace_id": request.trace_id.hex(), "span_id": request.span_id.hex()}
    assert (event["transaction"], event["release"], event["environment"]) == (
        "GET /unhandled/{number}",
        "1.4.1",
        "test",
    )
    assert "user" not in event
    (raised,) = event["exception"]["values"]
    assert (raised["type"], raised["value"]) == ("ValueError", "the order of * is broken")
    assert raised["mechanism"] == {"type": "otelkit.request", "handled": False, "exception_id": 0}
    last = raised["stacktrace"]["frames"][-1]
    assert (last["function"], last["module"], last["in_app"]) == ("unhandled", "failing", True)
    assert "vars" not in last
    (record,) = [r for r in otlp.logs if r.event_name == "http.server.request.exception"]
    assert event["tags"]["otelkit.error.fingerprint"] == record.attributes["otelkit.error.fingerprint"]
    assert event["tags"]["otelkit.error.category"] == "bug"


def test_every_way_to_fail_comes_once(shop: processes.Service, sentry: SentrySink, otlp: OtlpSink) -> None:
    (tool,) = told(sentry, shop, "tool/1")
    span = otlp.span("execute_tool find")
    assert tool["contexts"]["trace"]["span_id"] == span.span_id.hex(), "the innermost span"
    assert (tool["transaction"], tool["exception"]["values"][-1]["type"]) == ("GET /tool/{number}", "LookupError")
    (caught,) = told(sentry, shop, "caught/1")
    assert caught["exception"]["values"][-1]["mechanism"]["handled"] is True
    template, written = told(sentry, shop, "logged/1")
    assert template["logentry"] == {"message": "payment of %s refused", "formatted": "payment of * refused"}
    assert (template["logger"], template["level"]) == ("shop", "error")
    assert written["logentry"]["formatted"] == "payment of * refused"
    (chained,) = told(sentry, shop, "chained/1")
    assert [one["type"] for one in chained["exception"]["values"]] == ["ValueError", "RuntimeError"]
    assert chained["exception"]["values"][0]["value"] == "invalid literal for int() with base *"
    assert chained["exception"]["values"][0]["mechanism"]["source"] == "__cause__"
    (message,) = told(sentry, shop, "message/1")
    assert (message["level"], message["logentry"]["formatted"]) == ("warning", "the stock of * is low")
    assert message["extra"] == {"left": 3}
    assert any(str(record.body).startswith("the stock of") for record in otlp.logs)
    for path, kind in (("later", "LookupError"), ("stream", "OSError"), ("thread", "TimeoutError")):
        (event,) = told(sentry, shop, f"{path}/1")
        assert event["exception"]["values"][-1]["type"] == kind
        assert event["contexts"]["trace"]["trace_id"] in {span.trace_id.hex() for span in otlp.spans}
    assert told(sentry, shop, "refused/1") == [], "an answer of 403 is no error of the service"
    assert sentry.refused == []


def test_users_are_named_by_pseudonym_and_only_with_consent(shop: processes.Service, sentry: SentrySink) -> None:
    (event,) = told(sentry, shop, "unhandled/1", **{"x-user": "u-17"})
    assert "user" not in event
    (event,) = told(sentry, shop, "unhandled/1", **{"x-user": "u-17", "x-consent": "analytics.usage_patterns"})
    assert "user" not in event
    granted = {"x-user": "u-17", "x-consent": "analytics.error_reports"}
    for path in ("unhandled", "tool", "message"):
        (event,) = told(sentry, shop, f"{path}/1", **granted)
        assert list(event["user"]) == ["id"]
        assert len(event["user"]["id"]) == 32
    (inner,) = told(sentry, shop, "session/1", **granted)
    assert "user" not in inner, "the inner session is somebody else's, who did not consent"
    (inner,) = told(sentry, shop, "session/1", **{"x-inner-consent": "analytics.error_reports"})
    assert len(inner["user"]["id"]) == 32
    assert b"u-17" not in b"".join(sentry.bodies)
    assert b"u-inner" not in b"".join(sentry.bodies)


def test_nothing_planted_leaves(shop: processes.Service, sentry: SentrySink, tmp_path: Path) -> None:
    for path in PATHS:
        headers = {"authorization": f"Bearer {PLANTED}", "x-request-id": "Jane-Roe", "user-agent": PLANTED}
        ask(shop, f"{path}/1?q={quote(PLANTED)}", **headers)
    shop.get("/flush")
    assert sentry.wait_for(len(PATHS) + 1)
    said = b"".join(sentry.bodies) + json.dumps(sentry.headers).encode()
    for secret in (*SECRETS, *SECRETS[-1].split(), *(word.upper() for word in SECRETS[-1].split())):
        assert secret.encode() not in said
        assert quote(secret).encode() not in said
    here = Path(__file__).parent
    for place in (str(tmp_path), str(here), str(Path.home()) + "/", socket.gethostname(), "127.0.0.1"):
        assert json.dumps(place)[1:-1].encode() not in b"".join(sentry.bodies), place
    for event in sentry.events:
        assert not {"request", "breadcrumbs", "server_name", "modules"} & set(event)


def test_relay_takes_and_groups_each_event(shop: processes.Service, sentry: SentrySink) -> None:
    processing = pytest.importorskip("sentry_relay.processing")
    for path in PATHS:
        ask(shop, f"{path}/1")
    shop.get("/flush")
    assert sentry.wait_for(len(PATHS) + 1)
    normalizer = processing.StoreNormalizer(project_id=42, protocol_version="7", is_renormalize=False)
    for event in sentry.events:
        normal = normalizer.normalize_event(dict(event))
        assert not normal.get("errors"), normal["errors"]
        assert normal["event_id"] == event["event_id"]
        trace = normal["contexts"]["trace"]
        assert (trace["trace_id"], trace["span_id"]) == (
            event["contexts"]["trace"]["trace_id"],
            event["contexts"]["trace"]["span_id"],
        )
        grouped = normal.get("exception") or normal.get("logentry")
        assert grouped
        for raised in (normal.get("exception") or {"values": []})["values"]:
            frames = raised["stacktrace"]["frames"]
            assert any(frame["in_app"] for frame in frames)
            assert all(frame["function"] and frame["filename"] for frame in frames)


def test_traces_by_rate_have_the_same_ids(sentry: SentrySink, otlp: OtlpSink, tmp_path: Path) -> None:
    environment = {"OTELKIT_ENDPOINT": otlp.address, "SENTRY_DSN": sentry.dsn, "SENTRY_TRACES_RATE": "1"}
    with processes.service(UVICORN, tmp_path, environment) as shop:
        ask(shop, f"tool/1?q={quote(PLANTED)}")
        shop.get("/flush")
        shop.get("/flush")
    root, tool = otlp.span("GET /tool/{number}"), otlp.span("execute_tool find")
    (told,) = [one for one in sentry.transactions if one["transaction"] == "GET /tool/{number}"]
    assert told["contexts"]["trace"]["trace_id"] == root.trace_id.hex()
    assert told["contexts"]["trace"]["span_id"] == root.span_id.hex()
    (inside,) = [span for span in told["spans"] if span["description"] == "execute_tool find"]
    assert (inside["span_id"], inside["parent_span_id"]) == (tool.span_id.hex(), root.span_id.hex())
    assert (inside["status"], inside["op"]) == ("internal_error", "gen_ai.execute_tool")
    processing = pytest.importorskip("sentry_relay.processing")
    normal = processing.StoreNormalizer(project_id=42, protocol_version="7").normalize_event(dict(told))
    assert not normal.get("errors")
    assert "Roe" not in json.dumps(sentry.transactions)
    assert sentry.refused == []


def test_without_a_rate_there_are_no_transactions(shop: processes.Service, sentry: SentrySink) -> None:
    told(sentry, shop, "tool/1")
    assert sentry.transactions == []


RAISE = """
import otelkit, sys, time
otelkit.init(instrument=False, endpoint="http://127.0.0.1:9", service="job")

@otelkit.traced_job
def work(number):
    raise ValueError("it failed")

for number in range({times}):
    try:
        work(number)
    except ValueError:
        pass
began = time.monotonic()
otelkit.shutdown({timeout})
print(f"{{time.monotonic() - began:.2f}}")
"""


def test_the_last_error_of_a_script_is_delivered_at_exit(sentry: SentrySink) -> None:
    code = RAISE.format(times=1, timeout=5).replace("otelkit.shutdown(5)", "pass")
    assert processes.python(code, {"SENTRY_DSN": sentry.dsn}).returncode == 0
    (event,) = sentry.events
    assert event["exception"]["values"][0]["mechanism"] == {"type": "otelkit.step", "handled": False, "exception_id": 0}
    assert event["exception"]["values"][0]["value"] == "it failed"


@pytest.mark.parametrize("how", ["dead", "hangs", "refuses"])
def test_a_sentry_that_is_away_neither_blocks_nor_breaks(sentry: SentrySink, how: str) -> None:
    dsn = sentry.dsn
    if how == "dead":
        dsn = "http://0123456789abcdef0123456789abcdef@127.0.0.1:9/42"
    sentry.then(*[SentryAnswer(200, delay=30) if how == "hangs" else SentryAnswer(503)] * 2000)
    began = time.monotonic()
    done = processes.python(RAISE.format(times=500, timeout=2), {"SENTRY_DSN": dsn})
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3.0
    assert time.monotonic() - began < 25


def test_limits_that_sentry_sets_are_kept(sentry: SentrySink) -> None:
    sentry.then(SentryAnswer(429, headers={"Retry-After": "60"}))
    code = RAISE.format(times=1, timeout=5).replace("pass\nbegan", "pass\n    otelkit.flush(2)\nbegan")
    done = processes.python(code.replace("range(1)", "range(5)"), {"SENTRY_DSN": sentry.dsn})
    assert done.returncode == 0, done.stderr
    assert sentry.events == []
    assert len([body for body in sentry.bodies if b'"exception"' in body]) == 1


def test_an_application_with_its_own_sentry_keeps_it(sentry: SentrySink) -> None:
    code = f"import sentry_sdk; sentry_sdk.init({sentry.dsn!r}, release='own')\n" + RAISE.format(times=1, timeout=5)
    done = processes.python(
        code.replace("pass\nbegan", "sentry_sdk.capture_message('own')\nbegan"), {"SENTRY_DSN": sentry.dsn}
    )
    assert "initialised by the application" in done.stderr
    assert [event.get("message") or event["logentry"] for event in sentry.events] == ["own"]
    late = RAISE.format(times=1, timeout=5).replace(
        "@otelkit", f"import sentry_sdk; sentry_sdk.init({sentry.dsn!r})\n@otelkit", 1
    )
    done = processes.python(late, {"SENTRY_DSN": sentry.dsn})
    assert done.returncode == 0, done.stderr
    assert len(sentry.events) == 1, "also when it does so after init: its own integrations tell, we do not"


def test_children_of_a_fork_tell_too(sentry: SentrySink) -> None:
    code = """
import os, sys, otelkit
otelkit.init(instrument=False, endpoint="http://127.0.0.1:9", service="job")

@otelkit.traced_tool
def work(number):
    raise ValueError("it failed")

def fail(number):
    try:
        work(number)
    except ValueError:
        pass

fail(0)
otelkit.flush(2)
child = os.fork()
if not child:
    fail(1)
    otelkit.shutdown(3)
    os._exit(0)
os.waitpid(child, 0)
fail(2)
"""
    assert processes.python(code, {"SENTRY_DSN": sentry.dsn}).returncode == 0
    assert len(sentry.events) == 3


def test_wrong_and_missing_are_said() -> None:
    start = "import otelkit; otelkit.init(instrument=False, endpoint='http://127.0.0.1:9'{}); otelkit.shutdown(0)"
    done = processes.python(start.format(", sentry_dsn='https://secret-key@nowhere'"), {})
    assert "SENTRY_DSN" in done.stderr
    assert "secret-key" not in done.stderr.splitlines()[-1]
    absent = "import sys; sys.modules['sentry_sdk'] = None\n" + start.format("")
    done = processes.python(absent, {"SENTRY_DSN": "https://key@sentry.example/1"})
    assert "pip install 'otelkit[sentry]'" in done.stderr
    assert processes.python(absent, {}).returncode == 0, "unset needs no package"


def test_opentelemetry_stays_the_tracer() -> None:
    code = """
import otelkit, sentry_sdk
from opentelemetry import propagate
from opentelemetry.propagators.composite import CompositePropagator
before = type(propagate.get_global_textmap())
otelkit.init(instrument=False, endpoint="http://127.0.0.1:9")
assert type(propagate.get_global_textmap()) is before
assert not sentry_sdk.get_client().is_active()
assert "traceparent" in propagate.get_global_textmap().fields
from sentry_sdk.integrations import _installed_integrations
assert not _installed_integrations, _installed_integrations
otelkit.shutdown(0)
"""
    done = processes.python(code, {"SENTRY_DSN": "http://0123456789abcdef0123456789abcdef@127.0.0.1:9/42"})
    assert done.returncode == 0, done.stderr
