"""Headless Chromium against the real server, holding the telemetry of :mod:`shop`.

Every view watches itself: a message on the console, an error in a script, or a request that leaves this machine fails
the test that opened it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ImportError:
    sync_playwright = None  # type: ignore[assignment]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"browser_{name}", Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


shop = _load("shop")


@dataclass
class Site:
    """A running server and what it holds."""

    server: Server
    names: Any = shop

    @property
    def url(self) -> str:
        return self.server.url

    def api(self, path: str, **params: Any) -> Any:
        """Ask the JSON API."""
        query = urllib.parse.urlencode({name: value for name, value in params.items() if value is not None})
        with urllib.request.urlopen(f"{self.url}/api/{path}?{query}", timeout=20) as answer:
            return json.load(answer)

    def send(self, spans: list[Any], logs: list[Any] | None = None) -> None:
        """Send records as an OTLP client does; they are stored when this returns."""
        for batch in shop.batches(spans):
            self._post("/v1/traces", encode_spans(batch))
        for batch in shop.batches(logs or []):
            self._post("/v1/logs", encode_logs(batch))

    def _post(self, path: str, body: bytes) -> None:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200


@dataclass
class View:
    """One browser page that keeps an eye on itself."""

    page: Page
    base: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    silent: bool = False  # set where a broken connection is what is tested: the browser itself reports those

    def open(self, path: str = "/", waits_for: str = "main h1") -> Page:
        """Go to an address of the page and wait until it has drawn something."""
        self.page.goto(self.base + path)
        self.page.locator(waits_for).first.wait_for()
        return self.page

    def check(self) -> None:
        assert self.silent or not self.console, self.console
        assert not self.foreign, self.foreign


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server with the shop's telemetry of the last two hours."""
    with Server(ServerConfig(port=0)) as server:
        running = Site(server)
        told = shop.build(time.time())
        running.send(told.spans, told.logs)
        yield running


@pytest.fixture
def empty_site() -> Iterator[Site]:
    """A server that has heard nothing yet."""
    with Server(ServerConfig(port=0)) as server:
        yield Site(server)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium; without it these tests are skipped, or fail where everything is required."""
    program = os.environ.get("OTELKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if sync_playwright is None or program is None:
        missing = "playwright (the `test` dependency group)" if sync_playwright is None else "chromium (apt install)"
        message = f"the page is NOT tested: {missing} is missing"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


OpenView = Callable[..., View]


@pytest.fixture
def view_of(chromium: Browser) -> Iterator[OpenView]:
    """Return a function that opens views: of a site, in a width, dark or light."""
    opened: list[View] = []

    def open_view(site: Site, *, width: int = 1440, height: int = 900, dark: bool = False) -> View:
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(10_000)
        page = context.new_page()
        view = View(page, site.url)
        page.on("console", lambda message: view.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: view.console.append(f"error: {error}"))
        page.on("request", lambda request: _watch(view, request.url))
        opened.append(view)
        return view

    yield open_view
    for view in opened:
        view.check()
        view.page.context.close()


@pytest.fixture
def view(view_of: OpenView, site: Site) -> View:
    """A view of the shop at 1440 pixels."""
    return view_of(site)


def _watch(view: View, url: str) -> None:
    if not url.startswith((view.base + "/", "data:", "blob:")):
        view.foreign.append(url)
