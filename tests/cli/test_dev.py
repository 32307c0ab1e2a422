"""``otelkit dev -- CMD``: server and service together, content on this machine, a port that is free."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from otelkit.cli.processes import free_port
from tests.sdk.processes import HERE

DEV = [sys.executable, "-m", "otelkit.cli", "dev", "--db", ":temp:"]


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(url: str, happened: Any) -> Any:
    end = time.monotonic() + 30
    found = None
    while time.monotonic() < end:
        try:
            found = get(url)
            if happened(found):
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url}: {found}")


@pytest.mark.parametrize("content", [True, False])
def test_service_and_page_together(tmp_path: Path, content: bool) -> None:
    page, app = free_port(), free_port()
    words = [*DEV, "--port", str(page), *([] if content else ["--no-content"])]
    words += ["--", sys.executable, "-m", "uvicorn", "service:app", "--port", str(app), "--log-level", "warning"]
    environment = {**os.environ, "SERVICE_INIT": "no", "XDG_DATA_HOME": str(tmp_path)}
    process = subprocess.Popen(
        words,
        cwd=HERE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{app}/answer", lambda answer: answer["answer"] == "yes")
        found = wait_for(
            f"http://127.0.0.1:{page}/api/traces?range=all",
            lambda answer: answer["traces"] and answer["traces"][0]["models"],
        )
        trace = get(f"http://127.0.0.1:{page}/api/traces/{found['traces'][0]['trace_id']}")
        retrieval = next(span for span in trace["spans"] if span["kind"] == "retrieval")
        assert ("gen_ai.retrieval.query.text" in retrieval["attributes"]) is content
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches the whole group
        output, _ = process.communicate(timeout=30)
    assert f"page http://127.0.0.1:{page}/" in output
    assert ("prompts and answers are recorded" in output) is content
    assert "Traceback" not in output
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", page)) != 0  # the server is gone with the service


def test_a_taken_port_is_not_in_the_way_and_the_exit_status_is_the_commands(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*DEV, "--port", str(port), "--", sys.executable, "-c", "import sys; sys.exit(3)"],
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 3
    assert "page http://127.0.0.1:" in done.stderr
    assert f":{port}/" not in done.stderr
