"""The file of choices with everything in it as a comment: every option, what it means, what is allowed, its default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field
from textwrap import wrap
from typing import Any, Final

from otelkit.provision.choices import FILE, Choices
from otelkit.provision.kinds import Kind
from otelkit.provision.reading import Section, Shape, sections

__all__ = ["example"]

_WIDTH: Final = 100
_HEAD: Final = f"""What `otelkit provision` writes: {FILE} in the current folder, or --config FILE.
Take the first # from a section's line and from the lines to change; values are the defaults.
Where there is no default, the value is an example and must be given. Secrets stand in files."""


def example() -> str:
    """Return it; as it is, it chooses nothing."""
    lines = [f"# {line}" for line in _HEAD.splitlines()]
    seen: dict[tuple[type, tuple[str, ...]], str] = {}
    for section in sections(Choices):
        lines += ["", *_section(section, seen)]
    return "\n".join(lines) + "\n"


def _section(section: Section, seen: dict[tuple[type, tuple[str, ...]], str]) -> Iterator[str]:
    yield from _comment(section.meaning)
    if section.shape is Shape.EACH and section.words:
        yield from _comment(f"For {', '.join(str(word.value) for word in section.words)}:")
        return
    if not section.options:
        return
    first = seen.setdefault((section.record, tuple(section.options)), section.place)
    if first != section.place:
        yield from _comment(f"Options: as in {first}.")
    yield f"#[[{section.place}]]" if section.shape is Shape.LIST else f"#[{section.place}]"
    for name, option in section.options.items():
        if first == section.place:
            yield from _comment(_says(option))
        if first == section.place or _kind(option).example:
            yield f"#{name} = {_value(option)}"


def _kind(option: Field[Any]) -> Kind:
    kind: Kind = option.metadata["kind"]
    return kind


def _says(option: Field[Any]) -> str:
    meaning, kind = option.metadata["meaning"], _kind(option)
    return f"{meaning} [{kind.allowed}]" if kind.types != (bool,) else meaning


def _value(option: Field[Any]) -> str:
    value = _kind(option).example or option.default
    assert value is not MISSING, f"{option.name} has neither a default nor an example"
    return json.dumps(value)


def _comment(text: str) -> Iterator[str]:
    yield from (f"# {line}" for line in wrap(text, _WIDTH))
