"""``alertmanager.yml``: routes, receivers, windows, inhibition.

A group is a category and severity. Of a group Alertmanager tells what is new only after ``group_interval``: an hour for
warnings, which is what keeps messages rare, and seconds for critical ones, which are rare because what is unchanged is
not told again before ``repeat_interval``. That something is over is told for critical alerts only: a group that is over
and begins again would otherwise be two messages in an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import Any, Final

from otelkit.provision.alertmanager.options import Channels, Email, Options, Slack, Webhook, Window
from otelkit.provision.alerts.definition import Category, Severity
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.documents import MADE, as_yaml
from otelkit.provision.promql import label

__all__ = ["files"]

_SAYS: Final = """Who is told of alerts, how often, and when nobody is. docs/alerts.md says how to change it.
Secrets stand in files of their own, never here."""
_NOBODY: Final = """
No channel is chosen, so nobody is told: alerts are on Alertmanager's page and in `otelkit alerts list`."""
_TEMPLATES: Final = "templates/otelkit.tmpl"
_TOLD: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_HEARTBEAT: Final = "heartbeat"
_ALWAYS: Final = "maintenance"
_CRITICAL_TOO: Final = "maintenance, critical too"


@dataclass(frozen=True, slots=True)
class _Route:
    receiver: str
    matchers: list[str] | None = None
    group_by: list[str] | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    repeat_interval: str | None = None
    mute_time_intervals: list[str] | None = None
    routes: list[_Route] | None = None


