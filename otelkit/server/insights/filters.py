"""The filter language, the same everywhere: ``model:gpt-4o -tool:search duration:>2s cost:>0.01 "free words"``.

Terms are separated by blanks. ``key:value`` compares for equality, ``key:>value`` (``>=``, ``<``, ``<=``) by size, a
dash before a term says that it must not hold, and quotes hold a value together. The same key twice means either value.
A :class:`Language` knows the keys of one section and turns terms into conditions; what it cannot read raises
:class:`FilterError`, which points at the characters.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, false, func, not_, or_

__all__ = ["Field", "Filter", "FilterError", "Language", "Term", "parse", "written"]

_TERM: Final = re.compile(
    r"""(?P<no>-)?
        (?:(?P<key>[A-Za-z_][\w.\-/]*)(?P<sign>:(?:[<>]=?|=)?|[<>]=?))?
        (?P<value>"(?:[^"\\]|\\.)*"|[^\s"]*)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"(?P<digits>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[a-zA-Zµ]*)")
_MOST_TERMS: Final = 30
_MOST_WORDS: Final = 20

# What a unit multiplies by, per kind of number; the empty one is what a bare number means.
_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "duration": {"": 1e6, "ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 6e10, "min": 6e10, "h": 3.6e12},
    "money": {"": 1},
    "number": {"": 1, "k": 1e3, "K": 1e3, "M": 1e6},
}
_HOW: Final = {
    "duration": "a duration, as in duration:>2s or duration:<300ms",
    "money": "US dollars, as in cost:>0.01",
    "number": "a number, as in tokens:>=1000 or errors:>0",
}
_COMPARE: Final[Mapping[str, Callable[[Any, float], Any]]] = {
    "": lambda column, value: column == value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
}


class FilterError(ValueError):
    """A filter cannot be read; ``at`` and ``until`` are the first character meant and the one after the last."""

    def __init__(self, message: str, at: int, until: int, allowed: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.until, self.allowed = message, at, until, allowed


class Term(NamedTuple):
    """One part of a filter; ``key`` is empty for words, ``sign`` for equality."""

    key: str
    sign: str
    value: str
    negated: bool = False
    at: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """What one key compares.

    ``kind`` is text, choice, number, duration (of a column in nanoseconds) or money. A text or choice has
    ``condition``, from a value (ValueError where it is none); a number has ``column``, and perhaps ``unknown``, the
    condition for ``key:unknown``. ``facet`` names where its values are listed.
    """

    key: str
    kind: str
    about: str
    condition: Callable[[str], ColumnElement[bool]] | None = None
    column: Any = None
    values: tuple[str, ...] = ()
    unknown: ColumnElement[bool] | None = None
    facet: str | None = None

    def json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "kind": self.kind,
            "about": self.about,
            "values": list(self.values) or None,
            "facet": self.facet,
        }


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was understood: conditions that all must hold, and words to look for (or not to find)."""

    terms: tuple[Term, ...] = ()
    conditions: tuple[ColumnElement[bool], ...] = ()
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    attributes: tuple[Term, ...] = ()

    def only(self, *keys: str) -> bool:
        """Say whether one of the keys is asked for (and not just excluded)."""
        return any(term.key in keys and not term.negated for term in self.terms)

    def values(self, key: str) -> list[str]:
        """Return the values asked for under a key."""
        return [term.value for term in self.terms if term.key == key and not term.negated]


@dataclass(frozen=True)
class Language:
    """The keys of one section. With ``attributes`` a dotted key that is none of them is an attribute's name."""

    name: str
    fields: tuple[Field, ...]
    words: bool = True
    attributes: bool = False
    _by_key: dict[str, Field] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._by_key.update({known.key: known for known in self.fields})

    @property
    def keys(self) -> list[str]:
        return [known.key for known in self.fields]

    def read(self, text: str, more: Iterable[Term] = ()) -> Filter:
        """Return the filter that a text means, with further terms from elsewhere; raises :class:`FilterError`."""
        terms = [*parse(text), *more]
        words: dict[bool, list[str]] = {False: [], True: []}
        attributes: list[Term] = []
        either: defaultdict[str, list[ColumnElement[bool]]] = defaultdict(list)
        conditions: list[ColumnElement[bool]] = []
        for term in terms:
            known = self._by_key.get(term.key)
            if not term.key:
                words[term.negated].extend(self._words(term))
            elif known is None:
                attributes.append(self._attribute(term))
            elif term.negated:
                conditions.append(not_(func.coalesce(_condition(known, term), false())))
            elif known.kind in ("text", "choice"):
                either[term.key].append(_condition(known, term))
            else:
                conditions.append(_condition(known, term))
        if len(words[False]) > _MOST_WORDS:
            raise FilterError(f"more than {_MOST_WORDS} words", 0, len(text))
        conditions.extend(or_(*some) for some in either.values())
        return Filter(tuple(terms), tuple(conditions), tuple(words[False]), tuple(words[True]), tuple(attributes))

    def _words(self, term: Term) -> list[str]:
        if not self.words:
            raise FilterError("free words cannot be looked for here", term.at, term.until, self.keys)
        return _WORDS.findall(term.value)

    def _attribute(self, term: Term) -> Term:
        if not self.attributes or "." not in term.key:
            raise FilterError(f"there is no filter {term.key[:100]!r} here", *_key_place(term), self.keys)
        if term.sign:
            raise FilterError("attributes are compared for equality only", *_value_place(term))
        return term


