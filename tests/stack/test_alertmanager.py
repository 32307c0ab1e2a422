"""The real Alertmanager with our routes: who is told, how often, in which words, and when nobody is."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.cli.main import main
from otelkit.provision.alertmanager.config import files
from otelkit.provision.alertmanager.options import Channels, Email, Intervals, Options, Slack, Window
from otelkit.provision.alertmanager.options import Webhook as Hook
from otelkit.provision.alerts.definition import HEARTBEAT, Category
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.foreign import AlertmanagerMetrics
from tests.stack.parts import program
from tests.stack.receivers import MailServer, Webhook
from tests.stack.running import COMMITTED, Alertmanager, Prometheus, fetch, until

pytestmark = pytest.mark.stack

BY_NAME = {rule.name: rule for rule in RULES}
QUICK = Intervals(
    quiet="5s",
    repeat="1m",
    gather="1s",
    critical_gather="0s",
    critical_quiet="1s",
    critical_repeat="1m",
    heartbeat="1s",
)
_FAILED = AlertmanagerMetrics.FAILED.prometheus_name
EVERY_DAY = {"start": "00:00", "end": "24:00"}

Start = Callable[[Options], Alertmanager]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as receiver:
        yield receiver


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Alertmanager with options; it ends with the test."""
    running: list[Alertmanager] = []

    def begin(options: Options) -> Alertmanager:
        return running_on(tmp_path, written(tmp_path, options), running)

    yield begin
    for one in running:
        one.stop()


def running_on(home: Path, configuration: Path, running: list[Alertmanager]) -> Alertmanager:
    made = Alertmanager(home / f"alertmanager-{len(running)}", configuration)
    running.append(made)
    made.start()
    return made


def written(folder: Path, options: Options) -> Path:
    for path, text in files(options).items():
        target = folder / "configuration" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return folder / "configuration" / "alertmanager" / "alertmanager.yml"


def told_by(hook: Webhook, intervals: Intervals = QUICK, **more: Any) -> Options:
    return Options(webhook=Hook(url=hook.url), intervals=intervals, **more)


def fire(alertmanager: Alertmanager, name: str, *, over: bool = False, summary: str = "", **labels: str) -> None:
    """Send an alert as Prometheus does; ``over`` ends it."""
    rule = BY_NAME[name]
    now = datetime.now(UTC)
    about = {"service_name": "shop", **labels} if rule.by else labels
    kind = {"alertname": name, "severity": rule.severity.value, "category": rule.category.value}
    alert = {
        "labels": {**kind, **about},
        "annotations": {
            "summary": summary or rule.summary,
            "description": rule.description,
            "dashboard": "http://localhost:3000/d/x",
            "runbook": f"docs/alerts.md#{name.lower()}",
        },
        "startsAt": (now - timedelta(seconds=2)).isoformat(),
        "endsAt": (now - timedelta(seconds=1) if over else now + timedelta(hours=1)).isoformat(),
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
    }
    request = urllib.request.Request(f"{alertmanager.url}/api/v2/alerts", json.dumps([alert]).encode())
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=10).close()


# --- how often -----------------------------------------------------------------------------------------------------


def test_a_warning_is_told_once_and_what_is_new_waits_for_the_interval(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook))
    fire(alertmanager, "HighErrorRate")
    until(lambda: hook.messages, 10, "the first message")
    for _ in range(7):  # Prometheus says again and again that it still fires
        fire(alertmanager, "HighErrorRate")
        time.sleep(1)
    assert len(hook.messages) == 1, "unchanged, it is told again after `repeat` only"
    fire(alertmanager, "SlowRequests")
    fire(alertmanager, "WebSocketDisconnects")
    until(lambda: len(hook.messages) == 2, 10, "one message with all that is new")
    assert hook.messages[1].names() == {"HighErrorRate", "SlowRequests", "WebSocketDisconnects"}
    assert hook.messages[1].at - hook.messages[0].at >= 4.9


def test_a_warning_that_comes_and_goes_is_not_told_twice_in_an_interval(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook))
    for _ in range(4):
        fire(alertmanager, "HighErrorRate")
        time.sleep(2)
        fire(alertmanager, "HighErrorRate", over=True)
        time.sleep(2)
    gaps = [after.at - before.at for before, after in zip(hook.messages, hook.messages[1:], strict=False)]
    assert hook.messages
    assert all(gap >= 4.9 for gap in gaps), gaps
    assert not hook.names("resolved") - hook.names("firing")


