"""What a team may choose: channels, how often, and when nobody is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otelkit.provision.alerts.definition import Category

__all__ = ["Channels", "Email", "Intervals", "Options", "Slack", "Webhook", "Window"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """A Slack channel; the address of the incoming webhook is a secret and stands in a file."""

    channel: str
    url_file: str = "/etc/alertmanager/secrets/slack-url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Addresses (separated by commas) and the server that takes mail for them; TLS unless it is this machine's."""

    to: str
    sender: str
    server: str
    username: str = ""
    password_file: str = "/etc/alertmanager/secrets/smtp-password"
    require_tls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A program that takes Alertmanager's JSON.

    Attributes:
        url: its address.
        token_file: file with the bearer token it asks for; empty: it asks for none.
        url_file: file with the address, instead of ``url``, where that is a secret itself (Alertmanager 0.26 or newer).
    """

    url: str = ""
    token_file: str = ""
    url_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Whom a message reaches. Critical ones go to all of them, warnings to Slack and the webhook (to the address where
    there is no Slack), information to the webhook alone.
    """

    slack: Slack | None = None
    email: Email | None = None
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often people hear of a category and severity, as Prometheus writes times.

    Attributes:
        quiet: between two messages; what is new in between waits for the next one.
        repeat: until a warning that goes on is told again, at the first multiple of ``quiet`` after it.
        gather: how long the first message waits for others of its kind.
        critical_gather: the same for critical ones.
        critical_quiet: how long a new critical alert may wait behind one that was just told.
        critical_repeat: until a critical alert that goes on is told again.
        heartbeat: between two signs of life.
    """

    quiet: str = "1h"
    repeat: str = "230m"  # a little less than four times `quiet`, or it would be the fifth
    gather: str = "30s"
    critical_gather: str = "5s"
    critical_quiet: str = "10s"
    critical_repeat: str = "1h"
    heartbeat: str = "5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A maintenance window that comes again: no message leaves in it, and what still holds afterwards is told then.

    Attributes:
        days: such as ``saturday`` or ``monday:friday``; none: every day.
        start: such as ``02:00``.
        end: up to and without, such as ``04:00``; ``24:00`` for midnight.
        zone: the clock that is meant.
        critical: critical alerts wait, too.
    """

    start: str
    end: str
    days: tuple[str, ...] = ()
    zone: str = "UTC"
    critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All of it.

    Attributes:
        channels: where messages go that no desk takes.
        desks: channels of its own for a category (security to the people who answer for it).
        heartbeat: who is told every few minutes that alerting works; None: nobody.
        windows: maintenance windows.
    """

    channels: Channels = Channels(webhook=Webhook(url="http://127.0.0.1:9095/alerts"))
    desks: Mapping[Category, Channels] = field(default_factory=lambda: MappingProxyType({}))
    heartbeat: Webhook | None = None
    intervals: Intervals = Intervals()
    windows: tuple[Window, ...] = ()
