"""Sessions, pseudonyms, consent and product events."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.sdk.trace import ReadableSpan

import otelkit
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.sdk import context, events
from otelkit.sdk.guard import Guard
from otelkit.sdk.identity import IdentityGuard, load_salt
from otelkit.semconv.events import CATALOGUE
from otelkit.settings import load

Spans = Callable[[], list[ReadableSpan]]
USAGE = "analytics.usage_patterns"


def work() -> None:
    with otelkit.traced_tool("work"):
        pass


def attributes(spans: Spans) -> list[dict[str, Any]]:
    return [dict(span.attributes or {}) for span in spans()]


def test_ids_are_pseudonyms_and_users_need_consent(spans: Spans, pseudonyms: Pseudonymiser) -> None:
    with otelkit.session(user_id="u-17", group_id="acme", conversation_id="c-1", session_id="s-1"):
        work()
    with otelkit.session(user_id="u-17", consent=[USAGE]):
        work()
    without, granted = attributes(spans)
    assert "user.id" not in without
    assert without["otelkit.group.id"] == pseudonyms("group", "acme")
    assert without["session.id"] == pseudonyms("session", "s-1")
    assert without["gen_ai.conversation.id"] == "c-1"
    assert granted["user.id"] == pseudonyms("user", "u-17")
    assert not baggage.get_all()


@pytest.mark.parametrize(
    ("policy", "consent", "expected"),
    [
        ("never", [USAGE], False),
        ("consent", [], False),
        ("consent", [USAGE], True),
        ("always", [], True),
    ],
)
def test_operator_decides_when_users_are_on_signals(
    spans: Spans, pseudonyms: Pseudonymiser, policy: str, consent: list[str], expected: bool
) -> None:
    context.configure(pseudonyms, policy)
    with otelkit.session(user_id="u-17", consent=consent):
        work()
    assert ("user.id" in attributes(spans)[0]) is expected


def test_inner_session_adds_and_another_user_does_not_inherit_consent(spans: Spans, pseudonyms: Pseudonymiser) -> None:
    with otelkit.session(user_id="ann", group_id="acme", consent=[USAGE]):
        with otelkit.session(conversation_id="c-2"):
            work()
        with otelkit.session(user_id="bob"):
            work()
        work()
    inner, bob, after = attributes(spans)
    assert inner["user.id"] == after["user.id"] == pseudonyms("user", "ann")
    assert inner["gen_ai.conversation.id"] == "c-2"
    assert "gen_ai.conversation.id" not in after
    assert "user.id" not in bob
    assert bob["otelkit.group.id"] == inner["otelkit.group.id"]


def test_session_reaches_tasks_and_bound_threads(spans: Spans, pseudonyms: Pseudonymiser) -> None:
    async def tasks() -> None:
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(2)), asyncio.create_task(asyncio.sleep(0)))

    with ThreadPoolExecutor(1) as pool, otelkit.session(group_id="acme"), otelkit.traced_workflow("outer"):
        pool.submit(otelkit.bind(work)).result()
        pool.submit(work).result()
        asyncio.run(tasks())
    found = [item for item in attributes(spans) if item["gen_ai.operation.name"] == "execute_tool"]
    assert ["otelkit.group.id" in item for item in found] == [True, False, True, True]
    traces = [span.context.trace_id for span in spans() if span.name == "execute_tool work" and span.context]
    assert len(set(traces)) == 2  # the unbound thread is the odd one out


def test_session_in_a_handler_marks_the_live_span(spans: Spans, pseudonyms: Pseudonymiser) -> None:
    tracer = trace.get_tracer("test")
    with tracer.start_as_current_span("GET /"):
        token = context.otel_context.attach(context.request_context("req-1", {}))
        with tracer.start_as_current_span("inner"), otelkit.session(group_id="acme"):
            pass
        context.otel_context.detach(token)
    inner, request = attributes(spans)
    assert request["otelkit.group.id"] == inner["otelkit.group.id"] == pseudonyms("group", "acme")
    assert inner["otelkit.request.id"] == "req-1"


def test_unknown_consent_grants_nothing(pseudonyms: Pseudonymiser) -> None:
    with otelkit.session(user_id="u", consent=["everything", USAGE]) as info:
        assert info.consent == {USAGE}


# --- pseudonyms


def test_pseudonyms_are_stable_separate_and_recognised() -> None:
    one, same, other = Pseudonymiser(b"a" * 16), Pseudonymiser(b"a" * 16), Pseudonymiser(b"b" * 16)
    assert one("user", "u") == same("user", "u") != other("user", "u")
    assert one("user", "u") != one("group", "u")
    assert one.made(same("user", "u"))
    assert not one.made(other("user", "u"))
    assert not one.made("0" * 32)


def test_foreign_ids_do_not_leave_raw() -> None:
    pseudonym = Pseudonymiser(b"a" * 16)
    given = {"user.id": "jane", "session.id": "cookie", "enduser.id": "jane", "user.email": "j@x.com", "x": 1}
    assert IdentityGuard(pseudonym, "consent")(given) == {"session.id": pseudonym("session", "cookie"), "x": 1}
    assert IdentityGuard(pseudonym, "always")(given)["user.id"] == pseudonym("user", "jane")
    ours = {"user.id": pseudonym("user", "jane")}
    assert IdentityGuard(pseudonym, "consent")(ours) is ours


def test_salt_file_is_private_and_stable_over_processes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "salt"
    code = (
        "from otelkit.sdk.identity import load_salt; from otelkit.settings import load;"
        "print(load_salt(load()).decode())"
    )
    environment = {**os.environ, "OTELKIT_SALT_FILE": str(path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    salts = {process.communicate(timeout=60)[0] for process in started}
    assert len(salts) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["salt"]


def test_unusable_salt_file_is_said_and_does_not_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    settings = load({}, salt_file=str(tmp_path / "file" / "salt"))
    assert load_salt(settings) != load_salt(settings)
    assert "Set OTELKIT_SALT" in caplog.text


# --- events


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What ``track`` hands to OpenTelemetry's logger (the way from there is tested in test_bootstrap)."""
    found: list[dict[str, Any]] = []

    class Logger:
        def emit(self, **record: Any) -> None:
            found.append(record)

    monkeypatch.setattr(events._logs, "get_logger", lambda name: Logger())
    events.Events.withheld.clear()
    yield found
    events.Events.withheld.clear()