def test_a_category_does_not_hold_back_another(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook, Intervals(gather="1s")))
    fire(alertmanager, "HighErrorRate")
    until(lambda: hook.names() == {"HighErrorRate"}, 10, "the first message")
    fire(alertmanager, "SyncFailures")
    until(lambda: hook.names() == {"HighErrorRate", "SyncFailures"}, 10, "the other category's")


def test_a_new_critical_alert_is_told_at_once_while_others_are_held_back(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook, Intervals(gather="1s")))  # else the committed ones: an hour of quiet
    fire(alertmanager, "SlowRequests")
    until(lambda: hook.messages, 10, "the first warning")
    fire(alertmanager, "WebSocketDisconnects", service_name="other")
    fire(alertmanager, "VeryHighErrorRate", service_name="first")
    until(lambda: "VeryHighErrorRate" in hook.names(), 15, "the critical one, in the same category")
    fire(alertmanager, "VeryHighErrorRate", service_name="second")
    begun = time.monotonic()
    until(lambda: len(hook.messages) == 3, 20, "another critical one behind it")
    assert hook.messages[2].at - begun < 14
    assert "WebSocketDisconnects" not in hook.names(), "the warning still waits"
    time.sleep(12)
    assert len(hook.messages) == 3, "unchanged critical alerts are not told again"


def test_that_it_is_over_is_told_for_critical_alerts(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook))
    for name in ("DiskFull", "HighErrorRate"):
        fire(alertmanager, name)
    until(lambda: hook.names() == {"DiskFull", "HighErrorRate"}, 10, "both")
    for name in ("DiskFull", "HighErrorRate"):
        fire(alertmanager, name, over=True)
    until(lambda: hook.names("resolved"), 10, "the end")
    time.sleep(6)
    assert hook.names("resolved") == {"DiskFull"}


# --- the committed files -------------------------------------------------------------------------------------------


