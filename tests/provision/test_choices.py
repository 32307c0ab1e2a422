"""What a team chooses in a file or with --set is what is written; what is wrong is one error that says where."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.cli.main import main
from otelkit.errors import SettingsError
from otelkit.provision import compose, tree
from otelkit.provision.alertmanager.options import Channels, Email, Slack, Webhook, Window
from otelkit.provision.alerts.definition import Category
from otelkit.provision.choices import Choices, load
from otelkit.provision.example import example
from otelkit.provision.kinds import Kind
from otelkit.provision.reading import sections
from tests.stack.parts import program

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "provision.md"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The name of a file in the current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return Path("provision.toml")


def chosen(file: Path, text: str, *words: str) -> Choices:
    file.write_text(text, "utf-8")
    return load(file, words)


def refused(file: Path, text: str, *words: str) -> str:
    with pytest.raises(SettingsError) as raised:
        chosen(file, text, *words)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def uncommented(text: str) -> str:
    return re.sub(r"^#(?! )", "", text, flags=re.MULTILINE)


# --- what is chosen ------------------------------------------------------------------------------------------------


def test_nothing_chosen_is_what_is_committed(file: Path) -> None:
    assert load() == chosen(file, "") == Choices()
    assert tree.files(Choices()) == tree.files()


def test_every_kind_of_value_is_read_from_a_file(file: Path) -> None:
    made = chosen(
        file,
        """
        [alerts.thresholds]
        error_share = 0.03
        llm_p95 = 20
        min_requests = 5
        [alerts.links]
        grafana = "https://g.example/grafana"
        runbooks = "/srv/alerts.md"
        [alertmanager.slack]
        channel = "#alerts"
        [alertmanager.email]
        to = "a@shop.example, b@shop.example"
        sender = "c@shop.example"
        server = "[::1]:25"
        require_tls = false
        [alertmanager.webhook]
        url_file = "/run/secrets/hook"
        [alertmanager.desks.security.webhook]
        url = "http://127.0.0.1:9095/alerts?a=%20b"
        [alertmanager.heartbeat]
        url = "https://dead-man.example"
        [alertmanager.intervals]
        quiet = "1h30m"
        critical_gather = "0s"
        [[alertmanager.windows]]
        start = "02:00"
        end = "04:00"
        days = ["Monday:friday", "sunday"]
        [[alertmanager.windows]]
        start = "22:00"
        end = "24:00"
        zone = "Europe/Berlin"
        critical = true
        [collector.standard]
        auth = ["loki", "server"]
        names = "both"
        [collector.gateway]
        slow = "5s"
        keep = 12.5
        output_tokens = 100
        kafka = true
        """,
    )
    thresholds, told, collector = made.alerts.thresholds, made.alertmanager, made.collector
    assert (thresholds.error_share, thresholds.llm_p95, thresholds.min_requests) == (0.03, 20.0, 5)
    assert thresholds == dataclasses.replace(Choices().alerts.thresholds, error_share=0.03, llm_p95=20, min_requests=5)
    assert made.alerts.links.grafana == "https://g.example/grafana"
    assert made.alerts.links.runbooks == "/srv/alerts.md"
    assert told.slack == Slack(channel="#alerts")
    assert told.email == Email(
        to="a@shop.example, b@shop.example", sender="c@shop.example", server="[::1]:25", require_tls=False
    )
    assert told.webhook == Webhook(url_file="/run/secrets/hook")
    assert told.desks == {Category.SECURITY: Channels(webhook=Webhook(url="http://127.0.0.1:9095/alerts?a=%20b"))}
    assert told.heartbeat == Webhook(url="https://dead-man.example")
    assert (told.intervals.quiet, told.intervals.critical_gather, told.intervals.gather) == ("1h30m", "0s", "30s")
    assert told.windows == (
        Window(start="02:00", end="04:00", days=("monday:friday", "sunday")),
        Window(start="22:00", end="24:00", zone="Europe/Berlin", critical=True),
    )
    assert (collector.standard.auth, collector.standard.names) == (("loki", "server"), "both")
    gateway = collector.gateway
    assert (gateway.slow, gateway.keep, gateway.output_tokens, gateway.kafka) == ("5s", 12.5, 100, True)
    assert collector.dev == Choices().collector.dev


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("alerts.thresholds.error_share=0.03", 0.03),
        ("alerts.thresholds.min_requests= 5 ", 5),
        ("alerts.links.grafana=https://g.example/?a=b", "https://g.example/?a=b"),
        ("alertmanager.slack.channel=#on-call", "#on-call"),
        ("alertmanager.intervals.quiet=30m", "30m"),
        ("collector.standard.auth=loki,server", ("loki", "server")),
        ("collector.gateway.kafka=yes", True),
    ],
)
def test_a_word_chooses_one_thing_and_wins_over_the_file(file: Path, word: str, value: object) -> None:
    text = """
        [alerts]
        thresholds = {error_share = 0.5, error_share_critical = 0.6, llm_p95 = 7}
        [alertmanager.slack]
        channel = "#alerts"
    """
    found: Any = chosen(file, text, word)
    assert found.alerts.thresholds.llm_p95 == 7, "what no word names stays"
    for name in word.partition("=")[0].split("."):
        found = getattr(found, name)
    assert found == value


# --- what is refused -----------------------------------------------------------------------------------------------

_SHARE = "[alerts.thresholds]\nerror_share = {}"
_SECRET = "xoxb-1234567890-secret"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_SHARE.format("1.5"), "alerts.thresholds.error_share is a number, but must be a number from 0 to 1"),
        (_SHARE.format("nan"), "error_share is a number, but must be a number from 0 to 1"),
        (_SHARE.format("true"), "error_share is true, but must be a number from 0 to 1"),
        (_SHARE.format('"0.5"'), "error_share is text of length 3, but must be a number from 0 to 1"),
        (_SHARE.format("[0.5]"), "error_share is a list, but must be a number"),
        (_SHARE.format("{a = 1}"), "error_share is a section, but must be a number"),
        (_SHARE.format("2026-01-01"), "error_share is something else, but must be a number"),
        (_SHARE.format("0.2"), "provision.toml: alerts.thresholds: error_share is above error_share_critical"),
        ("[alerts.thresholds]\nllm_p95 = inf", "llm_p95 is a number, but must be a number from 0 up"),
        ("[alerts.thresholds]\nmin_requests = 0", "min_requests is a number, but must be a whole number from 1 up"),
        ("[alerts.thresholds]\nmin_requests = 2.0", "min_requests is a number, but must be a whole number from 1 up"),
        ("[alerts.links]\ngrafana = 'g.example'", "grafana is text of length 9, but must be an address with http"),
        ("[alerts.links]\ngrafana = 'https://a:b@g.example'", "but must be an address"),
        ("[alerts.links]\ngrafana = 'https://g.example/{{.}}'", "but must be an address"),
        ("[alerts.links]\nrunbooks = 'https://a:b@g.example/x'", "but must be an address without a user"),
        ("[alertmanager.slack]", "provision.toml: alertmanager.slack needs channel"),
        ("[alertmanager.slack]\nchannel = ''", "channel is empty, but must be text on one line"),
        ("[alertmanager.slack]\nchannel = 'a\\nb'".replace("'", '"'), "but must be text on one line"),
        ("[alertmanager.slack]\nchannel = '{{ .x }}'", "but must be text on one line, without {{"),
        ("[alertmanager.slack]\nchannel='#a'\nurl_file = 'https://hooks.example/x'", "must be the path of a file"),
        ("[alertmanager.email]\nto = 'ops'", "to is text of length 3, but must be e-mail addresses"),
        ("[alertmanager.email]\nto = 'a@b.c'", "provision.toml: alertmanager.email needs sender and server"),
        ("[alertmanager.email]\nserver = 'smtp.example'", "server is text of length 12, but must be a host and port"),
        ("[alertmanager.webhook]", "alertmanager.webhook: needs url or url_file, one of them"),
        ("[alertmanager.webhook]\nurl = 'http://a'\nurl_file = '/b'", "needs url or url_file, one of them"),
        ("[alertmanager.desks.security]", "alertmanager: desks.security has no channel"),
        ("[alertmanager.desks.sec]", "alertmanager.desks.sec does not exist; there are requests, llm, "),
        ("[alertmanager.desks.securty]", "did you mean alertmanager.desks.security?"),
        ("[alertmanager.desks]\ncost = 5", "alertmanager.desks.cost is a number, but must be a section"),
        ("[alertmanager.intervals]\nquiet = '0s'", "quiet is text of length 2, but must be a duration such as"),
        ("[alertmanager.intervals]\nquiet = '1h soon'", "quiet is text of length 7, but must be a duration"),
        ("[alertmanager.intervals]\nquiet = 60", "quiet is a number, but must be a duration"),
        ("[alertmanager.windows]", "windows is a section, but must be a list in a file: [[alertmanager.windows]]"),
        ("[[alertmanager.windows]]\nstart = '02:00'", "provision.toml: alertmanager.windows#1 needs end"),
        ("[[alertmanager.windows]]\nstart='22:00'\nend='04:00'", "windows#1: start must be before end; over midnight"),
        ("[[alertmanager.windows]]\nstart='2 am'", "windows#1.start is text of length 4, but must be a time of day"),
        ("[[alertmanager.windows]]\ndays=['friday:monday']", "windows#1.days is a list, but must be names among"),
        ("[[alertmanager.windows]]\ndays=[1]", "windows#1.days is a list, but must be names among"),
        ("[[alertmanager.windows]]\nzone='Berlin'", "zone is text of length 6, but must be a time zone such as"),
        ("[collector.standard]\nauth = ['printer']", "auth is a list, but must be names among loki, traces"),
        ("[collector.standard]\nserver = 'some'", "server is text of length 4, but must be one of ai, all, off"),
        ("[collector.standard]\nauth = ['remote_write']", "collector: standard: auth=remote_write needs remote_write"),
        ("[collector.standard]\nfile_log = 1", "file_log is a number, but must be true or false"),
        ("[collector.gateway]\nkafka = true\nloadbalancing = true", "collector: gateway: kafka and loadbalancing are"),
        ("[collector.standard]\nslow = '5s'", "did you mean collector.gateway.slow?"),
        ("[alerts.thresholds]\nerror_shar = 0.1", "did you mean alerts.thresholds.error_share?"),
        ("error_share = 0.1", "error_share does not exist; did you mean alerts.thresholds.error_share?"),
        ("[alert.thresholds]", "alert does not exist; did you mean alerts? there are alerts, alertmanager, collector"),
        ("alerts = 5", "provision.toml: alerts is a number, but must be a section: [alerts]"),
        ('"a\\nb" = 1', "provision.toml: … does not exist"),
        ("[alerts", "provision.toml is no valid TOML: "),
        (f"a = {'[' * 5000}", "provision.toml is no valid TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_file_place_and_what_is_allowed(file: Path, text: str, says: str) -> None:
    told = refused(file, text)
    assert told.startswith("provision.toml")
    assert says in told


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("alerts.thresholds.error_share", "--set alerts.thresholds.error_share: write section.option=value"),
        ("error_share=1", "--set error_share: write section.option=value"),
        ("alerts.thresholds.error_share=2", "--set alerts.thresholds.error_share is text of length 1, but must be"),
        ("alerts.thresholds.error_share=", "--set alerts.thresholds.error_share is empty, but must be a number"),
        ("alerts.thresholds.eror_share=1", "--set alerts.thresholds.eror_share does not exist; did you mean"),
        ("alert.links.grafana=x", "--set alert does not exist; did you mean alerts?"),
        ("alertmanager.slack=x", "--set alertmanager.slack is text of length 1, but must be a section"),
        ("alertmanager.slack.url_file=/x", "--set alertmanager.slack needs channel"),
        ("alertmanager.windows.start=02:00", "windows is no section; lists stand in a file"),
        ("alerts.thresholds.near.x=1", "--set alerts.thresholds.near.x: near is no section"),
        ("alertmanager.heartbeat.url=ftp://x", "--set alertmanager.heartbeat.url is text of length 7, but must be"),
    ],
)
def test_a_wrong_word_says_so(file: Path, word: str, says: str) -> None:
    text = "[alerts.thresholds]\nnear = 0.7\n[[alertmanager.windows]]\nstart = '02:00'\nend = '04:00'\n"
    assert says in refused(file, text, word)


def test_no_error_repeats_a_value_whatever_the_option(file: Path) -> None:
    tried = 0
    for section in sections(Choices):
        for name in section.options:
            if section.place.startswith("alertmanager.windows"):
                continue  # a list; its options are tried above
            place = f"{section.place}.{name}"
            for value in (f" {_SECRET}\n", f"https://me:{_SECRET}@x.example/{{{{"):
                told = ""
                try:
                    load(None, [f"{place}={value}\0"])
                except SettingsError as error:
                    told = str(error)
                assert place in told, "a zero byte is in no value"
                assert "secret" not in told
                tried += 1
    assert tried > 150


def test_a_file_that_is_not_there_is_one_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provision", "--config", "gone.toml"]) == 2
    assert capsys.readouterr().err == "otelkit provision: gone.toml cannot be read: No such file or directory\n"
    assert not Path("collector").exists()


def test_nothing_is_written_where_a_choice_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[alertmanager.slack]\nchanel = '#alerts'")
    assert main(["provision"]) == 2
    assert capsys.readouterr().err == (
        "otelkit provision: provision.toml: alertmanager.slack.chanel does not exist; "
        "did you mean alertmanager.slack.channel? there are channel, url_file\n"
    )
    assert not Path("collector").exists()


# --- what is written -----------------------------------------------------------------------------------------------


def test_choices_reach_rules_messages_dashboards_and_the_collector(file: Path) -> None:
    made = tree.files(
        chosen(
            file,
            """
            [alerts]
            thresholds.disk_share = 0.5
            links = {grafana = "https://g.example", runbooks = "https://d.example/a"}
            [alertmanager.slack]
            channel = "#alerts"
            [collector.standard]
            names = "latest"
            public = true
            [collector.gateway]
            slow = "7s"
            """,
        )
    )
    committed = tree.files()
    differing = {path for path in committed if made[path] != committed[path]}
    assert "> 0.5" in made["prometheus/rules/alerts-system.yaml"]
    assert "dashboard: https://g.example/d/otelkit-system" in made["prometheus/rules/alerts-system.yaml"]
    assert '"query": "https://d.example/a"' in made["grafana/dashboards/otelkit-api.json"]
    assert 'channel: "#alerts"' in made["alertmanager/alertmanager.yml"].replace("'", '"')
    assert "threshold_ms: 7000" in made["config/gateway.yaml"]
    assert made["config/standard.yaml"] != committed["config/standard.yaml"]
    assert "0.0.0.0" not in made["config/compose.yaml"], "what needs more than the file does not reach the containers"
    assert made["config/compose.yaml"] != committed["config/compose.yaml"], "the names do"
    assert {path.split("/")[0] for path in differing} == {"prometheus", "alertmanager", "grafana", "config"}
    assert "config/dev.yaml" not in differing
    assert set(made) == set(committed)


def test_containers_need_no_token_for_a_server_that_is_off() -> None:
    off = compose.files(load(None, ["collector.standard.server=off"]).collector.standard)
    assert "TOKEN" in compose.files()["config/compose.yaml"]
    assert "TOKEN" not in off["config/compose.yaml"]


def test_check_compares_with_what_is_chosen(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provision"]) == 0
    assert "nobody is told of alerts" in capsys.readouterr().out
    assert main(["provision", "--check"]) == 0
    assert main(["provision", "--check", "--set", "alerts.thresholds.disk_share=0.5"]) == 1
    assert capsys.readouterr().out == "differs: collector/prometheus/rules/alerts-system.yaml\n"
    file.write_text("[alertmanager.slack]\nchannel = '#alerts'")
    assert main(["provision", "--check"]) == 1, "the file of the folder is read without being named"
    assert capsys.readouterr().out == "differs: collector/alertmanager/alertmanager.yml\n"
    assert main(["provision"]) == 0
    told = capsys.readouterr().out
    assert "with the choices of provision.toml, 1 of them new or changed" in told
    assert "nobody" not in told
    assert main(["provision", "--check"]) == 0
    file.rename("other.toml")
    assert main(["provision", "--check"]) == 1
    assert main(["provision", "--check", "--config", "other.toml"]) == 0


def test_a_folder_called_like_the_file_is_not_read(file: Path) -> None:
    file.mkdir()
    assert main(["provision"]) == 0


# --- the example ---------------------------------------------------------------------------------------------------


def test_the_example_is_printed_and_is_the_one_of_the_docs(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert main(["provision", "--list"]) == 0
    printed = capsys.readouterr().out
    assert printed == example()
    assert f"```toml\n{printed}```\n" in _PAGE.read_text("utf-8")
    assert not Path("collector").exists()


def test_the_example_chooses_nothing_and_uncommented_it_has_every_option_with_its_default(file: Path) -> None:
    assert chosen(file, example()) == Choices()
    made = chosen(file, uncommented(example()))
    assert made.alerts == Choices().alerts
    assert made.collector == Choices().collector
    assert made.alertmanager.intervals == Choices().alertmanager.intervals
    channels = (made.alertmanager.slack, made.alertmanager.email, made.alertmanager.webhook)
    assert all(channels)
    assert list(made.alertmanager.desks) == [Category.SECURITY]
    content = tomllib.loads(uncommented(example()))
    for section in sections(Choices):
        table: Any = content
        for part in section.place.split("."):
            table = table[part]
        table = table[0] if isinstance(table, list) else table
        if "desks" not in section.place and "heartbeat" not in section.place:  # as the first of their kind
            assert section.options.keys() <= table.keys(), section.place


def test_every_option_has_a_meaning_and_takes_its_own_default_and_example() -> None:
    for section in sections(Choices):
        assert section.meaning, section.place
        for name, option in section.options.items():
            kind: Kind = option.metadata["kind"]
            assert option.metadata["meaning"], (section.place, name)
            assert kind.allowed
            for value in (kind.example, option.default):
                if value != "" and value is not dataclasses.MISSING:
                    kind.read(list(value) if isinstance(value, tuple) else value)


@pytest.mark.stack
def test_alertmanager_and_prometheus_take_what_the_uncommented_example_gives(file: Path) -> None:
    tree.write(Path("deploy"), chosen(file, uncommented(example())))
    told = yaml.safe_load(Path("deploy/alertmanager/alertmanager.yml").read_text("utf-8"))
    assert len(told["receivers"]) == 7
    rules = sorted(map(str, Path("deploy/prometheus/rules").glob("*.yaml")))
    for words in (
        [str(program("amtool")), "check-config", "deploy/alertmanager/alertmanager.yml"],
        [str(program("promtool")), "check", "rules", *rules],
    ):
        checked = subprocess.run(words, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.stack
def test_prometheus_takes_thresholds_at_their_edges(file: Path) -> None:
    for edge in (0.0, 1.0):
        lines = ["[alerts.thresholds]"]
        for section in sections(Choices):
            if section.place == "alerts.thresholds":
                for name, option in section.options.items():
                    whole = option.metadata["kind"].types == (int,)
                    lines.append(f"{name} = {10**15 if whole else edge}")
        tree.write(Path("deploy"), chosen(file, "\n".join(lines)))
        rules = sorted(map(str, Path("deploy/prometheus/rules").glob("*.yaml")))
        checked = subprocess.run([str(program("promtool")), "check", "rules", *rules], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
