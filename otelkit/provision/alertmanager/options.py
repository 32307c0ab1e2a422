"""What a team may choose: channels, how often, and when nobody is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from types import MappingProxyType

from otelkit.provision import kinds
from otelkit.provision.alerts.definition import Category
from otelkit.provision.kinds import section

__all__ = ["Channels", "Email", "Intervals", "Options", "Slack", "Webhook", "Window"]

_time = partial(kinds.duration, units="ms|s|m|h|d|w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """A Slack channel; the address of the incoming webhook is a secret and stands in a file."""

    channel: str = kinds.line(None, "the channel", "#alerts")
    url_file: str = kinds.path("/etc/alertmanager/secrets/slack-url", "file that holds the incoming webhook's address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Addresses, and the server that takes mail for them."""

    to: str = kinds.addresses("who gets it, separated by commas", "ops@shop.example, night@shop.example")
    sender: str = kinds.addresses("who it is from", "alerts@shop.example")
    server: str = kinds.host("the server that takes it, with its port", "smtp.shop.example:587")
    username: str = kinds.line("", "log-in; empty: none")
    password_file: str = kinds.path("/etc/alertmanager/secrets/smtp-password", "file that holds the log-in's password")
    require_tls: bool = kinds.flag(True, "TLS, or no mail; false for a server on this machine only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A program that takes Alertmanager's JSON: its address, or the file that holds it.

    Raises:
        ValueError: both or none of ``url`` and ``url_file`` are given.
    """

    url: str = kinds.address("", "its address, where that is no secret", "https://chat.shop.example/alerts")
    token_file: str = kinds.path("", "file that holds the bearer token it asks for; empty: none")
    url_file: str = kinds.path("", "file that holds the address, where that is a secret (Alertmanager 0.26 or newer)")

    def __post_init__(self) -> None:
        if bool(self.url) is bool(self.url_file):
            raise ValueError("needs url or url_file, one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Whom a message reaches. Critical ones go to all of them, warnings to Slack and the webhook (to the address where
    there is no Slack), information to the webhook alone.
    """

    slack: Slack | None = section(None, "A Slack channel: critical alerts and warnings.")
    email: Email | None = section(None, "Mail: critical alerts, and warnings where there is no Slack.")
    webhook: Webhook | None = section(None, "A program that takes Alertmanager's JSON: all alerts.")

    @property
    def nobody(self) -> bool:
        """There is no channel, so nobody is told."""
        return all(getattr(self, channel.name) is None for channel in fields(Channels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often people hear of a category and severity, as Prometheus writes times."""

    quiet: str = _time("1h", "between two messages; what is new in between waits for the next one")
    repeat: str = _time(
        "230m",  # a little less than four times `quiet`, or it would be the fifth
        "until a warning that goes on is told again, at the first multiple of `quiet` after it",
    )
    gather: str = _time("30s", "how long the first message waits for others of its kind")
    critical_gather: str = _time("5s", "the same for critical alerts", zero=True)
    critical_quiet: str = _time("10s", "how long a new critical alert may wait behind one that was just told")
    critical_repeat: str = _time("1h", "until a critical alert that goes on is told again")
    heartbeat: str = _time("5m", "between two signs of life")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A maintenance window that comes again: no message leaves in it, and what still holds afterwards is told then.

    Raises:
        ValueError: it ends before it begins.
    """

    start: str = kinds.clock("its beginning", "02:00")
    end: str = kinds.clock("its end; past midnight there begins a second window", "04:00")
    days: tuple[str, ...] = kinds.days('days such as "saturday" or "monday:friday"; none: every day')
    zone: str = kinds.zone("UTC", "the clock that is meant")
    critical: bool = kinds.flag(False, "critical alerts wait, too")

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError("start must be before end; over midnight takes two windows, the first one until 24:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Channels):
    """All of it: the channels of what no desk takes, and what else can be chosen.

    Raises:
        ValueError: a desk has no channel.
    """

    desks: Mapping[Category, Channels] = section(
        lambda: MappingProxyType({}),
        "Channels of its own for a category, such as security to the people who answer for it.",
        example=Category.SECURITY.value,
    )
    heartbeat: Webhook | None = section(None, "Who is told every few minutes that alerting works.")
    intervals: Intervals = section(Intervals(), "How often people hear of a category and severity.")
    windows: tuple[Window, ...] = section((), "Maintenance that comes again: nobody is told, unless it is critical.")

    def __post_init__(self) -> None:
        for category, channels in self.desks.items():
            if channels.nobody:
                raise ValueError(f"desks.{category.value} has no channel")
