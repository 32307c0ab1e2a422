"""The Collector's patterns find what the SDK's find; where they differ is known and documented."""

from __future__ import annotations

import random
import re
import string

import pytest
import yaml

from otelkit.mapping.patterns import KEY_PREFIXES, scan
from otelkit.mapping.redaction import Redactor
from otelkit.provision.collector.profiles import render
from otelkit.provision.collector.redaction import ALLOWED, BLOCKED_KEYS, IGNORED_KEYS, PATTERNS, SAYS_NOTHING
from otelkit.semconv.attributes import Core, GenAI, Otelkit

# RE2 is Python's syntax here, but for these; Python's \w and \d are Unicode's unless told otherwise.
_IN_PYTHON = {r"\p{L}\p{N}": r"\w", r"\p{L}": r"[^\W\d_]", r"\x{80}-\x{10FFFF}": "\x80-\U0010ffff"}


def python(pattern: str) -> re.Pattern[str]:
    for name, stands_for in _IN_PYTHON.items():
        pattern = pattern.replace(name, stands_for)
    return re.compile(pattern)


MASKS = {what: python(pattern) for what, pattern in PATTERNS.items()}
PASSES = [python(pattern) for pattern in ALLOWED]
KEYS = [python(pattern) for pattern in BLOCKED_KEYS]


def masked(text: str) -> str:
    if any(pattern.search(text) for pattern in PASSES):
        return text
    for pattern in MASKS.values():
        text = pattern.sub("****", text)
    return text


def attribute(key: str, value: str) -> str:
    """What the two stages leave of an attribute."""
    if key in IGNORED_KEYS:
        return value
    if not python(SAYS_NOTHING).search(value) and any(pattern.search(key) for pattern in KEYS):
        return "****"
    return masked(value)


BOTH_FIND = [
    "mail jane.doe+x@mail.example.co.uk now",
    "postgres://app:secret@db:5432/x",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    *(f"the key is {prefix}a1B2c3D4e5F6g7H8i9J0k1L2 here" for prefix in KEY_PREFIXES),
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "Authorization: Bearer abc123DEF456ghi789",
    "sent with bearer abc123DEF456ghi789",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    'password="open sesame"',
    "api_key: 8f14e45fceea167a",
    "client_secret=a.b~c1",
    "access_token=ya29.a0AfH6SMBx1234567890abcdef",
    "session token: 9f8e7d6c5b4a",
    "GET /x?sig=abcdef123&y=1",
    "https://h/cb?token=abcdef",
    "https://h/cb?token=123456",
    "/cb?x=1&access_token=abcdef",
    "https://h/cb?email=jane.doe%40example.com&x=1",
    "https://h/cb?next=%2Fx%3Fuser%3Djane.doe%2540example.com",
    "4111-1111-1111-1111",
    "pay with 5500005555555559 please",
    "378282246310005",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "078-05-1120",
    "ssn 078051120",
    "call +49 (0)170 1234567",
    "call 0170 1234567",
    "(212) 555-0187",
    "from 203.0.113.77 to me",
    "http://203.0.113.77/x",
    "from 2001:db8:85a3::8a2e:370:7334",
    "fe80::1ff:fe23:4567:890a",
]

NEITHER_FINDS = [
    "total_tokens: 128, prompt_tokens=64, max_tokens: 4096",
    "3.12.4",
    "released 1.2.3-rc1 on 2026-11-21",
    "2026-11-21T21:15:19.123Z",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "550e8400-e29b-41d4-a716-446655440000",
    "0.5412345678901234",
    "[0.5412345678901234,0.4111111111111111]",
    "127.0.0.1:8000",
    "took 12345 ms",
    "chat gpt-4o-2024-08-06",
    "execute_tool find_order",
    "SELECT id FROM orders WHERE id = $1",
    "a token is a word",
    "std::vector at 10:20:30",
    "text/event-stream; charset=utf-8",
    "POST /orders/{order_id}/items",
]

SECRET_ATTRIBUTES = [
    (key, value)
    for keys, value in (
        (
            ("password", "db.password", "user-password", "api_key", "x-api-key", "APIKey", "session_token"),
            "correct horse",
        ),
        (("http.request.header.authorization", "http.request.header.cookie"), '["sid=abc"]'),
        (("phone", "user.phone_number", "customer_mobile", "fax.no"), "5550187"),
        (("user_ssn", "card_number", "iban", "cvc"), "078051120"),
        (("url.query", "http.query", "query_string"), "code=4abcdef&x=1"),
        (("url.query", "http.query", "query_string"), "x=1&refresh_token=abcdef"),
        (("url.query",), "pass=open"),
        (("url.full", "http.target"), "/cb?user=jane.doe%40example.com"),
        ((Core.SERVICE_INSTANCE_ID, Core.SERVICE_VERSION, Core.HTTP_METHOD, Core.URL_SCHEME), "jane@example.com"),
        ((Core.DB_SYSTEM, Core.LOG_RECORD_UID, Otelkit.OUTCOME, GenAI.FINISH_REASONS), "jane@example.com"),
        ((GenAI.OPERATION, Otelkit.METRICS, "telemetry.sdk.name", "telemetry.distro.version"), "jane@example.com"),
    )
    for key in keys
]

