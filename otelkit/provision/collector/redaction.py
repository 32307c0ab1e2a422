"""What the Collector masks in telemetry of services that do not redact themselves: the SDK's patterns, for RE2.

otelkit's SDK redacts before anything leaves the process (:mod:`otelkit.mapping.patterns`). A plain OpenTelemetry client
does not: this stage is for those. RE2 has no lookaround and the processor no arithmetic, so it differs: numbers that
look like cards or IBANs are masked without their checksum, a name goes with its value (``password=…`` becomes
``****``), four-part version numbers look like addresses, and attribute *keys* stay as they are.

The processor tries patterns in no fixed order: each must hold alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otelkit.mapping.patterns import IBAN_COUNTRIES, KEY_PREFIXES
from otelkit.provision.collector.components import Component, Kind
from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = ["ALLOWED", "IGNORED_KEYS", "MASK", "PATTERNS", "attributes", "names"]

MASK: Final = "****"

_SIGN: Final = r"""(?:\\{0,3}["'])?\s{0,3}(?:=>|[=:]|%3D)\s{0,3}"""
_BARE: Final = r"""[^\s&,;"'<>(){}\\\]]"""
_QUOTED: Final = r"""\\{0,3}["'][^"'\\]+"""
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# Neither 0 nor 127: nobody's address, and this machine's.
_FIRST_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1[013-9]\d|12[0-689]|[1-9]\d|[1-9])"
_HEX: Final = r"[0-9A-Fa-f]{1,4}"
_CARD_STARTS: Final = r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[0-689]\d\d|6(?:011|2\d\d|4[4-9]\d|5\d\d))"

PATTERNS: Final[Mapping[str, str]] = {
    "private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}-----)?",
    "credentials": r"""://[^\s/?#"'<>@]+@""",
    "jwt": r"eyJ[\w-]{8,}(?:\.[\w-]+)*",
    "key": r"\b(?:" + "|".join(KEY_PREFIXES) + r")"
    r"(?:[A-Za-z_-]{0,14}\d[\w-]{8,}|[A-Za-z_-]{15,}\d[\w-]*)"
    r"|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,20}|\bAIza[\w-]{20,}|\bya29\.[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\bAC[0-9a-f]{32}\b|hooks\.slack\.com/services/[\w/]{8,}",
    "bearer": r"(?i:\b(?:bearer|basic)[ :]{1,3})"
    r"(?:[A-Za-z.~+/_-]{0,14}[0-9=][\w.~+/=-]{6,}|[A-Za-z.~+/_-]{7,}[0-9=][\w.~+/=-]*|[\w.~+/-]{20,})",
    "secret": r"(?i)(?:passwords?|passwd|passphrase|passcode|pwd|secrets?|api[_-]?keys?"
    r"|(?:access|secret|private|signing|encryption|auth)[_-]?keys?|credentials?|authorization|cookies?|x-(?:amz|goog)-signature|connection[_-]?strings?)"
    rf"{_SIGN}(?:{_QUOTED}|(?:(?:bearer|basic|digest) )?{_BARE}+)",
    # Counts of tokens are no tokens: the value must have letters and digits, or be long.
    "token": rf"(?i)(?:tokens?|jwt){_SIGN}\\{{0,3}}[\"']?"
    r"(?:[a-z_.-]+\d[\w.~+/=-]{3,}|\d+[a-z_-][\w.~+/=-]{4,}|[a-z_.~+/=-]{20,})",
    "query": r"""(?i)[?&](?:key|sig|signature|code|auth|sid|session|session_?id|jwt|otp|pin|pass|pw|state|nonce|hash"""
    r"""|hmac)=[^\s&#"'<>]+""",
    "email": r"[\p{L}\p{N}._%+-]+@(?:[\p{L}\p{N}-]+\.)+\p{L}{2,24}",
    "iban": rf"\b(?:{'|'.join(IBAN_COUNTRIES)})\d\d(?:[ -]?[A-Z0-9]{{4}}){{2,7}}(?:[ -]?[A-Z0-9]{{1,3}})?\b",
    "card": r"(?:^|[^\w.-])(?:" + _CARD_STARTS + r"(?:[ -]?\d{4}){3}|4\d{12}|3[47]\d\d[ -]?\d{6}[ -]?\d{5}"
    r"|3[0689]\d\d[ -]?\d{6}[ -]?\d{4})\b",
    "ssn": r"(?:^|[^\w-])(?:00[1-9]|0[1-9]\d|[1-57-8]\d\d|6[0-57-9]\d|66[0-57-9])[- ](?:0[1-9]|[1-9]\d)[- ]"
    r"(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})\b"
    r"|(?i:\b(?:ssn|social security(?: number)?)(?: is)?[ .:=#]{1,3})\d{9}\b",
    "phone": r"(?:^|[^\w+.-])(?:(?:\+|00[1-9])[ (]{0,2}\d[\d ()./-]{5,24}\d"
    r"|\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}|\(?0\d{1,4}\)?[ /-]{1,3}\d{3,4}(?:[ -]?\d{2,4}){1,3})\b",
    "ipv4": rf"(?:^|//|[^\w./-]){_FIRST_OCTET}(?:\.{_OCTET}){{3}}\b",
    "ipv6": rf"\b(?:{_HEX}:){{7}}{_HEX}\b|\b(?:{_HEX}:){{2,6}}(?::{_HEX}){{1,5}}\b"
    rf"|\b[0-9A-Fa-f]{{0,3}}\d[0-9A-Fa-f]{{0,3}}::(?:{_HEX}:){{0,5}}{_HEX}\b|\bf[cde][0-9a-f]{{2}}::(?:{_HEX}:){{0,5}}{_HEX}\b",
}
"""What is masked, by what it is."""

