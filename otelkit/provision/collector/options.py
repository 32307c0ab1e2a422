"""What can be chosen when a configuration is rendered; what may differ between machines is in :mod:`variables`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Any, Final

from otelkit.errors import SettingsError
from otelkit.provision.kinds import count, duration, flag, number, one_of, some_of

__all__ = ["LEGS", "Options", "belongs", "check", "described", "parsed", "seconds"]

LEGS: Final = ("loki", "traces", "server", "remote_write")
"""What data is sent to, as the option ``auth`` calls it."""


_STANDARD: Final = ("standard",)
_GATEWAY: Final = ("gateway",)
_ONE: Final = ("dev", *_STANDARD)
_BOTH: Final = (*_STANDARD, *_GATEWAY)
_ALL: Final = (*_ONE, *_GATEWAY)


@dataclass(frozen=True, slots=True)
class Options:
    """All options; each field's metadata says what it means, for which profiles, and how its value is read."""

    public: bool = flag(False, "receive from other machines: listens on 0.0.0.0, with token and TLS", profiles=_ONE)
    token: bool = flag(False, "ask senders for a token (public and gateways always do)", profiles=_ONE)
    tls: bool = flag(True, "where a token is asked for, also TLS; false only behind a proxy that has it", profiles=_ALL)
    auth: tuple[str, ...] = some_of(f"what is sent to with a bearer token: {', '.join(LEGS)}", LEGS, profiles=_BOTH)
    server: str = one_of(
        "ai", "what otelkit serve gets: ai (product events, spans of AI steps), all (spans and logs, too) or off",
        ("ai", "all", "off"), profiles=_BOTH,
    )  # fmt: skip
    derived: bool = flag(True, "LLM metrics from spans of services that do not use otelkit", profiles=_BOTH)
    names: str = one_of(
        "classic", "names of those metrics, as OTELKIT_METRIC_PROFILE", ("classic", "latest", "both"), profiles=_BOTH
    )
    file_log: bool = flag(False, "read the service's log file, instead of its logs over OTLP", profiles=_ALL)
    remote_write: bool = flag(False, "write metrics to a remote-write address, too", profiles=_STANDARD)
    elasticsearch: bool = flag(False, "logs to Elasticsearch, too (contrib image)", profiles=_BOTH)
    cloud_logs: bool = flag(False, "logs to a cloud service that takes OTLP, too", profiles=_BOTH)
    loadbalancing: bool = flag(
        False, "agents spread traces over gateways by trace id (contrib image)", profiles=_GATEWAY
    )
    kafka: bool = flag(False, "a Kafka topic for each signal between agents and gateways", profiles=_GATEWAY)
    decision_wait: str = duration("4m", "how long a gateway waits for a trace without its root", profiles=_GATEWAY)
    root_wait: str = duration("10s", "how long it waits once the root has come", profiles=_GATEWAY)
    slow: str = duration("10s", "traces that took longer are kept", profiles=_GATEWAY)
    expensive: float = number(
        0.05, "traces with a call that cost so many US dollars are kept", 0, 1e6, profiles=_GATEWAY
    )
    output_tokens: int = count(
        4000, "and those with a call of unknown cost that wrote so many tokens", 1, profiles=_GATEWAY
    )
    keep: float = number(10.0, "per cent of all other traces that are kept", 0, 100, profiles=_GATEWAY)
    traces_held: int = count(50_000, "traces that wait for a decision at most", 1, profiles=_GATEWAY)


def belongs(profile: str, option: Field[Any]) -> bool:
    """Whether a profile has an option."""
    return profile in option.metadata["profiles"]


def check(options: Options, profile: str) -> None:
    """Look for what contradicts itself in a profile.

    Raises:
        ValueError: says what.
    """
    if profile == "standard" and "remote_write" in options.auth and not options.remote_write:
        raise ValueError("auth=remote_write needs remote_write=true, or there is nobody to show that token to")
    if options.kafka and options.loadbalancing:
        raise ValueError("kafka and loadbalancing are two ways from agents to gateways: choose one")


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as ``1m30s``."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))


def described() -> Sequence[tuple[str, str, str, str]]:
    """Return a row for each option: name, default, meaning, profiles."""
    return [
        (o.name, _shown(o.default), o.metadata["meaning"], ", ".join(o.metadata["profiles"])) for o in fields(Options)
    ]


def parsed(words: Sequence[str], profile: str) -> Options:
    """Read ``name=value`` words for a profile.

    Raises:
        SettingsError: there is no such option, the profile does not have it, or the value is not one of it.
    """
    known: Mapping[str, Any] = {option.name: option for option in fields(Options)}
    chosen: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise SettingsError(f"--set {word}: write name=value")
        if name not in known:
            raise SettingsError(f"--set {word}: there is no option {name}; there are {', '.join(known)}")
        profiles = known[name].metadata["profiles"]
        if profile not in profiles:
            raise SettingsError(f"--set {word}: {name} is an option of {', '.join(profiles)}, not of {profile}")
        try:
            chosen[name] = known[name].metadata["kind"].parse(text.strip())
        except ValueError as error:
            raise SettingsError(f"--set {word}: {name} must be {error}") from None
    options = Options(**chosen)
    try:
        check(options, profile)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return options


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