KEPT_ATTRIBUTES = [
    *((key, "4111111111111111") for key in IGNORED_KEYS if key != Otelkit.SCORES),
    ("gen_ai.usage.total_tokens", "5500"),
    ("gen_ai.token.type", "input"),
    ("has.password", "true"),
    ("password", ""),
    ("api_key", "[redacted]"),
    ("phone", "[phone]"),
    ("keyboard", "qwerty"),
    ("passwordless", "yes"),
    ("url.query", "page=2&sort=asc"),
    (Core.SERVICE_INSTANCE_ID, "550e8400-e29b-41d4-a716-446655440000"),
    (Core.SERVICE_VERSION, "10.4.2"),
    (GenAI.FINISH_REASONS, '["stop","tool_calls"]'),
    ("telemetry.sdk.name", "opentelemetry"),
]

# What only the Collector masks: it can neither count digits nor look around.
ONLY_HERE = ["4111-1111-1111-1112", "DE89370400440532013001", "version 1.2.3.4", "password: none"]


@pytest.mark.parametrize("text", BOTH_FIND)
def test_what_the_sdk_takes_out_is_masked_here_as_well(text: str) -> None:
    assert Redactor().text(text) != text
    assert masked(text) != text


@pytest.mark.parametrize("text", NEITHER_FINDS)
def test_what_the_sdk_leaves_is_left_here_as_well(text: str) -> None:
    assert Redactor().text(text) == text
    assert masked(text) == text


@pytest.mark.parametrize(("key", "value"), SECRET_ATTRIBUTES)
def test_an_attribute_that_the_sdk_masks_is_masked_here_as_well(key: str, value: str) -> None:
    assert Redactor(capture_content=True).attributes({key: value})[key] != value
    assert "****" in attribute(key, value)
    assert not {"correct", "abc", "5550187", "078051120", "jane", "open"} & set(re.split(r"\W+", attribute(key, value)))


@pytest.mark.parametrize(("key", "value"), KEPT_ATTRIBUTES)
def test_an_attribute_that_the_sdk_leaves_is_left_here_as_well(key: str, value: str) -> None:
    read = int(value) if value.isdigit() else value == "true" or value
    assert Redactor(capture_content=True).attributes({key: read}) == {key: read}
    assert attribute(key, value) == value


def test_a_line_that_begins_like_a_query_is_none() -> None:
    assert masked("state=ready after 5 s") == "state=ready after 5 s"
    assert masked("state=4abc&x=1") == "****"


@pytest.mark.parametrize("text", ONLY_HERE)
def test_known_differences(text: str) -> None:
    assert scan(text) == text
    assert masked(text) != text


@pytest.mark.parametrize("text", BOTH_FIND)
def test_no_value_is_let_through_that_a_pattern_would_find_something_in(text: str) -> None:
    """Whole, and each of its words: what is let through is not looked at by any pattern."""
    for piece in (text, *text.split(), text.rpartition(" ")[0]):
        if any(mask.search(piece) for mask in MASKS.values()):
            assert not any(passes.search(piece) for passes in PASSES), piece


@pytest.mark.parametrize("pattern", [*PATTERNS.values(), *ALLOWED, *BLOCKED_KEYS, SAYS_NOTHING])
def test_a_pattern_is_in_re2s_language(pattern: str) -> None:
    """No lookaround, no references, no possessive repetition, none of more than a thousand, no end of Python's."""
    assert "\\Z" not in pattern
    assert re.search(r"\(\?[=!<>]", pattern) is None
    assert re.search(r"\\[1-9]", pattern) is None
    assert re.search(r"[*+?}]\+", pattern) is None
    assert all(int(count) <= 1000 for count in re.findall(r"[{,](\d+)\}", pattern))


@pytest.mark.parametrize("what", PATTERNS)
def test_every_pattern_is_needed(what: str) -> None:
    """Each finds a text that no other one finds; the order in which the Collector tries them is not fixed."""
    others = [pattern for name, pattern in MASKS.items() if name != what]
    texts = (*BOTH_FIND, *(value for _, value in SECRET_ATTRIBUTES))
    alone = [text for text in texts if MASKS[what].search(text) and not any(o.search(text) for o in others)]
    assert alone


@pytest.mark.parametrize("profile", ["dev", "standard", "gateway"])
def test_every_profile_masks_values_and_names_of_what_it_receives(profile: str) -> None:
    for text in render(profile).values():
        document = yaml.safe_load(text)
        for name, entry in document["service"]["pipelines"].items():
            if set(entry["receivers"]) & set(document["receivers"]):
                at = entry["processors"].index("redaction")
                around = entry["processors"][at - 2 : at + 2]
                assert around == ["redaction/keys", "transform/lifted", "redaction", "transform/lowered"], name


def test_random_keys_are_not_let_through() -> None:
    """Keys as services make them; a value that is let through is looked at no further."""
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    through = 0
    for _ in range(20_000):
        body = "".join(chance.choices(letters + "_-", k=chance.randint(20, 48)))
        for key in (
            chance.choice(KEY_PREFIXES) + body,
            "AKIA" + "".join(chance.choices(string.ascii_uppercase + "234567", k=16)),
            f"bearer {body}",
            "eyJ" + ".".join("".join(chance.choices(letters + "_-", k=40)) for _ in range(3)),
        ):
            found = any(mask.search(key) for mask in MASKS.values())
            through += found and any(passes.search(key) for passes in PASSES)
    assert through <= 2  # of 80,000