def parse(text: str) -> list[Term]:
    """Cut a filter into its terms; raises :class:`FilterError` for what is no filter at all."""
    found: list[Term] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return found
        term = _term(text, at)
        at = term.until
        found.append(term)
        if len(found) > _MOST_TERMS:
            raise FilterError(f"more than {_MOST_TERMS} terms", term.at, term.until)


def _term(text: str, at: int) -> Term:
    match = _TERM.match(text, at)
    assert match is not None  # every part may be empty
    end = match.end()
    if end < len(text) and not text[end].isspace():
        opening = text[end] == '"' and text.find('"', end + 1) < 0
        message = "this quote is not closed" if opening else "quotes go around a whole value"
        raise FilterError(message, end, end + 1 if not opening else len(text))
    key, sign, value = match["key"] or "", (match["sign"] or "").lstrip(":"), match["value"]
    negated = match["no"] is not None
    if key.lower() in ("http", "https") and value.startswith("//"):  # an address, not a key
        return Term("", "", text[at + negated : end], negated, at, end)
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    if not value and not (negated and not key):  # a dash between words is just that
        raise FilterError(f"{key}: needs a value" if key else "a value is missing", at, end)
    return Term(key, "" if sign == "=" else sign, value, negated, at, end)


def written(key: str, value: str, sign: str = "") -> str:
    """Return a term as it is typed."""
    plain = value and not re.search(r'[\s"]', value) and value[0] not in "<>="
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{key}:{sign}{value if plain else quoted}"


def _condition(known: Field, term: Term) -> ColumnElement[bool]:
    if known.kind in ("text", "choice"):
        if term.sign:
            raise FilterError(f"{known.key} has no size to compare", *_value_place(term))
        if known.values and term.value not in known.values:
            raise FilterError(f"{term.value[:100]!r} is not a {known.key}", *_value_place(term), known.values)
        assert known.condition is not None
        try:
            return known.condition(term.value)
        except ValueError as error:
            raise FilterError(str(error), *_value_place(term)) from error
    if term.value == "unknown" and known.unknown is not None and not term.sign:
        return known.unknown
    compared: ColumnElement[bool] = _COMPARE[term.sign](known.column, _number(known, term))
    return compared


def _number(known: Field, term: Term) -> float:
    text = term.value.removeprefix("$") if known.kind == "money" else term.value
    match = _NUMBER.fullmatch(text)
    factor = _UNITS[known.kind].get(match["unit"]) if match is not None else None
    if match is None or factor is None:
        units = [unit for unit in _UNITS[known.kind] if unit] or None
        raise FilterError(f"{term.value[:100]!r} is not {_HOW[known.kind]}", *_value_place(term), units)
    number = float(match["digits"]) * factor
    if not math.isfinite(number) or number >= 2**63:
        raise FilterError("this number is too large", *_value_place(term))
    return number if known.kind == "money" or not number.is_integer() else int(number)


def _key_place(term: Term) -> tuple[int, int]:
    start = term.at + term.negated
    return start, start + len(term.key)


def _value_place(term: Term) -> tuple[int, int]:
    return min(term.until, term.at + term.negated + len(term.key) + 1), term.until
