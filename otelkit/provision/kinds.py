"""What an option may be: fields of dataclasses that say what they mean, and how their value is read from outside.

A value comes from a TOML file, with a type, or from the command line, as text. Both go through the same parser, which
takes text and whose ``ValueError`` says what is allowed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, Final
from zoneinfo import available_timezones

from otelkit.settings import parsers

__all__ = [
    "DAYS",
    "Kind",
    "address",
    "addresses",
    "clock",
    "count",
    "days",
    "duration",
    "flag",
    "host",
    "line",
    "number",
    "one_of",
    "path",
    "place",
    "section",
    "share",
    "some_of",
    "zone",
]

DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In Alertmanager's order."""

_NUMBER: Final = (int, float)
_LIST: Final = (list,)
_HOST: Final = r"([\w.-]+|\[[0-9a-fA-F:]+\])"
_REST: Final = r"([^\s{}%]|%[0-9a-fA-F]{2})*"  # of an address; braces would begin a template


@dataclass(frozen=True, slots=True)
class Kind:
    """How one value is read.

    Attributes:
        parse: text → value; raises ``ValueError`` with what is allowed, as it does for a zero byte.
        types: what TOML calls such a value.
        example: what stands in the example file where there is no default.
    """

    parse: Callable[[str], Any]
    types: tuple[type, ...] = (str,)
    example: object = ""

    @property
    def allowed(self) -> str:
        """What the parser itself says of a value that nothing allows."""
        try:
            self.parse("\0")
        except ValueError as error:
            return str(error)
        raise AssertionError("every kind refuses a zero byte")

    def read(self, value: object) -> Any:
        """Return the value of what a TOML file holds.

        Raises:
            ValueError: it is of another type, or not allowed; says what is.
        """
        if type(value) not in self.types:  # exactly: to Python a truth value is a number
            raise ValueError(self.allowed)
        if not isinstance(value, list):
            return self.parse(value if isinstance(value, str) else json.dumps(value))
        if not all(isinstance(entry, str) and "," not in entry for entry in value):
            raise ValueError(self.allowed)
        return self.parse(",".join(value))


def _option(default: Any, meaning: str, kind: Kind, **more: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "meaning": meaning, **more})


def section(default: Any, meaning: str, **more: Any) -> Any:
    """A field with options of its own: a dataclass, one for each word of an enumeration, or a list of them."""
    if callable(default):
        return field(default_factory=default, metadata={"meaning": meaning, **more})
    return field(default=default, metadata={"meaning": meaning, **more})


# --- yes and no, numbers, times --------------------------------------------------------------------------------------


def flag(default: bool, meaning: str, **more: Any) -> Any:
    """True or false."""

    def parse(text: str) -> bool:
        try:
            return bool(parsers.flag(text))
        except ValueError:
            raise ValueError("true or false") from None  # a file has no other words for it

    return _option(default, meaning, Kind(parse, (bool,)), **more)


def number(default: float, meaning: str, low: float, high: float = math.inf, **more: Any) -> Any:
    """A number in the unit that ``meaning`` names."""
    return _option(default, meaning, Kind(parsers.Number(low, high), _NUMBER), **more)


def share(default: float, meaning: str) -> Any:
    """A part of 1."""
    return number(default, meaning, 0, 1)


def count(default: int, meaning: str, low: int = 0, **more: Any) -> Any:
    """A whole number."""
    return _option(default, meaning, Kind(parsers.integer(low), (int,)), **more)


def duration(default: str, meaning: str, units: str = "ms|s|m|h", *, zero: bool = False, **more: Any) -> Any:
    """A time as the program that reads it writes it."""

    def parse(text: str) -> str:
        parts = re.findall(rf"(\d{{1,9}})({units})", text)
        whole = "".join(map("".join, parts)) == text
        if not parts or not whole or not (zero or any(int(amount) for amount, _ in parts)):
            raise ValueError("a duration such as 500ms, 30s or 4m" + (", or 0s" if zero else ""))
        return text

    return _option(default, meaning, Kind(parse), **more)


