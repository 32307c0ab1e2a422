"""Text → value; a ``ValueError`` says what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

Parser = Callable[[str], Any]

_SHORTEST_SALT: Final = 16  # characters
SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


def text(text: str) -> str:
    return text.strip()


def flag(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("true or false (also 1/0, yes/no, on/off)")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the variable's unit; the field holds it times ``scale``."""

    low: float
    high: float = math.inf
    scale: float = 1.0
    zero: bool = False  # allowed below ``low``, where it is "off"

    def __call__(self, text: str) -> float:
        allowed = f"a number from {self.low:.12g}" + (f" to {self.high:.12g}" if self.high < math.inf else " up")
        allowed += ", or 0" if self.zero else ""
        try:
            value = float(text)
        except ValueError:
            raise ValueError(allowed) from None
        within = self.low <= value <= self.high or (self.zero and value == 0)  # false for NaN too
        if not within or math.isinf(value):
            raise ValueError(allowed)
        return value * self.scale

    def in_code(self) -> Number:
        """The same for an argument, which is in the field's unit."""
        return Number(self.low * self.scale, self.high * self.scale, zero=self.zero)


def integer(low: int, high: int | None = None) -> Parser:
    allowed = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(allowed) from None
        if value < low or (high is not None and value > high):
            raise ValueError(allowed)
        return value

    return parse


def port_or(*words: str) -> Parser:
    port = integer(0, 65_535)

    def parse(text: str) -> int | str:
        word = text.strip().lower()
        try:
            return word if word in words else int(port(word))
        except ValueError as error:
            raise ValueError(f"{error}, or {' or '.join(words)}") from None

    return parse


def access_token(text: str) -> str:
    if len(text.strip()) < _SHORTEST_TOKEN:
        raise ValueError(f"{_SHORTEST_TOKEN} characters or more; `openssl rand -hex 32` makes one")
    return text.strip()


_SHORTEST_TOKEN: Final = 16


def choice(*names: str) -> Parser:
    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in names:
            raise ValueError("one of " + ", ".join(names))
        return word

    return parse


def url(text: str) -> str:
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("an address such as http://127.0.0.1:4318") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address with http:// or https:// and a host, such as http://127.0.0.1:4318")
    return url


def pairs(text: str) -> dict[str, str]:
    """``key=value,key=value`` with percent-encoded values, as OTEL_RESOURCE_ATTRIBUTES and OTLP headers are written."""
    result: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ValueError("key=value pairs separated by commas")
        result[key.strip()] = unquote(value.strip())
    return result


def shares(text: str) -> dict[str, float]:
    """``GET /health=0.1,POST /chat=0.5``: of each route one request in a whole number."""
    allowed = "routes with a share that is one in a whole number, such as GET /health=0.1,GET /ready=0.01"
    found: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        route, _, written = item.rpartition("=")
        try:
            share = float(written)
        except ValueError:
            raise ValueError(allowed) from None
        if not re.fullmatch(r"[A-Z]+ /\S*", route) or not 0 < share <= 1 or abs(1 / share - round(1 / share)) > 1e-6:
            raise ValueError(allowed)
        found[route] = share
    return found


def names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a file path")
    return Path(text).expanduser()


_AGES: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SIZES: Final = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Measure(int):
    """A whole number that prints as it is written, in the largest unit that divides it; 0 has a word."""

    units: Mapping[str, int]
    nothing: str

    def __str__(self) -> str:
        if not self:
            return self.nothing
        fitting = [unit for unit, size in self.units.items() if self % size == 0]
        return f"{self // self.units[fitting[-1]]}{fitting[-1]}" if fitting else repr(int(self))


class Age(_Measure):
    """Seconds; 0 is for ever."""

    units = _AGES
    nothing = "forever"


class Size(_Measure):
    """Bytes; 0 is without a limit."""

    units = _SIZES
    nothing = "unlimited"


def age(text: str) -> Age:
    seconds = _measured(text, _AGES, Age.nothing)
    if seconds is None:
        raise ValueError("a time such as 12h, 30d or 8w, or forever")
    return Age(seconds)


def size(text: str) -> Size:
    count = _measured(text, _SIZES, Size.nothing)
    if count is None or 0 < count < _SMALLEST:
        raise ValueError("a size such as 500MB or 10GB, 10MB or more, or unlimited")
    return Size(count)


_SMALLEST: Final = 10 * 10**6


def _measured(text: str, units: Mapping[str, int], nothing: str) -> int | None:
    if text.strip().lower() == nothing:
        return 0
    found = re.fullmatch(r"(\d{1,9})\s*([A-Za-z]+)", text.strip())
    factor = next((units[unit] for unit in units if found and unit.lower() == found[2].lower()), None)
    return int(found[1]) * factor if found and factor and int(found[1]) else None


def postgres_url(text: str) -> str:
    if not re.match(r"(postgresql|postgres)://[^/]*/.", text.strip()):
        raise ValueError("an address such as postgresql://user:password@host:5432/name")
    return text.strip()


def capture(text: str) -> bool:
    """OpenTelemetry's four words, and true/false."""
    word = text.strip().upper()
    if word in {"NO_CONTENT", "EVENT_ONLY", ""}:  # content goes on spans here, and EVENT_ONLY wants none there
        return False
    if word in {"SPAN_ONLY", "SPAN_AND_EVENT"}:
        return True
    try:
        return flag(text)
    except ValueError:
        raise ValueError("NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT, true or false") from None


def patterns(text: str) -> tuple[str, ...]:
    found = names(text)
    for name in found:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"regular expressions separated by commas; {name!r} is none: {error}") from None
    return found


def salt(text: str) -> str:
    if len(text.strip()) < _SHORTEST_SALT:
        raise ValueError(f"at least {_SHORTEST_SALT} characters, or ids could be found by trying")
    return text.strip()


def log_level(text: str) -> str:
    return str(choice("debug", "info", "warning", "error", "critical")(text))
