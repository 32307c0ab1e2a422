"""What can be chosen when a configuration is rendered; what may differ between machines is in :mod:`variables`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from otelkit.errors import SettingsError

__all__ = ["LEGS", "Options", "described", "parsed", "seconds"]

LEGS: Final = ("loki", "traces", "server", "remote_write")
"""What data is sent to, as the option ``auth`` calls it."""


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false", "on", "off", "yes", "no"}:
        raise ValueError("true or false")
    return text.lower() in {"true", "on", "yes"}


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return parse


def _legs(text: str) -> tuple[str, ...]:
    named = () if text == "none" else tuple(word.strip() for word in text.split(",") if word.strip())
    if not set(named) <= set(LEGS):
        raise ValueError(f"names among {', '.join(LEGS)}, separated by commas")
    return named


def _duration(text: str) -> str:
    if re.fullmatch(r"(?:\d+(?:ms|s|m|h))+", text) is None:
        raise ValueError("a duration such as 500ms, 30s or 4m")
    return text


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")
        return value

    return parse


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number from 1")
    return int(text)


_ONE: Final = "dev, standard"
_BOTH: Final = "standard, gateway"
_GATEWAY: Final = "gateway"
_ALL: Final = "dev, standard, gateway"


def _option(default: Any, parse: Callable[[str], Any], meaning: str, profiles: str = _ALL) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning, "profiles": profiles})


@dataclass(frozen=True, slots=True)
class Options:
    """All options; each field's metadata says what it means, for which profiles, and how its text is read."""

    public: bool = _option(False, _flag, "receive from other machines: listens on 0.0.0.0, with token and TLS", _ONE)
    token: bool = _option(False, _flag, "ask senders for a token (public and gateways always do)", _ONE)
    tls: bool = _option(True, _flag, "where a token is asked for, also TLS; false only behind a proxy that has it")
    auth: tuple[str, ...] = _option((), _legs, f"what is sent to with a bearer token: {', '.join(LEGS)}", _BOTH)
    server: str = _option(
        "ai", _one_of("ai", "all", "off"),
        "what otelkit serve gets: ai (product events, spans of AI steps), all (spans and logs, too) or off", _BOTH,
    )  # fmt: skip
    derived: bool = _option(True, _flag, "LLM metrics from spans of services that do not use otelkit", _BOTH)
    names: str = _option(
        "classic", _one_of("classic", "latest", "both"), "names of those metrics, as OTELKIT_METRIC_PROFILE", _BOTH
    )
    file_log: bool = _option(False, _flag, "read the service's log file, instead of its logs over OTLP")
    remote_write: bool = _option(False, _flag, "write metrics to a remote-write address, too", "standard")
    elasticsearch: bool = _option(False, _flag, "logs to Elasticsearch, too (contrib image)", _BOTH)
    cloud_logs: bool = _option(False, _flag, "logs to a cloud service that takes OTLP, too", _BOTH)
    loadbalancing: bool = _option(
        False, _flag, "agents spread traces over gateways by trace id (contrib image)", _GATEWAY
    )
    kafka: bool = _option(False, _flag, "a Kafka topic for each signal between agents and gateways", _GATEWAY)
    decision_wait: str = _option("4m", _duration, "how long a gateway waits for a trace without its root", _GATEWAY)
    root_wait: str = _option("10s", _duration, "how long it waits once the root has come", _GATEWAY)
    slow: str = _option("10s", _duration, "traces that took longer are kept", _GATEWAY)
    expensive: float = _option(
        0.05, _number(0, 1e6), "traces with a call that cost so many US dollars are kept", _GATEWAY
    )
    output_tokens: int = _option(
        4000, _count, "and those with a call of unknown cost that wrote so many tokens", _GATEWAY
    )
    keep: float = _option(10.0, _number(0, 100), "per cent of all other traces that are kept", _GATEWAY)
    traces_held: int = _option(50_000, _count, "traces that wait for a decision at most", _GATEWAY)


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as ``1m30s``."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))


def described() -> Sequence[tuple[str, str, str, str]]:
    """Return a row for each option: name, default, meaning, profiles."""
    return [(o.name, _shown(o.default), o.metadata["meaning"], o.metadata["profiles"]) for o in fields(Options)]


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
        if profile not in profiles.split(", "):
            raise SettingsError(f"--set {word}: {name} is an option of {profiles}, not of {profile}")
        try:
            chosen[name] = known[name].metadata["parse"](text.strip())
        except ValueError as error:
            raise SettingsError(f"--set {word}: {name} must be {error}") from None
    options = Options(**chosen)
    if profile == "standard" and "remote_write" in options.auth and not options.remote_write:
        raise SettingsError("auth=remote_write: add --set remote_write=true, or there is nobody to show that token to")
    if options.kafka and options.loadbalancing:
        raise SettingsError("kafka and loadbalancing are two ways from agents to gateways: choose one")
    return options


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
