"""``audit``: stored when it returns, an error the caller sees where it is not, and nothing personal in it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

import otelkit
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.sdk import trail
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.settings import load
from otelkit.testing.otlp_sink import Answer, OtlpSink

PLANTED = ("Ada Lovelace", "ada@example.com", "correct horse", "4111 1111 1111 1111", "u-17", "Where is my order?")
RESOURCE = {"service.name": "shop", "deployment.environment.name": "test"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(ServerConfig(port=0)) as running:
        yield running


def write_to(pseudonyms: Pseudonymiser, **options: Any) -> None:
    trail.begin(load({}, **options), RESOURCE, pseudonyms)


@pytest.fixture
def service(server: Server, pseudonyms: Pseudonymiser) -> Iterator[Server]:
    """A server to which this process writes, as after ``init``."""
    write_to(pseudonyms, endpoint=server.url)
    yield server
    trail.end(quiet=False)


def ask(server: Server, path: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/{path}", timeout=10) as answer:
        return json.load(answer)


def entries(server: Server) -> list[Any]:
    return ask(server, "audit?service=shop")["entries"]


def test_it_is_stored_when_it_returns(service: Server) -> None:
    uid = otelkit.audit("project.deleted", actor="u-17", target="project:42", before={"members": 3}, after={})
    (entry,) = entries(service)
    assert uid
    assert (entry["action"], entry["target"], entry["outcome"]) == ("project.deleted", "project:42", "success")
    assert (entry["service"], entry["environment"], entry["before"]) == ("shop", "test", {"members": 3})
    assert abs(entry["time"] - time.time() * 1000) < 10_000
    told = ask(service, "audit/verify")
    assert (told["whole"], told["entries"], told["head"]) == (True, 2, entry["hash"])  # settings are the first
    assert ask(service, "status")["stored"]["logs"] == 0


def test_nothing_personal_is_in_it(service: Server) -> None:
    values = {
        "name": PLANTED[0], "contact": PLANTED[1], "password": PLANTED[2], "note": PLANTED[3], "question": PLANTED[5],
        "ada@example.com": 1, "nested": {"who": PLANTED[0]}, "owner_name": "ada", "city": "london",
    }  # fmt: skip
    otelkit.audit(
        "user.changed", actor="u-17", target="user:ada@example.com", before=values, after=values, why=PLANTED[1]
    )
    otelkit.audit("mail.sent", target="to ada@example.com")
    told = json.dumps(entries(service))
    assert [text for text in (*PLANTED, '"ada"', "london") if text in told] == []
    changed = entries(service)[1]
    assert changed["before"]["password"].startswith("fingerprint:")
    assert changed["before"] == changed["after"]
    assert changed["target"].startswith("user:")


def test_a_fingerprint_shows_that_a_value_changed(service: Server) -> None:
    otelkit.audit("secret.rotated", before={"api_key": "old one"}, after={"api_key": "new one"})
    (entry,) = entries(service)
    assert entry["before"]["api_key"] != entry["after"]["api_key"]


def test_the_session_and_the_trace_come_along_even_through_a_thread(
    service: Server, pseudonyms: Pseudonymiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    @otelkit.traced_workflow
    async def approve() -> None:
        with otelkit.session(user_id="u-17", group_id="acme"):
            await asyncio.to_thread(otelkit.audit, "refund.approved", amount=120, role="manager")

    asyncio.run(approve())
    otelkit.audit("nightly.cleanup_run")
    by_system, by_user = entries(service)
    assert by_system["actor"] == "system"
    assert by_user["actor"] == pseudonyms("user", "u-17")
    assert by_user["group"] == pseudonyms("group", "acme")
    assert len(by_user["trace_id"]) == 32
    assert by_user["details"] == {"amount": 120, "role": "manager"}


def test_values_that_are_no_json_do_not_stop_it(service: Server) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    strange = {
        "nan": float("nan"),
        "object": object(),
        "loop": loop,
        "bytes": b"\xff",
        "lone": "\ud800",
        "zero": "a\0b",
    }
    otelkit.audit("strange.stored", after=strange, target="thing:\ud800\0")
    assert set(entries(service)[0]["after"]) == set(strange)
    assert ask(service, "audit/verify")["whole"]


@pytest.mark.parametrize("action", ["", "deleted", "Project.Deleted", "project.deleted!", "a." + "b" * 100, 7])
def test_a_wrong_action_is_said(action: Any) -> None:
    with pytest.raises(ValueError, match="resource"):
        otelkit.audit(action)


def test_a_wrong_outcome_is_said() -> None:
    with pytest.raises(ValueError, match="success, failure or denied"):
        otelkit.audit("a.b", outcome="fine")  # type: ignore[arg-type]


def test_without_a_server_the_caller_is_told_in_time(pseudonyms: Pseudonymiser) -> None:
    write_to(pseudonyms, endpoint="http://127.0.0.1:9", audit_timeout=0.3)
    started = time.monotonic()
    with pytest.raises(otelkit.AuditError, match="OTELKIT_AUDIT_ENDPOINT") as told:
        otelkit.audit("project.deleted", target="project:secret-42")
    trail.end(quiet=False)
    assert time.monotonic() - started < 3
    assert "secret-42" not in str(told.value)


def test_a_server_that_is_away_for_a_moment_gets_it_once(pseudonyms: Pseudonymiser) -> None:
    with OtlpSink() as sink:
        sink.script(Answer(503), Answer(503, {"Retry-After": "0"}))
        write_to(pseudonyms, endpoint="http://127.0.0.1:9", audit_endpoint=sink.address)
        uid = otelkit.audit("project.deleted")
        trail.end(quiet=False)
        (record,) = sink.logs
    assert record.attributes["log.record.uid"] == uid


def test_a_refusal_is_not_tried_again(pseudonyms: Pseudonymiser) -> None:
    with OtlpSink() as sink:
        sink.script(then=Answer(401))
        write_to(pseudonyms, endpoint=sink.address)
        with pytest.raises(otelkit.AuditError, match="refused"):
            otelkit.audit("project.deleted")
        trail.end(quiet=False)
        assert len(sink.requests) == 1


OFF = {"OTEL_SDK_DISABLED": "true"}
NOWHERE = {"OTELKIT_AUDIT": "false"}
DEAD = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTELKIT_AUDIT_SECONDS": "0.2"}
_INIT = "import otelkit; otelkit.init(service='s', instrument=False)\n"
_WRITE = "try: otelkit.audit('a.b'); print('nowhere')\nexcept otelkit.AuditError: print('told')"


@pytest.mark.parametrize(
    ("environment", "begin", "ending"),
    [(DEAD, _INIT, "told"), (OFF, _INIT, "told"), ({}, "import otelkit\n", "told"), (NOWHERE, _INIT, "nowhere"),
     (OFF | NOWHERE, _INIT, "nowhere")],
)  # fmt: skip
def test_what_is_off_is_off_only_when_that_was_said(environment: dict[str, str], begin: str, ending: str) -> None:
    done = run(begin + _WRITE, **environment)
    assert done.stdout.strip() == ending, done.stderr


def run(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "OTELKIT_SHUTDOWN_SECONDS": "0", **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=told, capture_output=True, text=True, timeout=60, check=True
    )


def test_every_process_of_a_forking_server_writes_its_own(server: Server) -> None:
    code = (
        "import os, sys, otelkit\n"
        "otelkit.init(service='shop', instrument=False, endpoint=sys.argv[1])\n"
        "otelkit.audit('before.fork')\n"
        "child = os.fork()\n"
        "otelkit.audit('in.parent' if child else 'in.child')\n"
        "if child: os.waitpid(child, 0)\n"
        "os._exit(0)"
    )
    run(code, server.url)
    assert sorted(entry["action"] for entry in entries(server)) == ["before.fork", "in.child", "in.parent"]
    assert ask(server, "audit/verify")["whole"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("owner", "jane"), ("assignee", "jane.roe"), ("diagnosis", "cancer"), ("pw", "hunter2"), ("passwort", "geheim"),
     ("pin", 1234), ("birthday", "1980-01-01"), ("card", 4111111111111111), ("note", "editor")],
)  # fmt: skip
def test_what_may_be_about_a_person_is_a_fingerprint(service: Server, name: str, value: Any) -> None:
    otelkit.audit("user.changed", after={name: value, "role": "editor", "members": 3, "old_status": "open"})
    after = entries(service)[0]["after"]
    assert after.pop(name).startswith("fingerprint:")
    assert after == {"role": "editor", "members": 3, "old_status": "open"}


@pytest.mark.parametrize("target", ["u-17", "User:u-17", "users:u-17", "member:u-17", "project:Jane Roe", "Jane"])
def test_whom_it_was_done_to_is_never_told_as_it_is(service: Server, target: str) -> None:
    otelkit.audit("thing.changed", target=target)
    told = entries(service)[0]["target"]
    assert not any(word in told for word in ("u-17", "Jane", "Roe"))
