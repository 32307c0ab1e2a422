"""Every file is taken by the real program, and a log file read by it gives what OTLP gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest

from otelkit.cli.main import main
from otelkit.model import LogRecord
from otelkit.provision.collector.options import Options, parsed
from otelkit.provision.collector.profiles import PROFILES, render
from otelkit.provision.collector.variables import VARIABLES
from otelkit.testing.otlp_sink import OtlpSink
from tests.stack.collector_support import rig
from tests.stack.parts import program
from tests.stack.running import COMMITTED, until

pytestmark = pytest.mark.stack

CHOICES = {
    "dev": ("public=true", "token=true", "tls=false", "file_log=true"),
    "standard": (
        "public=true", "auth=loki,traces,server", "server=all", "derived=false", "names=both",
        "file_log=true", "remote_write=true", "cloud_logs=true",
    ),
    "gateway": (
        "tls=false", "auth=loki,traces,server,remote_write", "server=off", "derived=false", "names=latest",
        "file_log=true", "cloud_logs=true", "kafka=true", "decision_wait=30s", "slow=1s",
    ),
}  # fmt: skip
WORDS = [(profile, pair) for profile, words in CHOICES.items() for pair in combinations(words, 2)]


def valid(path: Path, folder: Path) -> None:
    """Fail when the program refuses a file; what has no default is set."""
    told = {entry.name: f"http://{entry.name.lower()}" for entry in VARIABLES if not entry.default}
    environment = {"PATH": os.environ["PATH"], "OTELKIT_COLLECTOR_QUEUES": str(folder / "queues"), **told}
    command = [str(program("otelcol-otelkit")), "validate", "--config", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((COMMITTED / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_program_takes_every_committed_file(path: Path, tmp_path: Path) -> None:
    valid(path, tmp_path)


@pytest.mark.parametrize(
    ("profile", "words"), WORDS, ids=lambda value: value if isinstance(value, str) else "+".join(value)
)
def test_the_program_takes_every_pair_of_options(profile: str, words: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in render(profile, parsed(words, profile)).items():
        (tmp_path / name).write_text(text)
        valid(tmp_path / name, tmp_path)


@pytest.mark.parametrize("profile", CHOICES)
def test_the_program_takes_all_options_at_once(profile: str, tmp_path: Path) -> None:
    for name, text in render(profile, parsed(CHOICES[profile], profile)).items():
        (tmp_path / name).write_text(text)
        valid(tmp_path / name, tmp_path)


def test_every_option_the_program_can_run_is_tried() -> None:
    tried = {word.partition("=")[0] for words in CHOICES.values() for word in words}
    numbers = {"root_wait", "expensive", "output_tokens", "keep", "traces_held"}  # as decision_wait and slow are
    only_rendered = {"elasticsearch", "loadbalancing"}
    assert tried == set(Options.__dataclass_fields__) - numbers - only_rendered
    assert set(CHOICES) == set(PROFILES)


def test_validate_asks_the_program_and_says_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    text = (COMMITTED / "config" / "standard.yaml").read_text()
    path.write_text(text)
    asked = ["collector", "validate", str(path), "--program", str(program("otelcol-otelkit"))]
    assert main(asked) == 0
    assert "valid, by otelkit and otelcol-otelkit" in capsys.readouterr().out
    path.write_text(text.replace("check_interval: 1s", "check_interval: soon"))
    assert main(asked) == 1
    assert "invalid duration" in capsys.readouterr().out


def test_validate_asks_about_the_file_and_names_what_is_not_set_here(capsys: pytest.CaptureFixture[str]) -> None:
    path = COMMITTED / "config" / "gateway.yaml"
    assert main(["collector", "validate", str(path), "--program", str(program("otelcol-otelkit"))]) == 0
    assert "note: OTELKIT_COLLECTOR_TOKEN is not set here" in capsys.readouterr().out


def test_run_is_the_collector_and_ends_with_its_signal(tmp_path: Path) -> None:
    told = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    for name in ("HTTP", "GRPC", "PROMETHEUS", "METRICS", "HEALTH"):
        from otelkit.cli.processes import free_port

        told[f"OTELKIT_COLLECTOR_{name}_PORT"] = str(free_port())
    command = [sys.executable, "-m", "otelkit.cli", "collector", "run", "--program", str(program("otelcol-otelkit"))]
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(6)]
        assert told["OTELKIT_COLLECTOR_HTTP_PORT"] in "".join(said)
        until(lambda: "Everything is ready" in running.stdout.readline(), 20, "it is ready")  # type: ignore[union-attr]
        running.terminate()
        running.stdout.read()
        assert running.wait(20) == 0
    assert (tmp_path / "otelkit" / "collector" / "queues").is_dir()


# --- log files ---------------------------------------------------------------------------------------------------

_SERVICE = """
import logging, sys
import otelkit