def test_with_one_channel_chosen_the_committed_file_delivers_once(tmp_path: Path, hook: Webhook) -> None:
    chosen = written(tmp_path, Options(webhook=Hook(url=hook.url)))
    content = yaml.safe_load(chosen.read_text("utf-8"))
    for receiver in content["receivers"]:
        receiver.pop("webhook_configs", None)
    assert content == yaml.safe_load((COMMITTED / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    running: list[Alertmanager] = []
    alertmanager = running_on(tmp_path, chosen, running)
    try:
        fire(alertmanager, "DiskFull")
        until(lambda: hook.messages, 15, "the message")
        time.sleep(15)  # more than once `critical_quiet`
        assert len(hook.messages) == 1
    finally:
        running[0].stop()


def test_the_committed_file_shows_alerts_and_no_notification_fails(
    tmp_path: Path, asked: Callable[..., list[str]]
) -> None:
    running: list[Alertmanager] = []
    alertmanager = running_on(tmp_path, COMMITTED / "alertmanager" / "alertmanager.yml", running)
    try:
        fire(alertmanager, "DiskFull", summary="shop: /data is 97% full")
        until(lambda: "shop: /data is 97% full" in "".join(asked(alertmanager, "list")), 15, "it is shown")
        time.sleep(18)  # more than `critical_gather` and the tries after it, which `critical_quiet` ends
        with urllib.request.urlopen(f"{alertmanager.url}/metrics", timeout=10) as answer:
            figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        assert {text for name, text in figures.items() if name.startswith(_FAILED)} == {"0"}
    finally:
        running[0].stop()


def test_prometheus_with_the_committed_rules_is_heard_and_stands_before_a_broken_pipeline(
    tmp_path: Path, start: Start, hook: Webhook
) -> None:
    alertmanager = start(told_by(hook, heartbeat=Hook(url=hook.url)))
    prometheus = Prometheus(tmp_path / "prometheus", {"alertmanager": alertmanager.port})
    prometheus.start()
    try:
        until(lambda: HEARTBEAT in hook.names(), 60, "the heartbeat")
        until(lambda: prometheus.query('ALERTS{alertname="CollectorDown"}'), 60, "no Collector is there")
        health = fetch(f"{prometheus.url}/api/v1/rules")["data"]["groups"]
        broken = {
            rule["name"]: rule["lastError"] for group in health for rule in group["rules"] if rule.get("lastError")
        }
        assert not broken
    finally:
        prometheus.stop()


# --- quiet ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Run ``otelkit alerts …`` on an Alertmanager and return the lines it printed."""

    def ask(alertmanager: Alertmanager, *words: str) -> list[str]:
        monkeypatch.setenv("OTELKIT_ALERTMANAGER_URL", alertmanager.url)
        capsys.readouterr()
        assert main(["alerts", *words]) == 0
        return capsys.readouterr().out.splitlines()

    return ask


def test_what_is_muted_is_not_told_until_it_is_unmuted(
    start: Start, hook: Webhook, asked: Callable[..., list[str]]
) -> None:
    alertmanager = start(told_by(hook, heartbeat=Hook(url=hook.url)))
    words = ("--for", "2h", "--reason", "new database", "--author", "ada")
    asked(alertmanager, "mute", *words, "--service", "shop", "--service", "a.b", "--category", "requests")
    fire(alertmanager, "VeryHighErrorRate")
    fire(alertmanager, "VeryHighErrorRate", service_name="axb")
    fire(alertmanager, "DatabasePoolTimeouts")
    fire(alertmanager, HEARTBEAT)
    until(lambda: hook.names() >= {"VeryHighErrorRate", "DatabasePoolTimeouts", HEARTBEAT}, 10, "all others")
    time.sleep(3)
    assert ("VeryHighErrorRate", "shop") not in hook.about()
    assert ("VeryHighErrorRate", "axb") in hook.about(), "a name is not a pattern"
    assert any("VeryHighErrorRate" in line and line.endswith("(muted)") for line in asked(alertmanager, "list"))
    silence = json.loads(asked(alertmanager, "muted", "--json")[0])
    assert (silence["createdBy"], silence["comment"]) == ("ada", "new database")
    asked(alertmanager, "unmute", silence["id"])
    assert asked(alertmanager, "muted") == ["nothing is muted"]
    until(lambda: ("VeryHighErrorRate", "shop") in hook.about(), 10, "what still fires is told")


def test_everything_may_be_muted_but_the_heartbeat(
    start: Start, hook: Webhook, asked: Callable[..., list[str]]
) -> None:
    alertmanager = start(told_by(hook, heartbeat=Hook(url=hook.url)))
    asked(alertmanager, "mute", "--for", "30m", "--reason", "move")
    for name in ("DiskFull", "HighErrorRate", HEARTBEAT):
        fire(alertmanager, name)
    until(lambda: hook.messages, 10, "the heartbeat")
    time.sleep(4)
    assert hook.names() == {HEARTBEAT}
    assert [line.rpartition(" (")[2] for line in asked(alertmanager, "list")] == ["muted)"] * 2, "the worst first"
    assert main(["alerts", "unmute", "11111111-1111-4111-8111-111111111111"]) == 2


def test_a_maintenance_window_holds_back_warnings_and_critical_alerts_only_where_it_says_so(
    start: Start, hook: Webhook
) -> None:
    alertmanager = start(told_by(hook, windows=(Window(**EVERY_DAY),)))
    for name in ("DiskFull", "HighErrorRate", "NewError"):
        fire(alertmanager, name)
    until(lambda: hook.messages, 10, "the critical one")
    time.sleep(4)
    assert hook.names() == {"DiskFull"}


def test_a_maintenance_window_may_hold_back_everything(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook, windows=(Window(**EVERY_DAY, critical=True),)))
    for name in ("DiskFull", "HighErrorRate", "NewError"):
        fire(alertmanager, name)
    until(lambda: len(fetch(f"{alertmanager.url}/api/v2/alerts")) == 3, 10, "all are known")
    time.sleep(4)
    assert not hook.messages


# --- one cause, one message ----------------------------------------------------------------------------------------


def test_what_explains_others_keeps_them_quiet_for_the_same_service_only(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook))
    fire(alertmanager, "ServiceSilent")
    fire(alertmanager, "CostBurn", service_name="")
    time.sleep(1)
    for service in ("shop", "other"):
        fire(alertmanager, "VeryHighErrorRate", service_name=service)
        fire(alertmanager, "HighErrorRate", service_name=service)
    until(lambda: hook.names() >= {"ServiceSilent", "VeryHighErrorRate"}, 10, "the causes")
    time.sleep(6)
    assert hook.about() == {("ServiceSilent", "shop"), ("VeryHighErrorRate", "other"), ("CostBurn", None)}


