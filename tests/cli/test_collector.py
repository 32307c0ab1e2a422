"""``otelkit collector``: files out, faults in one clear line, and nothing started that would be open or lose data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit.cli.main import main
from otelkit.provision.collector.options import Options, described
from otelkit.provision.collector.profiles import render


@pytest.fixture(autouse=True)
def no_collector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def test_render_prints_a_file_or_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector", "render"]) == 0
    assert capsys.readouterr().out == render("standard")["standard.yaml"]
    assert main(["collector", "render", "--profile", "gateway", "--output", str(tmp_path / "deploy")]) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "deploy").iterdir()} == render("gateway")


def test_every_option_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["collector", "render", "--help"])
    shown = capsys.readouterr().out
    assert [row[0] for row in described()] == list(Options.__dataclass_fields__)
    assert all(f"  {name} " in shown and meaning in shown for name, _, meaning, _ in described())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "big"], "there is no profile big; there are dev, standard, gateway"),
        (["--set", "slow"], "--set slow: write name=value"),
        (["--set", "fast=1"], "there is no option fast; there are public"),
        (["--set", "slow=5s"], "slow is an option of gateway, not of standard"),
        (["--profile", "gateway", "--set", "slow=soon"], "slow must be a duration such as 500ms, 30s or 4m"),
        (["--profile", "gateway", "--set", "decision_wait=0s"], "decision_wait must be a duration such as"),
        (["--profile", "gateway", "--set", "keep=101"], "keep must be a number from 0 to 100"),
        (["--profile", "gateway", "--set", "output_tokens=many"], "output_tokens must be a whole number from 1"),
        (["--profile", "gateway", "--set", "kafka=true", "--set", "loadbalancing=true"], "choose one"),
        (["--set", "server=some"], "server must be one of ai, all, off"),
        (["--set", "auth=loki,printer"], "auth must be names among loki, traces, server, remote_write"),
        (["--set", "auth=remote_write"], "auth=remote_write needs remote_write=true"),
        (["--set", "file_log=maybe"], "file_log must be true or false"),
    ],
)
def test_a_wrong_option_is_one_clear_error(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector", "render", *words]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told


def test_validate_says_where_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(render("standard")["standard.yaml"])
    assert main(["collector", "validate", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{path}: valid, by otelkit's checks\n"
    assert "otelkit collector build" in shown.err
    path.write_text(path.read_text().replace("${env:OTELKIT_COLLECTOR_HOST:-127.0.0.1}", "0.0.0.0"))
    assert main(["collector", "validate", str(path)]) == 1
    assert f"{path}: line " in capsys.readouterr().out
    assert main(["collector", "validate", str(tmp_path / "gone.yaml")]) == 2
    assert "gone.yaml cannot be read: No such file" in capsys.readouterr().err


def test_run_refuses_a_file_that_is_open_to_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(render("dev")["dev.yaml"].replace("${env:OTELKIT_COLLECTOR_HOST:-127.0.0.1}", "0.0.0.0"))
    assert main(["collector", "run", "--config", str(path)]) == 1
    assert "anybody who reaches 0.0.0.0 can send to it" in capsys.readouterr().err


def test_run_names_what_must_be_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTELKIT_COLLECTOR_TLS_KEY", "key.pem")
    assert main(["collector", "run", "--profile", "gateway"]) == 2
    told = capsys.readouterr().err
    assert "OTELKIT_COLLECTOR_TOKEN (What senders must show), OTELKIT_COLLECTOR_TLS_CERTIFICATE (" in told
    assert "TLS_KEY" not in told


def test_run_without_a_collector_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTELKIT_COLLECTOR_TOKEN", "of the gateway")
    assert main(["collector", "run", "--profile", "agent"]) == 2
    assert "`otelkit collector build` makes one" in capsys.readouterr().err


def test_run_says_which_port_is_taken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("OTELKIT_COLLECTOR_HTTP_PORT", str(port))
        assert main(["collector", "run", "--program", sys.executable]) == 2
    assert f"port {port} is taken; OTELKIT_COLLECTOR_HTTP_PORT names another" in capsys.readouterr().err


def test_build_without_go_says_what_to_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector", "build", "--output", str(tmp_path / "otelcol")]) == 2
    assert "Go 1.26 or newer" in capsys.readouterr().err
    assert not (tmp_path / "otelcol").exists()


@pytest.mark.parametrize("said", ["go version go1.22.1 linux/amd64", ""])
def test_build_with_an_old_go_says_which_is_needed(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(f"#!/bin/sh\necho {said.split(' ')[2] if said else ''}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(go.parent))
    assert main(["collector", "build", "--output", str(tmp_path / "otelcol")]) == 2
    assert "Go 1.26 or newer; this is" in capsys.readouterr().err


def test_a_step_of_the_build_that_fails_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && { echo go1.26.0; exit 0; }\necho "no space left on device" >&2; exit 1\n'
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert main(["collector", "build", "--output", str(tmp_path / "otelcol")]) == 2
    told = capsys.readouterr().err
    assert "`go run go.opentelemetry.io" in told
    assert "no space left" in told
    assert not (tmp_path / "otelcol").exists()


def test_a_manifest_that_is_none_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "builder.yaml"
    path.write_text("receivers: []\n")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho go1.27.0\n")
    go.chmod(0o755)
    command = [sys.executable, "-m", "otelkit.cli", "collector", "build", "--manifest", str(path)]
    environment = {**os.environ, "PATH": f"{go.parent}{os.pathsep}/bin{os.pathsep}/usr/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == f"otelkit collector: {path} is no manifest of the Collector's builder: it has no `dist`\n"