def test_default_deny(emitted: list[dict[str, Any]], pseudonyms: Pseudonymiser) -> None:
    assert not otelkit.track("chat.message_sent", message_length=3)
    with otelkit.session(user_id="u", consent=["analytics.performance"]):
        assert not otelkit.track("chat.message_sent", message_length=3)
    assert not emitted
    assert events.Events.withheld == {("chat.message_sent", "no_consent"): 2}


def test_event_with_consent(emitted: list[dict[str, Any]], pseudonyms: Pseudonymiser) -> None:
    with otelkit.session(user_id="u", conversation_id="c", consent=[USAGE]):
        assert otelkit.track("search.performed", query="my diagnosis", result_count=3, result_types=["doc"])
    (record,) = emitted
    assert record["event_name"] == "search.performed"
    assert record["attributes"]["query_length"] == 12
    assert "my diagnosis" not in str(record)
    assert record["attributes"]["user.id"] == pseudonyms("user", "u")
    assert record["attributes"]["otelkit.consent.categories"] == [USAGE]
    assert record["attributes"]["log.record.uid"]


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("no.such_event", {}, "unknown_event"),
        ("chat.message_sent", {"colour": 1}, "unknown_property"),
        ("chat.message_sent", {"message_length": "3"}, "wrong_type"),
        ("chat.message_sent", {"message_length": True}, "wrong_type"),
    ],
)
def test_wrong_events_are_counted_and_never_raise(
    emitted: list[dict[str, Any]], pseudonyms: Pseudonymiser, name: str, properties: dict[str, Any], reason: str
) -> None:
    with otelkit.session(user_id="u", consent=[USAGE]):
        assert not otelkit.track(name, **properties)
    assert not emitted
    assert [key[1] for key in events.Events.withheld] == [reason]


def test_own_events(emitted: list[dict[str, Any]], pseudonyms: Pseudonymiser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_DEFINED", {event.name: event for event in CATALOGUE})
    otelkit.define_event("timer.started", "A timer began.", {"minutes": float})
    with otelkit.session(user_id="u", consent=[USAGE]):
        assert otelkit.track("timer.started", minutes=25)
    with pytest.raises(ValueError, match=r"resource\.action"):
        otelkit.define_event("timer", "x")


@pytest.mark.parametrize("consent", [{USAGE: False}, {USAGE: 1}, False, True, 7, object()])
def test_only_a_clear_yes_is_consent(pseudonyms: Pseudonymiser, consent: Any) -> None:
    with otelkit.session(user_id="ann", consent=[USAGE]), otelkit.session(user_id="bob", consent=consent) as info:
        assert info.consent == frozenset()
        assert info.user == pseudonyms("user", "bob")
        assert "user.id" not in info.attributes
    with otelkit.session(user_id="ann", consent={USAGE: True}) as info:
        assert info.consent == {USAGE}


def test_a_broken_id_is_nobodys_session_and_not_the_outer_users(
    spans: Spans, pseudonyms: Pseudonymiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    monkeypatch.setattr(Guard, "strict", False)
    with otelkit.session(user_id="ann", consent=[USAGE]):
        with otelkit.session(user_id=Broken()):
            work()
        work()
    broken, after = attributes(spans)
    assert "user.id" not in broken
    assert after["user.id"] == pseudonyms("user", "ann")


def test_ids_nested_in_extra_fields() -> None:
    pseudonym = Pseudonymiser(b"a" * 16)
    given = {"user": {"id": "u-17", "plan": "pro"}, "group_id": "acme", "deep": {"session_id": "s"}}
    clean = IdentityGuard(pseudonym, "consent")(given)
    assert clean == {
        "user": {"plan": "pro"},
        "group_id": pseudonym("group", "acme"),
        "deep": {"session_id": pseudonym("session", "s")},
    }
