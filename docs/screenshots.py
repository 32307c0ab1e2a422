"""Refresh the pictures in ``docs/images`` from the real page: ``python docs/screenshots.py``.

Starts a server with a temporary database, sends it the shop's telemetry that the browser tests use, and photographs
the page in headless Chromium. Needs the ``test`` dependency group and Debian's ``chromium``.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def _shop() -> Any:
    spec = importlib.util.spec_from_file_location("screenshot_shop", ROOT / "tests" / "browser" / "shop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _fill(server: Server, shop: Any) -> None:
    told = shop.build(time.time(), conversations=1200, minutes=119, hostile=False)
    for path, records, encode in (("/v1/traces", told.spans, encode_spans), ("/v1/logs", told.logs, encode_logs)):
        for batch in shop.batches(records):
            headers = {"Content-Type": "application/x-protobuf"}
            request = urllib.request.Request(server.url + path, encode(batch), headers)  # noqa: S310  our own server
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                answer.read()


def _pictures(shop: Any) -> list[tuple[str, str, str, tuple[int, int], bool]]:
    """Return name, address, what to wait for, size, and whether it is dark."""
    desk, phone = (1440, 1060), (390, 844)
    failed = f"/traces/?trace={shop.trace_id('conversation-1195')}"
    answered = f"/traces/?trace={shop.trace_id('conversation-1192')}"
    return [
        ("overview-light", "/", ".card", desk, False),
        ("overview-dark", "/", ".card", desk, True),
        ("traces-light", "/traces/", "a.tr", desk, False),
        ("trace-light", answered, ".msg", (1440, 860), False),
        ("trace-dark", failed, ".failure", (1440, 860), True),
        ("models-light", "/models/", "table", (1440, 620), False),
        ("logs-light", "/logs/", ".log", (1440, 760), False),
        ("overview-phone", "/", ".card", phone, False),
    ]


def _take(browser: Browser, server: Server, shop: Any) -> None:
    for name, path, waits_for, (width, height), dark in _pictures(shop):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.goto(server.url + path)
        page.locator(waits_for).first.wait_for()
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / f"{name}.png")
        context.close()
        sys.stdout.write(f"{IMAGES / name}.png\n")


def main() -> None:
    """Take every picture."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is missing: apt install chromium")
    IMAGES.mkdir(exist_ok=True)
    shop = _shop()
    with Server(ServerConfig(port=0)) as server, sync_playwright() as playwright:
        _fill(server, shop)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        _take(browser, server, shop)
        browser.close()


if __name__ == "__main__":
    main()
