"""Tables to records: what a TOML file and ``--set`` say, as the frozen dataclasses that hold it.

Names, defaults, types and meanings are the dataclasses' own. A value is never repeated in an error, only its shape: it
might be a secret in the wrong place.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, TypeVar

from otelkit.errors import SettingsError
from otelkit.provision.kinds import Kind

__all__ = ["Said", "Section", "Shape", "read", "sections"]

_T = TypeVar("_T")
_Has = Callable[[Field[Any]], bool]
_LONGEST: Final = 60  # characters of a name that is repeated
_HINTS: Final = 3


@dataclass(frozen=True, slots=True)
class Said:
    """A value from the command line: text, whatever the option's type."""

    text: str


class Shape(Enum):
    """How a section is written."""

    ONE = "[section]"
    EACH = "[section.word]"
    LIST = "[[section]]"


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the file.

    Attributes:
        place: its name from the top, dotted.
        meaning: what is chosen there.
        record: the dataclass that holds it.
        shape: how it is written.
        has: which of the dataclass's fields can be chosen here.
        words: for a section for each word, which ones there are.
        example: one of them.
    """

    place: str
    meaning: str
    record: type
    shape: Shape
    has: _Has
    words: type[Enum] | None = None
    example: str = ""

    @property
    def known(self) -> Mapping[str, Field[Any]]:
        """What can stand in it, options and sections."""
        return {field.name: field for field in fields(self.record) if self.has(field)}

    @property
    def options(self) -> Mapping[str, Field[Any]]:
        """The options among it."""
        return {name: field for name, field in self.known.items() if "kind" in field.metadata}

    def below(self, name: str) -> Section:
        """The section of that name in it."""
        field = self.known[name]
        hint = typing.get_type_hints(self.record)[name]
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        meaning, has = field.metadata["meaning"], field.metadata.get("has", _anything)
        place = _joined(self.place, name)
        if origin is tuple:
            return Section(place, meaning, inner[0], Shape.LIST, has)
        if inner and origin is not types.UnionType:
            return Section(place, meaning, inner[1], Shape.EACH, has, inner[0], field.metadata["example"])
        return Section(place, meaning, inner[0] if inner else hint, Shape.ONE, has)

    def of(self, word: str) -> Section:
        """The section of one of its words."""
        return Section(_joined(self.place, word), self.meaning, self.record, Shape.ONE, self.has)


def _anything(_: Field[Any]) -> bool:
    return True


def _joined(*parts: str) -> str:
    return ".".join(filter(None, parts))


def _top(record: type) -> Section:
    return Section("", "", record, Shape.ONE, _anything)


def sections(record: type) -> Iterator[Section]:
    """Give every section below a record, each before those in it."""
    yield from _below(_top(record))


def _below(section: Section) -> Iterator[Section]:
    for name in section.known:
        if name not in section.options:
            inner = section.below(name)
            yield inner
            yield from _below(inner.of(inner.example) if inner.shape is Shape.EACH else inner)


def read(record: type[_T], content: Mapping[str, Any], source: str) -> _T:
    """Return the record that a table describes.

    Args:
        record: a dataclass whose fields have kinds, or are sections.
        content: what a TOML file gives; single values may be :class:`Said`.
        source: the file's name, for errors.

    Raises:
        SettingsError: an unknown option, a value that is not allowed, something missing, or a contradiction.
    """
    made: _T = _Reader(record, source).one(_top(record), content)
    return made


class _Reader:
    def __init__(self, record: type, source: str) -> None:
        self._record = record
        self._source = source

    def one(self, section: Section, content: object) -> Any:
        """Return a section's record."""
        table = self._table(section, content)
        known = section.known
        made = {name: self._value(section, self._named(name, known, section, table), table[name]) for name in table}
        needed = [name for name in known if _is_needed(known[name]) and name not in made]
        if needed:
            raise SettingsError(f"{self._at(section.place, content)} needs {' and '.join(needed)}")
        try:
            return section.record(**made)
        except ValueError as error:
            raise SettingsError(f"{self._at(section.place, content)}: {error}") from None

    def _value(self, section: Section, name: str, value: object) -> Any:
        if name in section.options:
            return self._option(section.options[name].metadata["kind"], _joined(section.place, name), value)
        inner = section.below(name)
        if inner.shape is Shape.LIST:
            return self._list(inner, value)
        return self._each(inner, value) if inner.words else self.one(inner, value)

    def _option(self, kind: Kind, place: str, value: object) -> Any:
        try:
            return kind.parse(value.text) if isinstance(value, Said) else kind.read(value)
        except ValueError:
            raise self._refused(place, value, kind.allowed) from None

    def _list(self, section: Section, content: object) -> tuple[Any, ...]:
        if not isinstance(content, list):
            raise self._refused(section.place, content, f"a list in a file: [[{section.place}]]")
        entries = (replace(section, place=f"{section.place}#{n}") for n in range(1, len(content) + 1))
        return tuple(self.one(one, entry) for one, entry in zip(entries, content, strict=True))

    def _each(self, section: Section, content: object) -> Mapping[Enum, Any]:
        assert section.words is not None
        table = self._table(section, content)
        known = {str(word.value): word for word in section.words}
        return {
            known[self._named(word, known, section, table)]: self.one(section.of(word), table[word]) for word in table
        }

    def _table(self, section: Section, content: object) -> Mapping[str, Any]:
        if not isinstance(content, Mapping):
            raise self._refused(section.place, content, f"a section: [{section.place}] with options of its own")
        return content

    # --- what is wrong -----------------------------------------------------------------------------------------------

    def _named(self, name: str, known: Iterable[str], section: Section, table: Mapping[str, Any]) -> str:
        """The name, which is known."""
        if name in known:
            return name
        shown = name if name.isprintable() and len(name) <= _LONGEST else "…"
        near = [_joined(section.place, other) for other in get_close_matches(name, known, 1)] or self._elsewhere(name)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        at = self._at(_joined(section.place, shown), table[name])
        raise SettingsError(f"{at} does not exist; {hint}there are {', '.join(known)}")

    def _elsewhere(self, name: str) -> list[str]:
        """Where else there is an option or section of that name."""
        return [_joined(one.place, name) for one in sections(self._record) if name in one.known][:_HINTS]

    def _refused(self, place: str, value: object, allowed: str) -> SettingsError:
        return SettingsError(f"{self._at(place, value)} is {_shape(value)}, but must be {allowed}")

    def _at(self, place: str, content: object) -> str:
        """Where something is said: in the file, or after ``--set``."""
        return f"--set {place}" if _is_said(content) else f"{self._source}: {place}"


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _is_said(content: object) -> bool:
    """Nothing of it stands in a file."""
    if isinstance(content, Mapping):
        return bool(content) and all(map(_is_said, content.values()))
    return isinstance(content, Said)


def _shape(value: object) -> str:
    text = value.text if isinstance(value, Said) else value
    if isinstance(text, str):
        return f"text of length {len(text)}" if text else "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    return "a section" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else "something else"
