"""``otelkit alerts`` gives one clear error where Alertmanager does not answer well; the rest is in tests/stack."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otelkit.cli.main import main
from otelkit.cli.processes import free_port

ADDRESS = "OTELKIT_ALERTMANAGER_URL"
MUTE = ("mute", "--for", "2h", "--reason", "move")


@contextmanager
def answering(status: int, body: str, kind: str = "application/json") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that says the same to everybody, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(content or "null")})
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What it says on the one line of an error."""
    assert main(["alerts", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_no_alertmanager(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(ADDRESS, f"http://ada:secret-word@127.0.0.1:{free_port()}")
    for words in (("list",), ("muted",), MUTE, ("unmute", "x")):
        said = failure(capsys, *words)
        assert "no Alertmanager answers at http://…@127.0.0.1:" in said
        assert "connection refused" in said
        assert ADDRESS in said
        assert "secret-word" not in said


@pytest.mark.parametrize("status", [401, 403])
def test_not_let_in(status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(status, "no") as (address, _):
        monkeypatch.setenv(ADDRESS, f"http://{address}")
        assert f"refuses (HTTP {status}): set OTELKIT_ALERTMANAGER_TOKEN" in failure(capsys, *MUTE)


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>a page</html>"), (200, '{"status": "ok"}'), (404, "not found"), (200, "[1]")]
)
def test_something_else(
    status: int, body: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(status, body, "text/html") as (address, _):
        monkeypatch.setenv(ADDRESS, f"http://{address}")
        assert "is no Alertmanager" in failure(capsys, "list")


def test_what_it_does_not_take(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(400, '"bad matcher\\n  here"') as (address, _):
        monkeypatch.setenv(ADDRESS, f"http://{address}")
        assert failure(capsys, *MUTE).endswith("says (HTTP 400): bad matcher here\n")


def test_who_mutes_and_how_it_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    with answering(200, "[]") as (address, asked):
        assert main(["alerts", "list", "--alertmanager", f"http://bob:p%40ss@{address}/under"]) == 0
        monkeypatch.setenv("OTELKIT_ALERTMANAGER_TOKEN", "0123456789abcdef")
        assert main(["alerts", "muted", "--alertmanager", f"http://{address}"]) == 0
        assert main(["alerts", *MUTE, "--alertmanager", f"http://{address}"]) == 2  # a list is no silence
    assert asked[0]["path"] == "/under/api/v2/alerts"
    assert asked[0]["headers"]["authorization"] == "Basic Ym9iOnBAc3M="
    assert asked[1]["headers"]["Authorization"] == "Bearer 0123456789abcdef"
    silence = asked[2]["body"]
    assert silence["createdBy"].startswith("ada@")
    assert silence["comment"] == "move"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mute", "--reason", "x"), "--for"),
        (("mute", "--for", "2h"), "--reason"),
        (("mute", "--for", "soon", "--reason", "x"), "'soon' is no time: write 30m, 2h, 1d or 2w"),
        (("mute", "--for", "forever", "--reason", "x"), "'forever' is no time"),
        (("mute", "--for", "2h", "--reason", "x", "--category", "moods"), "moods"),
        (("list", "--alertmanager", "localhost:9093"), "http://"),
    ],
)
def test_wrong_words(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["alerts", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_empty_reason_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, '{"silenceID": "x"}') as (address, asked):
        said = failure(capsys, "mute", "--for", "2h", "--reason", "  ", "--alertmanager", f"http://{address}")
    assert "--reason is empty" in said
    assert not asked
