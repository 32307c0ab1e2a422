"""What the Collector masks in telemetry of services that do not redact themselves: the SDK's patterns, for RE2.

otelkit's SDK redacts before anything leaves the process (:mod:`otelkit.mapping.patterns`). A plain OpenTelemetry client
does not: this stage is for those. RE2 has no lookaround and the processor no arithmetic, so it differs: numbers that
look like cards or IBANs are masked without their checksum, a name goes with its value (``password=…`` becomes
``****``), four-part version numbers look like addresses, of what is percent-encoded only ``@`` and ``=`` are read, and
attribute *keys* stay as they are.

The processor tries patterns in no fixed order: each must hold alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from otelkit.mapping.patterns import KEY_PREFIXES, PHONE_KEYS, PLACEHOLDER, QUERY_NAMES, SECRET_KEYS
from otelkit.provision.collector.components import Component, Kind
from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = [
    "ALLOWED",
    "BLOCKED_KEYS",
    "IGNORED_KEYS",
    "MASK",
    "PATTERNS",
    "SAYS_NOTHING",
    "attributes",
    "by_key",
    "lifted",
    "lowered",
]

MASK: Final = "****"

_SIGN: Final = r"""(?:\\{0,3}["'])?\s{0,3}(?:=>|[=:]|%3D)\s{0,3}"""
_BARE: Final = r"""[^\s&,;"'<>(){}\\\]]"""
_QUOTED: Final = r"""\\{0,3}["'][^"'\\]+"""
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# Neither 0 nor 127: nobody's address, and this machine's.
_FIRST_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1[013-9]\d|12[0-689]|[1-9]\d|[1-9])"
_HEX: Final = r"[0-9A-Fa-f]+"
_CARDS: Final = (
    r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[0-689]\d\d|6(?:011|2\d\d|4[4-9]\d|5\d\d))(?:[ -]?\d{4}){3}",
    r"4\d{12}",
    r"3[47]\d\d[ -]?\d{6}[ -]?\d{5}",
    r"3[0689]\d\d[ -]?\d{6}[ -]?\d{4}",
)
_SSN: Final = r"\d{3}[- ]\d\d[- ]\d{4}"
_PHONES: Final = (
    r"(?:\+|00[1-9])[ (]{0,2}\d[\d ()./-]{5,24}\d",
    r"\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}",
    r"\(?0\d{1,4}\)?[ /-]{1,3}\d{3,4}(?:[ -]?\d{2,4}){1,3}",
)

# What begins a pattern is a few characters, not a choice of words: it is asked at every position of every text. So a
# name's first letter may be another name's ("xecret"), which masks no more in practice.
_NAMES: Final = (
    r"[acepsx](?:asswords?|asswd|assphrase|asscode|wd|ecrets?|pi[_-]?keys?"
    r"|(?:ccess|ecret|rivate|igning|ncryption|uth)[_-]?keys?|redentials?|uthorization|ookies?"
    r"|-(?:amz|goog)-signature|onnection[_-]?strings?)"
)
_KEY_STARTS: Final = "|".join(sorted({re.escape(prefix[1:]).replace(r"\-", "-") for prefix in KEY_PREFIXES}))

