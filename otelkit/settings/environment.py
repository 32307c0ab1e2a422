"""The only reader of the environment: variables → :class:`~otelkit.settings.options.Settings`."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from otelkit.errors import SettingsError
from otelkit.settings.options import OPTIONS, Option, Settings
from otelkit.settings.parsers import Number, Parser

DESTINATIONS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTELKIT_HEADERS",
)
"""Variables that would send telemetry elsewhere, or secrets along, whatever the endpoint says."""


def without_telemetry_options(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without options of otelkit or OpenTelemetry: for runs whose figures must not depend on them."""
    return {name: value for name, value in environ.items() if not name.startswith(("OTEL_", "OTELKIT_"))}


def current_environment() -> dict[str, str]:
    """A copy of the process environment, for commands that start others."""
    return dict(os.environ)


def package_version() -> str:
    """otelkit's version; ``0+source`` where it runs from a folder and is not installed."""
    try:
        return importlib.metadata.version("otelkit")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


def data_directory() -> Path:
    """Where otelkit keeps what outlives a process: ``otelkit`` in the user's data directory (XDG)."""
    home = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(home) if home else Path.home() / ".local" / "share") / "otelkit"


def read_table(path: Path) -> Mapping[str, Any]:
    """Read a TOML or JSON file that a setting names.

    Raises:
        SettingsError: it cannot be read, or is neither.
    """
    try:
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # both parsers' errors say where
        raise SettingsError(f"{path} is no valid {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{path} must hold a table, not a {type(data).__name__}")
    return data


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read all options.

    Args:
        environ: variables to read; the process's own by default.
        overrides: values by field name that win over the environment; ``None`` means not given.

    Raises:
        SettingsError: a value is wrong, or an override names no option.
    """
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name, option in OPTIONS.items():
        variable = next((key for key in option.variables if source.get(key, "").strip()), None)
        if variable is not None:
            values[name] = _parsed(variable, option, source[variable])
    for name, value in overrides.items():
        if name not in OPTIONS:
            raise SettingsError(f"there is no option {name!r}; `otelkit settings` lists them")
        if value is not None:
            values[name] = _checked(name, OPTIONS[name], value)
    settings = Settings(**values)  # type: ignore[arg-type]
    return settings if settings.enable_telemetry else dataclasses.replace(settings, disabled=True)


_URL_CREDENTIALS: Final = re.compile(r"//[^/\s]*@")


def without_credentials(address: str) -> str:
    """An address as it may be shown: ``https://…@host`` for ``https://user:password@host``."""
    return _URL_CREDENTIALS.sub("//…@", address)


def _parsed(variable: str, option: Option, text: str, parse: Parser | None = None) -> object:
    try:
        return (parse or option.parse)(text)
    except ValueError as error:
        shape = f"{len(text)} characters" if option.secret else repr(without_credentials(text)[:80])
        raise SettingsError(f"{variable} is {shape}, but must be {error}") from None


def _checked(name: str, option: Option, value: object) -> object:
    """An override given in code: text and plain numbers are checked as the environment's are, other types are taken."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Path)):
        return value
    parse = option.parse.in_code() if isinstance(option.parse, Number) else option.parse
    return _parsed(f"{name}=", option, str(value), parse)
