"""What is kept of values that audit records and security events are given: what programs write, no word of a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor

__all__ = ["kept", "pseudonym_of", "target_of"]

# What programs write, under names that mean a choice among few: no pattern tells the name of a person, an illness or a
# password from the word of a program.
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_./:-]*").fullmatch
_CHOICES: Final = frozenset({
    "access", "action", "category", "channel", "country", "currency", "environment", "feature", "flag", "format",
    "integration", "kind", "language", "level", "locale", "method", "mode", "model", "outcome", "permission", "phase",
    "plan", "policy", "priority", "provider", "reason", "region", "result", "role", "route", "scope", "setting",
    "severity", "source", "stage", "state", "status", "step", "tier", "type", "unit", "version", "visibility",
})  # fmt: skip
_LAST_WORD: Final = re.compile(r"[a-z]+\Z")
_SECRET_NUMBER: Final = re.compile(
    r"(?:^|[._-])(?:pin|otp|cvv|cvc|phone|mobile|birth\w*|age|zip|postal\w*)\Z", re.IGNORECASE
)
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}").fullmatch
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,99}").fullmatch
_PEOPLE: Final = {
    **dict.fromkeys(("user", "account", "client", "contact", "customer", "employee", "member", "owner"), "user"),
    **dict.fromkeys(("patient", "person", "profile", "student"), "user"),
    **dict.fromkeys(("group", "team", "tenant", "organisation", "organization", "org"), "group"),
    "session": "session",
}
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


def target_of(target: str, pseudonym: Pseudonymiser) -> str:
    """Return ``kind:id``: ids of people and groups as pseudonyms, what no program writes as a fingerprint."""
    kind, colon, identifier = target.partition(":")
    namespace = _PEOPLE.get(kind.strip().lower().removesuffix("s"))
    if colon and namespace:
        return f"{namespace}:{pseudonym_of(identifier, namespace, pseudonym)}"
    if not colon or _KIND(kind) is None:
        return _fingerprint("", target, pseudonym)
    if _ID(identifier) and _redactor.text(target) == target:
        return target
    return f"{kind}:{_fingerprint(kind, identifier, pseudonym)}"


def _harmless(name: str, value: object) -> bool:
    cleaned = _redactor.attributes({name: value})  # type: ignore[dict-item]
    if cleaned.get(name, value) is not value or name not in cleaned:
        return False
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return _is_harmless_number(name, value)
    return isinstance(value, str) and len(value) <= _LONGEST and _WORD(value) is not None and _is_choice(name)


def _is_harmless_number(name: str, value: float) -> bool:
    if _SECRET_NUMBER.search(name) or _redactor.text(str(value)) != str(value):  # a card's number is one
        return False
    return abs(value) < _LARGEST and value == value  # neither infinity nor NaN is JSON


def _is_choice(name: str) -> bool:
    """Whether the last word of a name (``old_role``, ``member.status``) means one."""
    word = _LAST_WORD.search(name)
    return word is not None and word[0] in _CHOICES


def _fingerprint(name: str, value: object, pseudonym: Pseudonymiser) -> str:
    """Return the same for the same value: one can see that it changed, not what it was."""
    try:
        text = json.dumps(value, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return "fingerprint:" + pseudonym(f"audit:{name}", text)[:_FINGERPRINT_CHARACTERS]