@dataclass(frozen=True, slots=True)
class _Receiver:
    name: str
    slack_configs: list[Mapping[str, Any]] | None = None
    email_configs: list[Mapping[str, Any]] | None = None
    webhook_configs: list[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class _Inhibition:
    source_matchers: list[str]
    target_matchers: list[str]
    equal: list[str] | None


def files(options: Options | None = None) -> Mapping[str, str]:
    """Return Alertmanager's configuration and the templates of its messages."""
    chosen = options or Options()
    template = resources(__package__).joinpath("otelkit.tmpl").read_text("utf-8")
    says = _SAYS + (_NOBODY if chosen.nobody else "")
    return {
        "alertmanager/alertmanager.yml": as_yaml(_configuration(chosen), says=says),
        f"alertmanager/{_TEMPLATES}": f"{{{{- /* {MADE} */ -}}}}\n{template}",
    }


def _configuration(options: Options) -> Mapping[str, Any]:
    windows = {"time_intervals": list(_windows(options.windows))} if options.windows else {}
    return {
        "templates": [_TEMPLATES],
        **windows,
        "route": _routes(options),
        "receivers": list(_receivers(options)),
        "inhibit_rules": list(_inhibitions()),
    }


# --- who is told how often -----------------------------------------------------------------------------------------


def _routes(options: Options) -> _Route:
    times = options.intervals
    heartbeat = _Route(
        _HEARTBEAT,
        [_is("severity", Severity.NONE.value)],
        group_wait="0s",
        group_interval=times.gather,
        repeat_interval=times.heartbeat,
    )
    desks = [*options.desks, None]  # the last one takes what is left
    return _Route(
        _name(None, Severity.WARNING),  # an alert of somebody else's rules, without our labels
        group_by=["category", "severity"],
        group_wait=times.gather,
        group_interval=times.quiet,
        repeat_interval=times.repeat,
        routes=[heartbeat, *(_route(options, desk, severity) for desk in desks for severity in _TOLD)],
    )


def _route(options: Options, desk: Category | None, severity: Severity) -> _Route:
    times = options.intervals
    critical = severity is Severity.CRITICAL
    about = [] if desk is None else [_is("category", desk.value)]
    muted = [_CRITICAL_TOO] if any(window.critical for window in options.windows) else []
    if not critical and len(muted) < len(options.windows):
        muted = [_ALWAYS, *muted]
    return _Route(
        _name(desk, severity),
        [*about, _is("severity", severity.value)],
        group_wait=times.critical_gather if critical else None,
        group_interval=times.critical_quiet if critical else None,
        repeat_interval=times.critical_repeat if critical else None,
        mute_time_intervals=muted or None,
    )


def _is(name: str, value: str) -> str:
    return f'{name}="{value}"'


def _name(desk: Category | None, severity: Severity) -> str:
    return severity.value if desk is None else f"{desk.value}, {severity.value}"


# --- where it goes -------------------------------------------------------------------------------------------------


def _receivers(options: Options) -> Iterator[_Receiver]:
    heard = options.heartbeat
    yield _Receiver(_HEARTBEAT, webhook_configs=None if heard is None else [_webhook(heard, resolved=False)])
    for desk, channels in [*options.desks.items(), (None, options)]:
        for severity in _TOLD:
            yield _receiver(_name(desk, severity), severity, channels)


def _receiver(name: str, severity: Severity, channels: Channels) -> _Receiver:
    critical = severity is Severity.CRITICAL
    warning = severity is Severity.WARNING
    slack = channels.slack if critical or warning else None
    email = channels.email if critical or (warning and slack is None) else None
    return _Receiver(
        name,
        None if slack is None else [_slack(slack, resolved=critical)],
        None if email is None else [_email(email, resolved=critical)],
        None if channels.webhook is None else [_webhook(channels.webhook, resolved=critical)],
    )


def _slack(slack: Slack, *, resolved: bool) -> Mapping[str, Any]:
    return {
        "send_resolved": resolved,
        "api_url_file": slack.url_file,
        "channel": slack.channel,
        "username": "otelkit",
        **{part: _from(f"otelkit.slack.{part}") for part in ("color", "title", "text")},
        "fallback": _from("otelkit.slack.title"),
        "title_link": "{{ .ExternalURL }}",
    }


def _email(email: Email, *, resolved: bool) -> Mapping[str, Any]:
    login = {"auth_username": email.username, "auth_password_file": email.password_file} if email.username else {}
    return {
        "send_resolved": resolved,
        "to": email.to,
        "from": email.sender,
        "smarthost": email.server,
        "require_tls": email.require_tls,
        **login,
        "headers": {"Subject": _from("otelkit.email.subject")},
        **{part: _from(f"otelkit.email.{part}") for part in ("text", "html")},
    }


def _webhook(webhook: Webhook, *, resolved: bool) -> Mapping[str, Any]:
    place = {"url_file": webhook.url_file} if webhook.url_file else {"url": webhook.url}
    token = {"authorization": {"type": "Bearer", "credentials_file": webhook.token_file}}
    return {"send_resolved": resolved, **place, **({"http_config": token} if webhook.token_file else {})}


def _from(template: str) -> str:
    return f'{{{{ template "{template}" . }}}}'


# --- when nobody is ------------------------------------------------------------------------------------------------


def _windows(windows: tuple[Window, ...]) -> Iterator[Mapping[str, Any]]:
    for name, critical in ((_ALWAYS, False), (_CRITICAL_TOO, True)):
        if kept := [_window(window) for window in windows if window.critical is critical]:
            yield {"name": name, "time_intervals": kept}


def _window(window: Window) -> Mapping[str, Any]:
    days = {"weekdays": list(window.days)} if window.days else {}
    return {"times": [{"start_time": window.start, "end_time": window.end}], **days, "location": window.zone}


def _inhibitions() -> Iterator[_Inhibition]:
    """What explains others keeps them quiet, where they agree in every label that both have."""
    for source in RULES:
        explained = [rule for rule in RULES if source.name in rule.explained_by]
        for by in dict.fromkeys(rule.by for rule in explained):
            names = [rule.name for rule in explained if rule.by == by]
            shared = [label(attribute) for attribute in source.by if attribute in by]
            yield _Inhibition([_is("alertname", source.name)], [f'alertname=~"{"|".join(names)}"'], shared or None)
