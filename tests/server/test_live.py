"""The live socket: a word after COMMIT, at most four a second, to those who may."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from server_support import Client, chat_trace
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server


def opened(server: Server, **more: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/api/live", **more)


def heard(socket: ClientConnection, timeout: float = 10.0) -> dict[str, Any]:
    return json.loads(socket.recv(timeout))  # type: ignore[no-any-return]


def test_what_is_told_is_what_the_status_says(server: Server, client: Client) -> None:
    with opened(server) as socket:
        first = heard(socket)
        assert set(first) == set(client.ask("/api/status"))
        client.send(chat_trace())
        told = heard(socket)
        assert told["revision"] > first["revision"]
        assert told["stored"]["spans"] == 4  # after COMMIT, never before


def test_words_are_put_together(server: Server, client: Client) -> None:
    with opened(server) as socket:
        heard(socket)
        end, sent = time.monotonic() + 1.5, 0
        while time.monotonic() < end:
            client.send(chat_trace())
            sent += 4
        words = []
        while not words or words[-1]["stored"]["spans"] < sent:
            words.append(heard(socket))
        assert len(words) <= 1.5 * 4 + 3
        assert sent > 40


def test_it_goes_on_in_silence(server: Server) -> None:
    with opened(server) as socket:
        heard(socket)
        assert heard(socket)["received"]["spans"] == 0


def test_a_page_that_stops_reading_holds_nobody_up(server: Server, client: Client) -> None:
    with opened(server, max_queue=1), opened(server) as reading:
        for _ in range(10):
            client.send(chat_trace())
        while heard(reading)["stored"]["spans"] < 40:
            pass


def test_a_socket_outlives_the_deadlines_of_requests() -> None:
    with Server(ServerConfig(port=0, head_seconds=0.3, request_seconds=0.3)) as server, opened(server) as socket:
        heard(socket)
        time.sleep(1)
        Client(server.url).send(chat_trace())
        while heard(socket)["stored"]["spans"] < 4:
            pass


def test_who_may_listen() -> None:
    tokens: Any = {"admin": "admin-token-0123456789", "ingest": "sender-token-012345678"}
    with Server(ServerConfig(port=0, tokens=tokens)) as server:
        for headers in ({}, {"Authorization": f"Bearer {tokens['ingest']}"}):
            with pytest.raises(InvalidStatus, match="403"):
                opened(server, additional_headers=headers)
        with opened(server, additional_headers={"Authorization": f"Bearer {tokens['admin']}"}) as socket:
            heard(socket)


def test_other_sites_are_not_let_in(server: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        opened(server, origin="https://evil.example")
    with opened(server, origin=server.url) as socket:
        heard(socket)


def test_the_server_stops_with_pages_open() -> None:
    server = Server(ServerConfig(port=0)).start()
    with opened(server) as socket:
        heard(socket)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 8
        with pytest.raises(ConnectionClosed):
            _drain(socket)


def _drain(socket: ClientConnection) -> None:
    for _ in range(100):
        heard(socket)