PATTERNS: Final[Mapping[str, str]] = {
    "private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}-----)?",
    "credentials": r"""://[^\s/?#"'<>@]+@""",
    "jwt": r"eyJ[\w-]{8,}(?:\.[\w-]+)*",
    "key": rf"\b[A-Za-z](?:{_KEY_STARTS})(?:[A-Za-z_-]{{0,14}}\d[\w-]{{8,}}|[A-Za-z_-]{{15,}}\d[\w-]*)",
    "fixed key": r"\b(?:A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{12,20}|AIza[\w-]{20,}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|AC[0-9a-f]{32}\b)|hooks\.slack\.com/services/[\w/]{8,}",
    "bearer": r"(?i:\b(?:bearer|basic)[ :]{1,3})"
    r"(?:[A-Za-z.~+/_-]{0,14}[0-9=][\w.~+/=-]{6,}|[A-Za-z.~+/_-]{7,}[0-9=][\w.~+/=-]*|[\w.~+/-]{20,})",
    "secret": rf"(?i){_NAMES}{_SIGN}(?:{_QUOTED}|{_BARE}+(?: {_BARE}+)?)",
    # Counts of tokens are no tokens: the value must have letters and digits, or be long.
    "token": rf"(?i)(?:tokens?|jwt){_SIGN}\\{{0,3}}[\"']?"
    r"(?:[a-z_.-]+\d[\w.~+/=-]{3,}|\d+[a-z_-][\w.~+/=-]{4,}|[a-z_.~+/=-]{20,})",
    "query": rf"""(?i)[?&](?:{QUERY_NAMES})=[^\s&#"'<>]+""",
    # Nothing else, as in url.query: a line of a log may begin with "state=ready".
    "whole query": rf"(?i)^(?:{QUERY_NAMES})=\S+$",
    "email": r"[\p{L}\p{N}._%+-]+(?:@|%(?:25)*40)(?:[\p{L}\p{N}-]+\.)+\p{L}{2,24}",
    "iban": r"\b[A-Z][A-Z]\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b",
    # One look for what begins with a number: cards, social security numbers, telephone numbers.
    "number": r"(?:^|[^\w.-])(?:" + "|".join((*_CARDS, _SSN, *_PHONES)) + r")\b",
    "called ssn": r"(?i:\b(?:ssn|social security(?: number)?)(?: is)?[ .:=#]{1,3})\d{9}\b",
    "ipv4": rf"(?:^|//|[^\w./-]){_FIRST_OCTET}(?:\.{_OCTET}){{3}}\b",
    "ipv6": rf"\b(?:{_HEX}:(?:(?:{_HEX}:){{6}}{_HEX}|(?:{_HEX}:){{1,5}}(?::{_HEX}){{1,5}})"
    rf"|(?:[0-9A-Fa-f]*\d[0-9A-Fa-f]*|f[cde][0-9a-f][0-9a-f])::(?:{_HEX}:){{0,5}}{_HEX})\b",
}
"""What is masked, by what it is."""

# As words are written, capitals first: random characters are not.
_WORD: Final = r"(?:[A-Z]{1,12}[a-z\x{80}-\x{10FFFF}]{0,15}|[a-z\x{80}-\x{10FFFF}]{1,15})"
_SIGNS: Final = r"""[\s.,;!?'"()\[\]{}<>/_#*&|]"""
_SHORT: Final = r"(?:[A-Z]{1,4}[a-z]{0,9}|[a-z]{1,15})"  # with a number: shorter than keys of capitals are

ALLOWED: Final = (
    # Words and nothing else; one dash at a time, or it could be a private key's first line.
    rf"^{_SIGNS}*(?:{_WORD}(?:{_SIGNS}+|-))*(?:{_WORD})?$",
    # A few short words with one or two short numbers in them: a model, a route, a name with a version.
    rf"^{_SHORT}(?:[-_./ ]{_SHORT}){{0,3}}[-_./ ]?\d{{1,4}}(?:[-.]\d{{1,2}})?[a-z]{{0,2}}(?:[-_./ ]{_SHORT}){{0,3}}$",
    r"^-?\d{1,12}(?:\.\d+)?(?:[eE][+-]?\d+)?$",  # a figure: shorter than any card
    r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?$",  # a time
    r"^[0-9]*[a-f][0-9a-f]{15,63}$",  # an id in hexadecimal, as a trace's or span's
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
)
"""Whole values that are looked at no further: none of the patterns could find anything in them.

Most attributes end here, at a tenth of what all patterns cost."""