def test_a_collector_that_is_down_is_one_message(start: Start, hook: Webhook) -> None:
    alertmanager = start(told_by(hook))
    fire(alertmanager, "CollectorDown", service_name="", job="collector")
    time.sleep(1)
    for name in ("ServiceSilent", "NoTelemetry", "ServiceDropsTelemetry"):
        fire(alertmanager, name)
    fire(alertmanager, "TargetDown", service_name="", job="collector", instance="collector:8888")
    until(lambda: hook.messages, 10, "the cause")
    time.sleep(6)
    assert hook.names() == {"CollectorDown"}


# --- channels and words --------------------------------------------------------------------------------------------


def test_a_category_with_a_desk_of_its_own_goes_there(start: Start, hook: Webhook) -> None:
    with Webhook() as other:
        desk = {Category.SECURITY: Channels(webhook=Hook(url=other.url))}
        alertmanager = start(told_by(hook, desks=desk))
        for name in ("SecurityBurst", "TokenMisused", "DiskFull"):
            fire(alertmanager, name)
        until(lambda: other.names() == {"SecurityBurst", "TokenMisused"}, 10, "the desk's")
        until(lambda: hook.names() == {"DiskFull"}, 10, "the others'")


def test_a_webhook_gets_the_token_of_a_file(start: Start, hook: Webhook, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("of-the-receiver")
    channel = Hook(url=hook.url, token_file=str(secret))
    alertmanager = start(Options(webhook=channel, intervals=QUICK))
    fire(alertmanager, "DiskFull")
    until(lambda: hook.messages, 10, "the message")
    assert hook.messages[0].headers["Authorization"] == "Bearer of-the-receiver"


def test_slack_says_what_since_when_how_bad_and_where_to_look(start: Start, hook: Webhook, tmp_path: Path) -> None:
    secret = tmp_path / "slack-url"
    secret.write_text(hook.url)
    channel = Slack(channel="#alerts", url_file=str(secret))
    alertmanager = start(Options(slack=channel, intervals=QUICK))
    hostile = "shop: p95 of <!channel> & <http://evil.example|gpt> is 12s"
    fire(alertmanager, "SlowModel", summary=hostile)
    body = until(lambda: hook.messages, 10, "the message")[0].body
    assert body["channel"] == "#alerts"
    [attachment] = body["attachments"]
    safe = "shop: p95 of &lt;!channel&gt; &amp; &lt;http://evil.example|gpt&gt; is 12s"
    assert attachment["title"] == f"WARNING llm: {safe}"
    assert attachment["fallback"] == attachment["title"]
    assert attachment["color"] == "warning"
    text = attachment["text"]
    assert text.startswith(f"*{safe}*\n{BY_NAME['SlowModel'].description}\n_warning, since 20")
    assert "<http://localhost:3000/d/x|Dashboard> · <http://prometheus.example/graph?g0.expr=up|Query>" in text
    assert "Runbook: docs/alerts.md#slowmodel" in text
    assert 'otelkit alerts mute --for 2h --alert SlowModel --reason "…"' in text


def test_slack_is_told_that_a_critical_alert_is_over(start: Start, hook: Webhook, tmp_path: Path) -> None:
    secret = tmp_path / "slack-url"
    secret.write_text(hook.url)
    channel = Slack(channel="#alerts", url_file=str(secret))
    alertmanager = start(Options(slack=channel, intervals=QUICK))
    for disk in ("/", "/data"):
        fire(alertmanager, "DiskFull", summary=f"{disk} is full", system_filesystem_mountpoint=disk)
    until(lambda: hook.messages, 10, "the message")
    first = hook.messages[-1].body["attachments"][0]
    assert first["title"].startswith("CRITICAL system: / is full")
    assert first["color"] == "danger"
    for disk in ("/", "/data"):
        fire(alertmanager, "DiskFull", over=True, summary=f"{disk} is full", system_filesystem_mountpoint=disk)
    title = "RESOLVED system: / is full (2 in all)"
    until(lambda: hook.messages[-1].body["attachments"][0]["title"] == title, 10, title)
    assert ", over since 20" in hook.messages[-1].body["attachments"][0]["text"]
    assert "otelkit alerts mute" not in hook.messages[-1].body["attachments"][0]["text"]


def test_slack_shows_ten_alerts_of_many_and_says_how_many_there_are(
    start: Start, hook: Webhook, tmp_path: Path
) -> None:
    secret = tmp_path / "slack-url"
    secret.write_text(hook.url)
    channel = Slack(channel="#alerts", url_file=str(secret))
    alertmanager = start(Options(slack=channel, intervals=Intervals()))
    for number in range(12):
        fire(alertmanager, "DiskFull", summary="a disk is full", system_filesystem_mountpoint=f"/{number}")
    [attachment] = until(lambda: hook.messages, 10, "the message")[0].body["attachments"]
    assert attachment["title"] == "CRITICAL system: a disk is full (12 in all)"
    assert attachment["text"].count("*a disk is full*") == 10


def test_mail_goes_out_for_critical_alerts_with_the_same_words(start: Start, hook: Webhook) -> None:
    with MailServer() as mail:
        address = Email(
            to="ops@shop.example", sender="alerts@shop.example", server=f"127.0.0.1:{mail.port}", require_tls=False
        )
        alertmanager = start(Options(email=address, webhook=Hook(url=hook.url), intervals=QUICK))
        fire(alertmanager, "DiskFull", summary="shop: <b>/data</b> is 97% full")
        message = until(lambda: mail.messages, 10, "the mail")[0]
    assert message["To"] == "ops@shop.example"
    assert message["Subject"] == "CRITICAL system: shop: <b>/data</b> is 97% full"
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    text, page = plain.get_content(), html.get_content()
    for part in ("is 97% full", "critical, since 20", "http://localhost:3000/d/x", "docs/alerts.md#diskfull"):
        assert part in text
        assert part in page
    assert "&lt;b&gt;/data&lt;/b&gt;" in page
    assert "<b>" not in page


# --- files ---------------------------------------------------------------------------------------------------------

_SLACK = Slack(channel="#alerts")
_MAIL = Email(to="a@shop.example, b@shop.example", sender="c@shop.example", server="smtp.example:587", username="c")
_WINDOW = Window(start="02:00", end="04:00", days=("saturday", "sunday"), zone="Europe/Berlin")
OPTIONS = {
    "no channel at all": Options(),
    "Slack": Options(slack=_SLACK),
    "mail with a log-in": Options(email=_MAIL),
    "a webhook with a token": Options(webhook=Hook(url="https://x.example", token_file="/t")),
    "all channels": Options(slack=_SLACK, email=_MAIL, webhook=Hook(url="https://x.example/hook")),
    "a heartbeat": Options(heartbeat=Hook(url="https://dead-man.example/ping")),
    "desks": Options(desks={Category.SECURITY: Channels(email=_MAIL), Category.COST: Channels(slack=_SLACK)}),
    "windows": Options(windows=(_WINDOW, Window(start="22:00", end="24:00", critical=True))),
    "intervals": Options(intervals=QUICK),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_alertmanager_takes_the_file_whatever_is_chosen(name: str, tmp_path: Path) -> None:
    accepted(written(tmp_path, OPTIONS[name]))


def test_alertmanager_takes_the_committed_file() -> None:
    accepted(COMMITTED / "alertmanager" / "alertmanager.yml")


def accepted(path: Path) -> None:
    words = [str(program("amtool")), "check-config", str(path)]
    checked = subprocess.run(words, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert " - 1 templates\n" in checked.stdout


def test_no_secret_stands_in_any_file() -> None:
    for name, options in OPTIONS.items():
        for receiver in yaml.safe_load(files(options)["alertmanager/alertmanager.yml"])["receivers"]:
            for channel in (entry for kind, found in receiver.items() if kind != "name" for entry in found):
                assert not {"api_url", "auth_password", "credentials", "bearer_token"} & set(channel), name