otelkit.init(service="shop", log_file="app.jsonl", log_fields=sys.argv[1])
log = logging.getLogger("shop.orders")

@otelkit.traced_tool
def work():
    log.warning("slow %s of jane@example.com", "order", extra={"order": 5, "ratio": 0.5, "paid": True, "tags": ["a"], "of": {"n": 1}})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("broke")

with otelkit.session(user_id="u-17", group_id="acme", conversation_id="c-1", consent=["analytics.usage_patterns"]):
    work()
log.info("started")
log.critical("ended")
otelkit.flush()
"""  # noqa: E501
# What a line does not hold; see the receiver's documentation.
_OTLP_ONLY = ("code.", "otelkit.error.")


def comparable(record: LogRecord) -> dict[str, object]:
    attributes = {key: value for key, value in record.attributes.items() if not key.startswith(_OTLP_ONLY)}
    return {
        "body": record.body, "severity": (record.severity, record.severity_text), "milliseconds": record.time // 10**6,
        "trace": (record.trace_id, record.span_id), "scope": record.scope.name, "attributes": attributes,
        "service": record.resource.attributes["service.name"],
    }  # fmt: skip


@pytest.mark.parametrize("fields", ["otel", "classic"])
def test_a_log_file_gives_what_otlp_gives(tmp_path: Path, fields: str) -> None:
    with OtlpSink() as sink:
        told = {**os.environ, "OTELKIT_ENDPOINT": sink.address}
        subprocess.run([sys.executable, "-c", _SERVICE, fields], cwd=tmp_path, env=told, check=True, timeout=60)
        direct = [record for record in sink.logs if record.scope.name == "shop.orders"]
    assert len(direct) == 4
    with rig(
        tmp_path, "standard.yaml", "file_log=true", LOG_FILE=str(tmp_path / "app.jsonl"), LOG_SERVICE="shop"
    ) as run:

        def read() -> list[LogRecord]:
            return [record for record in run.loki.logs if record.scope.name == "shop.orders"]

        until(lambda: len(read()) == 4, 20, "the lines are read")
        assert list(map(comparable, read())) == list(map(comparable, direct))


def test_other_lines_are_kept_and_a_file_is_read_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    path.write_text('not json\n{"level": "info", "msg": "somebody else\'s"}\n')
    with rig(tmp_path, "standard.yaml", "file_log=true", LOG_FILE=str(path)) as running:
        until(lambda: len(running.loki.logs) == 2, 20, "both lines are read")
        first, second = running.loki.logs
        assert first.body == "not json"
        assert json.loads(str(second.body)) == {"level": "info", "msg": "somebody else's"}
        running.collector.stop()
        with path.open("a") as file:
            file.write("written while it was down\n")
        running.collector.start()
        until(lambda: len(running.loki.logs) == 3, 20, "the new line is read")
        time.sleep(0.5)
        assert [record.body for record in running.loki.logs][2:] == ["written while it was down"]
