"""What is kept of values that audit records and security events are given: what programs write, no word of a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor

__all__ = ["kept", "pseudonym_of"]

# Roles, states, plans, ids of things: what programs write. What people write may be about people.
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_./:-]*").fullmatch
_NAMES: Final = re.compile(r"(?:^|[._-])(?:name|title|label|first|last|nick|user|login|address|city)", re.I).search
_LONGEST: Final = 64
_MOST: Final = 50
_LARGEST: Final = 2**63  # of a number in OTLP
_FINGERPRINT_CHARACTERS: Final = 16
_redactor: Final = Redactor()


def kept(values: Mapping[str, Any], pseudonym: Pseudonymiser) -> dict[str, Any]:
    """Return what may be kept of values as it is, and a fingerprint of the rest."""
    found: dict[str, Any] = {}
    for name, value in list(values.items())[:_MOST]:
        key = _redactor.text(str(name))[:_LONGEST]
        found[key] = value if _harmless(key, value) else _fingerprint(key, value, pseudonym)
    return found


def pseudonym_of(identifier: str, namespace: str, pseudonym: Pseudonymiser) -> str:
    """Return an id's pseudonym; one that is a pseudonym of ours is its own."""
    return identifier if pseudonym.made(identifier) else pseudonym(namespace, identifier)


def _harmless(name: str, value: object) -> bool:
    cleaned = _redactor.attributes({name: value})  # type: ignore[dict-item]
    if cleaned.get(name, value) is not value or name not in cleaned:
        return False
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -_LARGEST <= value < _LARGEST
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")  # neither is JSON
    return isinstance(value, str) and len(value) <= _LONGEST and _WORD(value) is not None and not _NAMES(name)


def _fingerprint(name: str, value: object, pseudonym: Pseudonymiser) -> str:
    """Return the same for the same value: one can see that it changed, not what it was."""
    try:
        text = json.dumps(value, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return "fingerprint:" + pseudonym(f"audit:{name}", text)[:_FINGERPRINT_CHARACTERS]