IGNORED_KEYS: Final = (
    GenAI.INPUT_TOKENS,
    GenAI.OUTPUT_TOKENS,
    GenAI.CACHE_READ_TOKENS,
    GenAI.CACHE_WRITE_TOKENS,
    GenAI.CACHE_CREATION_TOKENS,
    GenAI.REASONING_TOKENS,
    GenAI.TIME_TO_FIRST_CHUNK,
    Core.HTTP_STATUS,
    Core.CODE_LINE,
    Otelkit.COST_USD,
    Otelkit.SCORES,
)
"""Attributes that hold figures whoever writes them, and are not looked at."""

# In order, so that what begins alike stands together, and apart by where it begins: a third of the time.
_KEY_ENDS: Final = "|".join(sorted((*SECRET_KEYS, *PHONE_KEYS)))
BLOCKED_KEYS: Final = tuple(rf"(?i){start}(?:{_KEY_ENDS})$" for start in ("[._-]", "^"))
"""Keys whose whole value is masked."""

SAYS_NOTHING: Final = rf"^(?:true|false|{PLACEHOLDER})?$"
"""Values that stay under any key: whether there is one, and what the SDK has put in its place."""


def by_key() -> Component:
    """Mask whole values by their attribute's key, nested ones too in a log's body.

    A stage of its own: to the processor a value that is allowed is allowed under every key, and most passwords and
    telephone numbers look like words and figures.
    """
    return Component(
        Kind.PROCESSOR,
        "redaction/keys",
        {
            "allow_all_keys": True,
            "redact_all_types": True,
            "ignored_keys": list(IGNORED_KEYS),
            "allowed_values": [_escaped(SAYS_NOTHING)],
            "blocked_key_patterns": [_escaped(pattern) for pattern in BLOCKED_KEYS],
            "summary": "silent",
        },
    )


def attributes() -> Component:
    """Mask values of attributes (all types; resource, scope, span, event, data point) and log bodies."""
    return Component(
        Kind.PROCESSOR,
        "redaction",
        {
            "allow_all_keys": True,
            "redact_all_types": True,
            "ignored_keys": list(IGNORED_KEYS),
            "allowed_values": [_escaped(pattern) for pattern in ALLOWED],
            "blocked_values": [_escaped(pattern) for pattern in PATTERNS.values()],
            "summary": "silent",  # a list of what was masked would tell where to look
        },
    )


def lifted() -> Component:
    """Put what the redaction processor leaves alone (names, status messages and their like) where it looks."""
    return _moves("transform/lifted", lambda field, lift: [f'set({lift}, {field}) where {field} != ""'])


def lowered() -> Component:
    """Put it back, masked."""
    return _moves(
        "transform/lowered", lambda field, lift: [f"set({field}, {lift}) where {lift} != nil", _deleted(lift)]
    )


_LIFTED: Final[Mapping[str, tuple[str, ...]]] = {
    "scope": ("scope.name", "scope.version"),
    "span": ("span.name", "span.status.message", "span.trace_state"),
    "spanevent": ("spanevent.name",),
    "log": ("log.event_name", "log.severity_text"),
}


def _moves(name: str, statements: Callable[[str, str], list[str]]) -> Component:
    def made(context: str) -> Mapping[str, Any]:
        lifts = [(field, f'{context}.attributes["otelkit.lifted.{field}"]') for field in _LIFTED[context]]
        return {"context": context, "statements": [each for field, lift in lifts for each in statements(field, lift)]}

    content = {
        "error_mode": "ignore",
        "trace_statements": [made("scope"), made("span"), made("spanevent")],
        "metric_statements": [made("scope")],
        "log_statements": [made("scope"), made("log")],
    }
    return Component(Kind.PROCESSOR, name, content)


def _deleted(attribute: str) -> str:
    owner, _, key = attribute.removesuffix("]").partition("[")
    return f"delete_key({owner}, {key})"


def _escaped(pattern: str) -> str:
    """In a configuration ``$`` begins a reference; ``$$`` is the character."""
    return pattern.replace("$", "$$")
