"""Personal data and secrets in text: what they look like, and what stands in their place.

Every pattern is linear in the length of the text: repetitions are bounded or separated by a character that the
repeated class does not contain, and candidates are confirmed by arithmetic (Luhn, mod 97, octets) rather than by more
pattern. The order matters: what contains others (a URL with credentials) comes before what it contains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address
from typing import Final

__all__ = ["KEY_PREFIXES", "PHONE_KEYS", "PLACEHOLDER", "QUERY_NAMES", "SECRET_KEYS", "is_identifier", "scan"]

PLACEHOLDER: Final = r"\[(?:email|phone|ip|card|iban|ssn|key|token|jwt|secret|credentials|redacted)\]"

# The next three also run in the Collector, whose expressions have no lookaround.
SECRET_KEYS: Final = (
    *(r"access[_-]?key", "accesstoken", r"api[_-]?key", "authorization", "authtoken", "bearertoken"),
    *(r"card[_-]?number", "clientsecret", r"connection[_-]?string", "cookies?", "credentials?", r"credit[_-]?card"),
    *("csrftoken", "cvc", "cvv", "iban", "idtoken", "passphrase", "passwd", "passwords?", r"private[_-]?key", "pwd"),
    *("refreshtoken", r"secret[_-]?key", "secrets?", "sessiontoken", "ssn", "token"),
)
"""How keys end whose whole value is secret, in any case: all of the key, or what follows a dot, dash or underscore."""
PHONE_KEYS: Final = tuple(rf"{word}(?:[._-]?(?:number|no))?" for word in ("fax", "mobile", "phone", "telephone"))
"""How keys end whose whole value is a telephone number."""
QUERY_NAMES: Final = (
    r"auth|code|hash|hmac|jwt|key|nonce|otp|pass|pin|pw|session|session_?id|sid|sig|signature|state|\w*_token|token"
)
"""Parameters of a query whose value is secret, in any case."""

# A value that was cut at an attribute length limit ends in the middle of something; texts shorter than any sensible
# limit do not.
_SHORTEST_LIMIT: Final = 32

_NAMES: Final = (
    r"passwords?|passwd|passphrase|passcode|pwd|secrets?|client[_-]?secret|api[_-]?keys?|access[_-]?keys?|secret[_-]?keys?"
    r"|private[_-]?keys?|signing[_-]?keys?|encryption[_-]?keys?|auth[_-]?keys?|credentials?|authorization|set-cookie"
    r"|cookies?|session[_-]?tokens?|tokens?|jwt|x-amz-signature|x-goog-signature|connection[_-]?strings?"
)
_SECRET: Final = re.compile(
    rf"""(?P<name>(?:{_NAMES})(?![a-z])(?:\\{{0,3}}["'])?\ {{0,3}}(?P<sign>=>|[=:]|%3D)\ {{0,3}})"""
    rf"""(?!\\{{0,3}}["']?(?:(?:bearer|basic|digest)\ )?{PLACEHOLDER})"""
    r"""(?:(?P<quote>\\{1,3}["'])(?P<escaped>[^"'\\]{1,4000})|"(?P<double>(?:[^"\\]|\\.){1,4000})"""
    r"""|'(?P<single>(?:[^'\\]|\\.){1,4000})|(?P<bare>(?:(?:bearer|basic|digest)\ )?[^\s&,;"'<>(){}\\\]]{1,4000}))""",
    re.IGNORECASE,
)
# A cheap look for what each alternative of the names contains.
_NAME_PARTS: Final = (
    "pass",
    "pwd",
    "secret",
    "key",
    "token",
    "credential",
    "cookie",
    "authorization",
    "jwt",
    "signature",
    "connection",
)
_QUERY: Final = re.compile(
    rf"(?P<name>[?&](?:{QUERY_NAMES})=)"
    rf"(?!{PLACEHOLDER})[^\s&#\"'<>]{{1,4000}}",
    re.IGNORECASE,
)
# What follows a secret's name without being one.
_NO_SECRET: Final = re.compile(
    r"(?:none|null|nil|true|false|undefined|unset|missing|invalid|expired|required|empty|str|string|bytes|int|optional"
    r"|\*+|x{3,}|\.{3}|<[^>]*>?|\$\{?[\w.]*\}?)[.!?]?",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[\d.,+-]+(?:[kKmM]|ms|s|%)?")

# With their longer forms, which would otherwise be taken for the beginning of the key itself.
KEY_PREFIXES: Final = (
    *("sk-ant-", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-or-", "sk-lf-", "sk-", "pk-lf-"),
    *("rk_live_", "sk_live_", "pk_live_", "rk_test_", "sk_test_", "pk_test_", "phc_", "phx_", "phr_"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xoxa-", "xoxb-", "xoxc-", "xoxe-", "xoxo-", "xoxp-"),
    *("xoxr-", "xoxs-", "xapp-", "glpat-", "gldt-", "glrt-", "npm_", "pypi-", "hf_", "gsk_", "xai-", "pplx-", "r8_"),
    *("lsv2_pt_", "lsv2_sk_", "shpat_", "shpca_", "shppa_", "shpss_", "dop_v1_", "whsec_", "sq0atp-", "sq0csp-"),
    *("key-", "tvly-", "fw_", "nvapi-", "dapi", "sntrys_", "glc_", "glsa_", "AGE-SECRET-KEY-"),
)
"""How keys of well-known services begin."""
_KEY: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:{'|'.join(KEY_PREFIXES)})(?P<body>[A-Za-z0-9_\-]{{6,500}})|(?P<fixed>(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{12,20}}"
    r"|AIza[\w-]{20,60}|ya29\.[\w-]{20,500}|SG\.[\w-]{16,64}\.[\w-]{16,64}|AC[0-9a-f]{32}(?![0-9a-f])|hooks\.slack\.com/services/[\w/]{8,90}))"
)
_FIXED_PARTS: Final = ("AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ya29.", "SG.", "hooks.slack")
_TWILIO: Final = re.compile(r"AC[0-9a-f]{8}")


def _shortest(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes that contain no other one: where none of these is, none of the others is."""
    known = tuple(prefixes)
    return tuple(p for p in known if not any(other in p and other != p for other in known))


# What a key contains, by the character without which it need not be looked for.
_BY_CHARACTER: Final = {
    sign: _shortest(prefix for prefix in KEY_PREFIXES if prefix.endswith(sign)) for sign in ("-", "_", "i")
}
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,16000}(?:-----END [A-Z ]{0,30}-----)?")
_JWT: Final = re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{8,8000}(?:\.[\w-]{1,8000}){0,4}")
_BEARER: Final = re.compile(r"\b(?P<name>(?:bearer|basic)[ :]{1,3})(?P<value>[\w.~+/=-]{8,4000})", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"://[^\s/?#\"'<>]{1,300}@")
_AT: Final = re.compile(r"@(?:(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])|[^\W\d_][\w.-]{0,80}\Z)")
_BEFORE_AT: Final = frozenset(" \t\r\n\f\v@<>()[]{},;:\"'=&?/\\|`")
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
    }.items()
    for country in countries.split()
}
_CARD: Final = re.compile(r"(?<![A-Za-z0-9.\-])\d(?:[ -]?\d){12,18}(?![A-Za-z0-9-])")
_CUT_CARD: Final = re.compile(r"(?<![A-Za-z0-9.\-])[3-6]\d{3}([ -])\d{4}\1(?:\d{4}\1)?\d{1,4}\Z")
_SSN: Final = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])")
_CALLED_SSN: Final = re.compile(
    r"\b(?P<name>(?:ssn|social security(?: number)?)(?: is)?[ .:=#]{1,3})\d{9}(?!\w)", re.IGNORECASE
)
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\w|\.\d)")
_VERSION_BEFORE: Final = re.compile(
    r"(?:(?:^|[\s(;,])[A-Za-z][\w.+-]{0,40}/|version[ :=]{0,3}|[=~<>]=|release )\Z", re.I
)
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}(?![\w:])")
_PHONE: Final = re.compile(
    r"(?<![\w+.\-])(?:(?:\+|00(?=[1-9]))[ (]{0,2}\d[\d ()./\-]{5,24}\d"  # international
    r"|\(?[2-9]\d{2}\)?[ .\-]{1,2}[2-9]\d{2}[ .\-]\d{4}"  # North America
    r"|\(?0\d{1,4}\)?[ /\-]{1,3}\d{3,4}(?:[ \-]?\d{2,4}){1,3})(?![\w\-]|[.,:]\d)"  # national, with a trunk 0
)
_CALLED_PHONE: Final = re.compile(
    r"\b(?P<name>(?:phone|tel|telephone|mobile|cell|fax|whatsapp|sms)(?:[ _-]?(?:number|no))?[\"']?[ .:=#]{1,3}[\"']?)"
    r"[(+]?\d[\d ()./\-]{5,20}\d",
    re.IGNORECASE,
)

# Cheap looks for what a pattern cannot do without: a search for one set of characters, or for a plain string, skips
# through a text many times faster than an alternation or a pattern that ignores case.
_SIGNS: Final = re.compile(r"[@=:0-9]")
_MAYBE_IPV6: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_CASES: Final = str.maketrans("ıİſ\u212a", "iisk")  # what a pattern that ignores case takes for these letters
_MANY_DIGITS: Final = re.compile(
    r"\d[ ()./\-]{0,3}\d{1,2}[ ()./\-]{0,3}\d[ ()./\-]{0,3}\d[ ()./\-]{0,3}\d[ ()./\-]{0,3}\d"
)
# Most values that are new are ids. A letter after the second character: an IBAN without one would fit, too.
_IDENTIFIER: Final = re.compile(
    r"(?:(?:chatcmpl|cmpl|call|req|resp|msg|run|thread|trace|span|job|evt|file|batch)[-_])?(?:(?=..[0-9]*[a-f])[0-9a-f]{16,64}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\Z"
)
_WORDS: Final = re.compile(r"[a-z]+(?:[-_][a-z]+)*")


def is_identifier(text: str) -> bool:
    """Whether the text is nothing but a random id in hexadecimal, such as a trace's, a request's or a UUID."""
    return _IDENTIFIER.match(text) is not None


def scan(text: str) -> str:
    """Return the text with a placeholder for each find; the same object when there is none."""
    if not _is_suspicious(text):
        return text
    for _ in range(4):  # a placeholder may uncover what stood glued to its find; nearly always one round
        found = _once(text)
        if found == text:
            return text
        text = found
    return text


def _is_suspicious(text: str) -> bool:
    if _SIGNS.search(text) is not None:
        return True
    lowered = text.lower()
    return "bearer" in lowered or "basic " in lowered or "-----BEGIN" in text or "eyJ" in text or "%3d" in lowered


def _once(text: str) -> str:
    lowered = text.lower() if text.isascii() else text.translate(_CASES).lower()
    text = _keys(text, lowered)
    if "@" in text:
        if "://" in text:
            text = _CREDENTIALS.sub("://[credentials]@", text)
        text = _emails(text)
    if ("=" in text or ":" in text or "%3" in text) and _holds_any(lowered, _NAME_PARTS):
        text = _SECRET.sub(_secret, text)
    if "=" in text and ("?" in text or "&" in text):
        text = _QUERY.sub(r"\g<name>[secret]", text)
    if _MAYBE_IPV6.search(text) is not None:
        text = _IPV6.sub(_ipv6, text)
    if _has_digits(text):
        if _MANY_DIGITS.search(text) is not None:
            text = _numbers(text)
        if text.count(".") > 2:
            text = _IPV4.sub(_ipv4, text)
    return text


def _keys(text: str, lowered: str) -> str:
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub("[key]", text)
    if "eyJ" in text:
        text = _JWT.sub("[jwt]", text)
    if "bearer" in lowered or "basic" in lowered:
        text = _BEARER.sub(_bearer, text)
    return _KEY.sub(_key, text) if _may_hold_key(text) else text


def _may_hold_key(text: str) -> bool:
    if _holds_any(text, _FIXED_PARTS) or ("AC" in text and _TWILIO.search(text) is not None):
        return True
    if not _has_digits(text):  # what stands behind a prefix is random only with a digit in it
        return False
    return any(sign in text and _holds_any(text, prefixes) for sign, prefixes in _BY_CHARACTER.items())


def _has_digits(text: str) -> bool:
    return _holds_any(text, "0123456789") or not text.isascii()


def _holds_any(text: str, parts: Iterable[str]) -> bool:
    for part in parts:  # noqa: SIM110  any() over a generator takes three times as long
        if part in text:
            return True
    return False


def _numbers(text: str) -> str:
    text = _ibans(text)
    text = _CARD.sub(_card, text)
    if len(text) >= _SHORTEST_LIMIT:
        text = _CUT_CARD.sub("[card]", text)
    text = _SSN.sub("[ssn]", text)
    text = _CALLED_SSN.sub(r"\g<name>[ssn]", text)
    text = _CALLED_PHONE.sub(r"\g<name>[phone]", text)
    return _PHONE.sub(_phone, text)


def _key(match: re.Match[str]) -> str:
    body = match["body"]
    if body is None or _looks_random(body, 16):
        return "[key]"
    cut = match.end() == len(match.string) >= _SHORTEST_LIMIT
    return "[key]" if cut and _looks_random(body, 6) else match[0]


def _looks_random(text: str, least: int) -> bool:
    return len(text) >= least and _WORDS.fullmatch(text) is None and any(map(str.isdigit, text))


def _bearer(match: re.Match[str]) -> str:
    value = match["value"]
    prose = value.isalpha() and (value.islower() or value.istitle()) and len(value) < 20
    return match[0] if prose or _WORDS.fullmatch(value.rstrip(".")) else match["name"] + "[token]"


def _secret(match: re.Match[str]) -> str:
    name, sign = match["name"], match["sign"]
    group = match.lastgroup or "bare"
    value = match[group]
    opening = match["quote"] if group == "escaped" else {"double": '"', "single": "'"}.get(group, "")
    if not value.strip() or _NO_SECRET.fullmatch(value):
        return match[0]
    if "token" in name.lower() and _NUMBER.fullmatch(value):
        return match[0]  # a count of tokens
    if group == "bare" and sign == ":" and _is_prose(name, value):
        return match[0]
    return f"{name}{opening or ''}[secret]"


def _is_prose(name: str, value: str) -> bool:
    """``Unexpected token: foo`` and ``cookie: session`` tell nothing; ``password: hunter`` does."""
    word = name.lower()
    return ("token" in word or "cookie" in word) and not any(map(str.isdigit, value)) and len(value) < 20


def _emails(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for match in _AT.finditer(text):
        at = start = match.start()
        if match.end() == len(text) < _SHORTEST_LIMIT and "." not in match[0]:
            continue
        floor = max(done, at - 64)
        while start > floor and text[start - 1] not in _BEFORE_AT:
            start -= 1
        if start < at:
            pieces += (text[done:start], "[email]")
            done = match.end()
    return "".join((*pieces, text[done:])) if pieces else text


def _ibans(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for match in _IBAN.finditer(text):
        end = _iban_end(text, match.start())
        if end and match.start() >= done:
            pieces += (text[done : match.start()], "[iban]")
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _iban_end(text: str, start: int) -> int:
    """Where the IBAN that starts here ends; 0 when it is none."""
    wanted = _IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    compact = ""
    at = start
    while at < len(text) and len(compact) < wanted:
        letter = text[at]
        if letter.isascii() and letter.isalnum():
            compact += letter
        elif letter not in " -" or text[at - 1] in " -":
            return 0
        at += 1
    if not wanted or len(compact) < wanted or (at < len(text) and text[at].isalnum()):
        return 0
    turned = (compact[4:] + compact[:4]).upper()
    return at if int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1 else 0


def _card(match: re.Match[str]) -> str:
    found = match[0]
    digits = found.replace(" ", "").replace("-", "")
    if len(digits) > 16 and digits == found:  # 17 to 19 digits in one go are an id far more often
        return found
    return "[card]" if _is_card(digits) and _luhn(digits) else found


def _is_card(digits: str) -> bool:
    length = len(digits)
    first, two, four = digits[0], int(digits[:2]), int(digits[:4])
    if first == "4":
        return length in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (30, 36, 38, 39):
        return length == 14
    return (two in (35, 62, 65) or four == 6011 or 6440 <= four <= 6499) and 16 <= length <= 19


def _luhn(digits: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def _ipv4(match: re.Match[str]) -> str:
    octets = [int(part) for part in match[0].split(".")]
    if max(octets) > 255 or octets[0] == 127 or octets in ([0, 0, 0, 0], [255, 255, 255, 255]):
        return match[0]  # no address, or nobody's
    before = match.string[max(0, match.start() - 48) : match.start()]
    return match[0] if _VERSION_BEFORE.search(before) else "[ip]"


def _ipv6(match: re.Match[str]) -> str:
    found = match[0].rstrip(".")
    groups = [group for group in found.split(":") if group]
    if len(groups) < 3 and not (groups and any(map(str.isdigit, found))):
        return match[0]
    try:
        address = IPv6Address(found)
    except AddressValueError:
        return match[0]
    return match[0] if address.is_loopback or address.is_unspecified else "[ip]" + match[0][len(found) :]


def _phone(match: re.Match[str]) -> str:
    found = match[0]
    digits = sum(map(str.isdigit, found))
    amount = re.search(r"[.,]\d{1,2}\Z", found) is not None and found.count(".") < 2
    return found if amount or not 7 <= digits <= 16 else "[phone]"
