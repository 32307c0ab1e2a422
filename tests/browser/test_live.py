"""What happens by itself: new telemetry, a server that goes away, and a login."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import WebSocket, expect

from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

TOKEN = "a token of sixteen"


def test_new_telemetry_appears_by_itself_and_soon(view_of: Any, empty_site: Any) -> None:
    view = view_of(empty_site)
    sockets: list[WebSocket] = []
    view.page.on("websocket", lambda socket: sockets.append(socket))
    page = view.open("/traces")
    page.wait_for_timeout(500)
    told = empty_site.names.build(time.time())
    with page.expect_response(lambda answer: "/api/traces" in answer.url, timeout=3_000):
        empty_site.send(told.spans)
    expect(page.locator("main")).to_contain_text("standing desks", timeout=3_000)
    assert len(sockets) == 1


def test_the_pulse_is_a_socket_and_not_a_question_every_second(view_of: Any, site: Any) -> None:
    view = view_of(site)
    asked: list[str] = []
    view.page.on("request", lambda request: asked.append(request.url))
    page = view.open("/")
    page.wait_for_timeout(5_000)
    assert sum("/api/status" in url for url in asked) <= 2


def test_paused_means_no_socket(view_of: Any, site: Any) -> None:
    view = view_of(site)
    sockets: list[WebSocket] = []
    view.page.on("websocket", lambda socket: sockets.append(socket))
    view.open("/?live=off").wait_for_timeout(1_000)
    assert sockets == []


def test_without_a_socket_it_asks(view_of: Any, site: Any) -> None:
    view = view_of(site)
    view.silent = True
    view.page.route_web_socket("**/api/live", lambda route: route.close())
    asked: list[str] = []
    view.page.on("request", lambda request: asked.append(request.url))
    view.open("/").wait_for_timeout(5_000)
    assert sum("/api/status" in url for url in asked) >= 2


def test_it_comes_back_after_the_server_did(view_of: Any, tmp_path: Any) -> None:
    config = ServerConfig(port=0, database=str(tmp_path / "a.db"))
    server = Server(config).start()
    view = view_of(_Site(server))
    view.silent = True
    page = view.open("/")
    port = server.port
    server.stop()
    expect(page.locator(".foot")).to_contain_text("No connection")
    again = Server(ServerConfig(port=port, database=str(tmp_path / "a.db"))).start()
    try:
        expect(page.locator(".foot")).not_to_contain_text("No connection")
    finally:
        again.stop()


def test_logging_in(view_of: Any) -> None:
    with Server(ServerConfig(port=0, tokens={"admin": TOKEN})) as server:
        view = view_of(_Site(server))
        page = view.open("/traces")
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        assert page.locator("nav").count() == 0
        view.check()  # nothing was asked that had to be refused
        view.silent = True
        field.fill("not the right token")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not a token")
        field.fill(TOKEN)
        field.press("Enter")
        expect(page.get_by_role("heading", name="Traces")).to_be_visible()
        assert TOKEN not in page.evaluate("document.cookie + JSON.stringify(localStorage) + location.href")


class _Site:
    def __init__(self, server: Server) -> None:
        self.url = server.url
