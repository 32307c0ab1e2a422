"""Query parameters, checked; what is wrong is answered with what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from starlette.datastructures import QueryParams

from otelkit.server.insights.filters import Filter, FilterError, Language, Term
from otelkit.server.insights.ranges import LENGTHS
from otelkit.server.insights.sums import Scope

__all__ = ["BadParameterError", "Params"]

_LONGEST: Final = 500
_LONGEST_FILTER: Final = 2000
_WORDS: Final = re.compile(r"[^\W_]+")
_RANGES: Final = ("auto", *LENGTHS, "all")
_LAST_MS: Final = 9.2e12


class BadParameterError(Exception):
    """One parameter cannot be used."""

    def __init__(
        self,
        parameter: str,
        message: str,
        allowed: Sequence[str] | None = None,
        *,
        at: int | None = None,
        until: int | None = None,
    ) -> None:
        super().__init__(message)
        self.parameter, self.message, self.allowed = parameter, message, allowed
        self.place = {} if at is None else {"at": at, "until": until}

    def json(self) -> dict[str, Any]:
        allowed = list(self.allowed) if self.allowed is not None else None
        return {"error": {"parameter": self.parameter, "message": self.message, "allowed": allowed, **self.place}}


class Params:
    """The parameters of one request; each reader raises :class:`BadParameterError`.

    ``known`` are the names the route understands: any other is refused, so that a typing error is not silence.
    """

    def __init__(self, query: QueryParams, known: Iterable[str]) -> None:
        self._query = query
        names = sorted(known)
        for name in query:
            if name not in names:
                raise BadParameterError(name[:100], f"there is no parameter {name[:100]!r} here", names)

    def text(self, name: str) -> str | None:
        """Return a text, None where it is absent or empty."""
        value = self._query.get(name)
        if value is None or value == "":
            return None
        longest = _LONGEST_FILTER if name == "filter" else _LONGEST
        if len(value) > longest:
            raise BadParameterError(name, f"longer than {longest} characters")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            raise BadParameterError(name, f"{value[:100]!r} is not one of the allowed values", allowed)
        return value

    def number(self, name: str) -> float | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            raise BadParameterError(name, f"{value[:100]!r} is not a number") from None
        if not 0 <= number <= _LAST_MS:
            raise BadParameterError(name, "not in the range of times that exist", [f"0 … {_LAST_MS:.0f}"])
        return number

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or len(value) > 9 or not low <= int(value) <= high:
            raise BadParameterError(name, f"{value[:100]!r} is not allowed", [f"{low} … {high}"])
        return int(value)

    def hexadecimal(self, name: str, digits: int) -> bytes | None:
        value = self.text(name)
        return None if value is None else parse_id(name, value, digits)

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of a search text, as the full-text index cuts them."""
        found = tuple(_WORDS.findall(self.text(name) or ""))
        if len(found) > 20:
            raise BadParameterError(name, "more than 20 words")
        return found

    def filter(self, language: Language, more: Iterable[Term] = ()) -> Filter:
        """Return what ``filter`` means in a language, together with terms that other parameters stand for."""
        try:
            return language.read(self.text("filter") or "", more)
        except FilterError as bad:
            raise BadParameterError("filter", bad.message, bad.allowed, at=bad.at, until=bad.until) from bad

    def scope(self) -> Scope:
        return Scope(self.text("service"), self.text("environment"))

    def period(self) -> tuple[str | None, float | None, float | None]:
        """Return label, from and to (milliseconds), all None where nothing was asked for."""
        start, end = self.number("from"), self.number("to")
        if start is not None and end is not None and end <= start:
            raise BadParameterError("to", "not after `from`")
        return self.choice("range", _RANGES), start, end


def parse_id(name: str, value: str, digits: int) -> bytes:
    """Read a trace or span id."""
    if len(value) != digits or not re.fullmatch(r"[0-9a-fA-F]+", value):
        raise BadParameterError(name, f"not an id: {digits} hex digits are needed")
    return bytes.fromhex(value)