def clock(meaning: str, example: str) -> Any:
    """A time of day, without a default."""

    def parse(text: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
            raise ValueError("a time of day from 00:00 to 24:00")
        return text

    return _option(MISSING, meaning, Kind(parse, example=example))


def zone(default: str, meaning: str) -> Any:
    """A time zone."""

    def parse(text: str) -> str:
        known = available_timezones()  # empty on a machine without them, where the shape must do
        if text not in known if known else not re.fullmatch(r"[A-Za-z][\w+-]*(/[\w+-]+)*", text):
            raise ValueError("a time zone such as UTC or Europe/Berlin")
        return text

    return _option(default, meaning, Kind(parse))


# --- words -----------------------------------------------------------------------------------------------------------


def one_of(default: str, meaning: str, words: Sequence[str], **more: Any) -> Any:
    """One word of some."""
    return _option(default, meaning, Kind(parsers.choice(*words)), **more)


def some_of(meaning: str, words: Sequence[str], **more: Any) -> Any:
    """Words among some; none of them by default."""

    def parse(text: str) -> tuple[str, ...]:
        named = () if text == "none" else parsers.names(text)
        if not set(named) <= set(words):
            raise ValueError(f"names among {', '.join(words)}, separated by commas or as a list")
        return named

    return _option((), meaning, Kind(parse, _LIST), **more)


def days(meaning: str) -> Any:
    """Days of the week and ranges of them; none by default."""

    def parse(text: str) -> tuple[str, ...]:
        named = parsers.names(text.lower())
        for entry in named:
            bounds = [DAYS.index(day) if day in DAYS else -1 for day in entry.split(":")]
            if min(bounds) < 0 or len(bounds) > 2 or bounds != sorted(bounds):
                raise ValueError(f"names among {', '.join(DAYS)}, ranges such as monday:friday")
        return named

    return _option((), meaning, Kind(parse, _LIST))


def _shaped(pattern: str, allowed: str, *, empty: bool) -> Callable[[str], str]:
    """The parser of text with a shape; control characters are in none."""

    def parse(text: str) -> str:
        if not (empty and not text) and (not text.isprintable() or not re.fullmatch(pattern, text)):
            raise ValueError(allowed)
        return text

    return parse


def _text(default: str | None, meaning: str, pattern: str, allowed: str, example: str) -> Any:
    """Text without a default (None), or that may be empty where its default is."""
    parse = _shaped(pattern, allowed, empty=default == "")
    return _option(MISSING if default is None else default, meaning, Kind(parse, example=example))


def line(default: str | None, meaning: str, example: str = "") -> Any:
    """Any text on one line."""
    return _text(default, meaning, r"(?!.*\{\{)\S(.*\S)?", "text on one line, without {{", example)


def path(default: str, meaning: str) -> Any:
    """The path of a file, on the machine where the program that reads it runs."""
    return _text(default, meaning, r"(?!\w+://)\S(.*\S)?", "the path of a file", "")


def place(default: str, meaning: str) -> Any:
    """An address, or the path of a file."""
    return _text(default, meaning, rf"(?!\w+://[^/]*@){_REST}", "an address without a user or password, or a path", "")


def address(default: str, meaning: str, example: str = "") -> Any:
    """An http or https address; whoever may read it needs no password in it."""
    allowed = "an address with http:// or https://, without a user or password"
    return _text(default, meaning, rf"https?://{_HOST}(:\d{{1,5}})?([/?#]{_REST})?", allowed, example)


def addresses(meaning: str, example: str) -> Any:
    """E-mail addresses separated by commas, without a default."""
    one = r"[^\s@,{}]+@[^\s@,{}]+"
    return _text(None, meaning, rf"{one}(\s*,\s*{one})*", "e-mail addresses separated by commas", example)


def host(meaning: str, example: str) -> Any:
    """A host and port, without a default."""
    return _text(None, meaning, rf"{_HOST}:\d{{1,5}}", "a host and port", example)
