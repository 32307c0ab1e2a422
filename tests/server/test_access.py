"""Tokens, sessions and what each may do: for every route, from outside."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from server_support import Client, chat_trace
from starlette.routing import WebSocketRoute

from otelkit.errors import SettingsError
from otelkit.mapping.otlp import encode_spans
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.server.access import Access, Allowance
from otelkit.server.config import ServerConfig
from otelkit.server.intruders import Intruders
from otelkit.server.permissions import PERMISSIONS
from otelkit.server.runtime import Server

ADMIN, READER, SENDER = "admin-token-0123456789", "reader-token-012345678", "sender-token-012345678"
TOKENS: dict[str, Any] = {"admin": ADMIN, "read": READER, "ingest": SENDER}
MAY = {
    "": {"open"},
    "no-such-token-01234567": {"open"},
    SENDER: {"open", "ingest"},
    READER: {"open", "read"},
    ADMIN: set(PERMISSIONS),
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    with Server(ServerConfig(port=0, grpc_port=0, tokens=TOKENS)) as server:
        assert Client(server.url).post("/v1/traces", encode_spans(chat_trace()), **bearer(SENDER)).status == 200
        yield server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def routes(server: Server) -> list[tuple[str, str, str]]:
    """Return (method, a path that fits, permission) of every route there is."""
    found = []
    for route in server.app.routes:
        if isinstance(route, WebSocketRoute):  # see test_live
            continue
        path = re.sub(r"{[^}]*}", "0" * 16, route.path) or "/"
        for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
            found.append((method, path, route.permission))
    return found


@pytest.mark.parametrize("token", [token for token in MAY if token != "no-such-token-01234567"])
def test_every_route_asks_for_its_permission(guarded: Server, token: str) -> None:
    client = Client(guarded.url)
    for method, path, permission in routes(guarded):
        status = client.request(method, path, b"" if method != "GET" else None, **bearer(token)).status
        if permission in MAY[token]:
            assert status not in (401, 403), (method, path, status)
        else:
            assert status == (403 if token else 401), (method, path, status)


def test_a_refused_sender_is_told_in_its_own_words(guarded: Server) -> None:
    answer = Client(guarded.url).post("/v1/traces", b"")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert Status.FromString(answer.body).code == 16
    answer = Client(guarded.url).post("/v1/traces", b"{}", "application/json", **bearer(READER))
    assert (answer.status, answer.json["code"]) == (403, 7)


def test_a_browser_logs_in_and_out(guarded: Server) -> None:
    client = Client(guarded.url)
    assert client.ask("/api/access") == {"login": True, "may": ["open"]}
    answer = client.post("/api/login", b"", **bearer(READER))
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert READER not in cookie
    session = cookie.partition(";")[0]
    assert client.get("/api/traces", Cookie=session).status == 200
    assert client.get("/api/access", Cookie=session).json["may"] == ["open", "read"]
    assert client.get("/api/traces", Cookie=session[:-1] + ("0" if session[-1] != "0" else "1")).status == 401
    for forged in ("otelkit_session=admin.99999999999.ab.cd", "otelkit_session=", 'otelkit_session="', "a;;=b"):
        assert client.get("/api/traces", Cookie=forged).status == 401
    assert "otelkit_session=" in client.post("/api/logout", b"").headers["set-cookie"]
    # Senders' tokens open no pages, and another site's page cannot use the session.
    assert client.post("/api/login", b"", **bearer(SENDER)).status == 403
    assert client.get("/api/traces", Cookie=session, Origin="https://evil.example").status == 403
    assert client.get("/api/traces", Cookie=session, Origin=guarded.url).status == 200


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(TOKENS)
    session = access.open_session(ADMIN)
    assert session
    assert access.of_session(session) == set(PERMISSIONS)
    assert Access({"admin": ADMIN + "x"}).of_session(session) is None  # after the token has changed
    monkeypatch.setattr("otelkit.server.access.time.time", lambda: 4e9)
    assert access.of_session(session) is None


def test_guessing_is_slowed_down_and_senders_are_not() -> None:
    with Server(ServerConfig(port=0, tokens=TOKENS)) as server:
        client = Client(server.url)
        statuses = [client.get("/api/traces", **bearer(f"guess-{n:020}")).status for n in range(20)]
        assert statuses[0] == 401
        assert statuses[-1] == 429
        # Who holds a token is not kept out by somebody who guesses beside, or by a sender with an old one.
        assert client.get("/api/traces", **bearer(ADMIN)).status == 200
        assert client.post("/v1/traces", encode_spans(chat_trace()), **bearer(SENDER)).status == 200


def test_wrong_tokens_are_in_the_audit_trail_once_a_minute_an_address() -> None:
    salt = b"salt of the services"
    with Server(ServerConfig(port=0, tokens=TOKENS, salt=salt)) as server:
        client = Client(server.url)
        assert client.post("/api/login", b"", **bearer("guess-01234567890123")).status == 401
        client.get("/api/traces")  # shows no token: somebody who has not logged in yet
        client.post("/v1/traces", b"", **bearer("sender with an old token"))
        for n in range(20):
            client.get("/api/traces", **bearer(f"guess-{n:020}"))
        server.pipeline.run(lambda _: None).result(10)  # the writer has done what it was given before
        entries = client.get("/api/audit?actor=unknown", **bearer(ADMIN)).json["entries"]
        assert [(entry["action"], entry["after"]["wrong_tokens"]) for entry in entries] == [
            ("guesses.limited", 1),
            ("token.refused", 1),
        ]
        assert {entry["target"] for entry in entries} == {f"client:{Pseudonymiser(salt)('client', '127.0.0.1')}"}
        assert {entry["outcome"] for entry in entries} == {"denied"}
        assert "127.0.0.1" not in str(entries)
        assert "guess-0" not in str(entries)


def test_strangers_cannot_fill_the_audit_trail(guarded: Server) -> None:
    now = [0.0]
    told = Intruders(guarded.pipeline.run, Pseudonymiser(b"salt of this test"), lambda: now[0])
    for number in range(30_000):
        told.saw(f"client {number}", "token.refused")
    client = Client(guarded.url)

    def total() -> int:
        guarded.pipeline.run(lambda _: None).result(10)  # the writer has done what it was given before
        return int(client.get("/api/audit?action=token.refused&actor=unknown", **bearer(ADMIN)).json["total"])

    first = total()
    assert 20 <= first <= 21  # one may be of another test
    assert len(told._seen) == 10_000
    now[0] += 3_600
    for _ in range(100):
        told.saw("client 29999", "token.refused")
        now[0] += 1
    assert total() == first + 2
    newest, second = client.get("/api/audit?action=token.refused&limit=2", **bearer(ADMIN)).json["entries"]
    assert (newest["after"]["wrong_tokens"], second["after"]["others_untold"]) == (60, 29_980)
    assert client.get("/api/audit/verify", **bearer(ADMIN)).json["whole"]


def test_an_allowance_fills_up_again_and_forgets() -> None:
    now = [0.0]
    allowance = Allowance(rate=2, burst=3, clock=lambda: now[0])
    assert [allowance.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowance.take("b")
    now[0] = 0.5
    assert [allowance.take("a") for _ in range(2)] == [True, False]
    for number in range(20_000):
        allowance.take(str(number))
    assert len(allowance._left) <= 10_000


def test_grpc_asks_for_a_token_too(guarded: Server) -> None:
    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    with grpc.insecure_channel(f"127.0.0.1:{guarded.grpc_port}") as channel:
        export = channel.unary_unary(method)
        for token, code in (("", "UNAUTHENTICATED"), ("x" * 30, "UNAUTHENTICATED"), (READER, "PERMISSION_DENIED")):
            metadata = (("authorization", f"Bearer {token}"),) if token else ()
            with pytest.raises(grpc.RpcError) as refused:
                export(b"", timeout=20, metadata=metadata)
            assert refused.value.code().name == code
        assert export(b"", timeout=20, metadata=(("authorization", f"Bearer {SENDER}"),)) == b""


def test_other_addresses_need_a_token() -> None:
    with pytest.raises(SettingsError, match="OTELKIT_TOKEN"):
        Server(ServerConfig(host="0.0.0.0", port=0))
    with pytest.raises(SettingsError, match="OTELKIT_TOKEN"):
        Server(ServerConfig(host="0.0.0.0", port=0, tokens={"ingest": SENDER}))
    with pytest.raises(SettingsError, match="16 characters"):
        Server(ServerConfig(port=0, tokens={"admin": "short"}))
    with Server(ServerConfig(host="0.0.0.0", port=0, tokens=TOKENS)) as server:
        client = Client(f"http://127.0.0.1:{server.port}")
        assert client.get("/api/traces", Host="telemetry.internal", **bearer(READER)).status == 200
        assert client.get("/api/traces", Host="telemetry.internal").status == 401


def test_tokens_are_not_shown(guarded: Server) -> None:
    shown = repr(guarded.config) + Client(guarded.url).get("/api/status", **bearer(READER)).body.decode()
    assert not [token for token in TOKENS.values() if token in shown]


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with Server(ServerConfig(port=0, grpc_port=0, tls=(certificate, key))) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        assert server.url.startswith("https://")
        client = Client(server.url, context)
        client.send(chat_trace())
        assert client.ask("/api/traces")["total"] == 1
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{server.grpc_port}", trusted) as channel:
            assert (
                channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(b"", timeout=20) == b""
            )