ALLOWED: Final = (
    r"^-?\d{1,12}(?:\.\d+)?(?:[eE][+-]?\d+)?$",  # a figure: shorter than any card
    r"^(?:true|false)$",
    r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?$",  # a time
    r"^[0-9]*[a-f][0-9a-f]{15,63}$",  # an id in hexadecimal, as a trace's or span's
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
)
"""Whole values that are looked at no further; most attributes end here."""

IGNORED_KEYS: Final = (
    GenAI.OPERATION,
    GenAI.INPUT_TOKENS,
    GenAI.OUTPUT_TOKENS,
    GenAI.CACHE_READ_TOKENS,
    GenAI.CACHE_WRITE_TOKENS,
    GenAI.CACHE_CREATION_TOKENS,
    GenAI.REASONING_TOKENS,
    GenAI.FINISH_REASONS,
    GenAI.TIME_TO_FIRST_CHUNK,
    Core.HTTP_STATUS,
    Core.HTTP_METHOD,
    Core.URL_SCHEME,
    Core.SERVICE_VERSION,
    Core.SERVICE_INSTANCE_ID,
    Core.DB_SYSTEM,
    Core.CODE_LINE,
    Core.LOG_RECORD_UID,
    Otelkit.METRICS,
    Otelkit.COST_USD,
    Otelkit.OUTCOME,
    Otelkit.SCORES,
    "telemetry.sdk.version",
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "telemetry.distro.version",
    "process.runtime.version",
)
"""Attributes that hold a figure, a version or one of a few words whoever writes them, and are not looked at."""


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


def names() -> Component:
    """Mask what the redaction processor leaves alone: names of spans and events, status messages."""
    everything = "|".join(f"(?:{pattern})" for pattern in PATTERNS.values())
    return Component(
        Kind.PROCESSOR,
        "transform/redaction",
        {
            "error_mode": "ignore",
            "trace_statements": [
                _masked("span", ("span.name", "span.status.message"), everything),
                _masked("spanevent", ("spanevent.name",), everything),
            ],
            "log_statements": [_masked("log", ("log.event_name", "log.severity_text"), everything)],
        },
    )


def _masked(context: str, fields: tuple[str, ...], pattern: str) -> Mapping[str, Any]:
    quoted = _escaped(pattern).replace("\\", "\\\\").replace('"', '\\"')
    return {
        "context": context,
        "statements": [f'replace_pattern({field}, "{quoted}", "{MASK}") where {field} != ""' for field in fields],
    }


def _escaped(pattern: str) -> str:
    """In a configuration ``$`` begins a reference; ``$$`` is the character."""
    return pattern.replace("$", "$$")
