"""Nothing personal leaves: content dropped unless opted in, then patterns over everything that is text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from otelkit.mapping.content import is_content
from otelkit.mapping.database_errors import is_database_error, without_values
from otelkit.mapping.patterns import PHONE_KEYS, SECRET_KEYS, is_identifier, scan
from otelkit.model import Attributes, AttributeValue, LogRecord, MetricPoint, Scope, Span, SpanEvent, SpanLink
from otelkit.semconv.attributes import Core

__all__ = ["Redactor"]

_MAX_LENGTH: Final = 65_536
_TAIL: Final = 256
_CUT: Final = " …[cut]"
_MAX_DEPTH: Final = 16
_MAX_REMEMBERED: Final = 32_768
_SHORT: Final = 96
_LONGEST_KEY: Final = 256

_SENSITIVE: Final = re.compile(rf"(?:^|[._-])(?:{'|'.join(SECRET_KEYS)})\Z", re.IGNORECASE)
_PHONE_KEY: Final = re.compile(rf"(?:^|[._-])(?:{'|'.join(PHONE_KEYS)})\Z", re.IGNORECASE)
_QUERY_KEYS: Final = frozenset({Core.URL_QUERY, "http.query", "query_string"})

_KEEP: Final = 0
_DROP: Final = 1
_HIDE: Final = 2
_PHONE: Final = 3
_QUERY: Final = 4
_RENAME: Final = 5

_PLAIN: Final = frozenset({int, float, bool, type(None)})

T = TypeVar("T")


class _Folds(dict[int, str]):
    """Characters as the plain ones they stand for; invisible ones as nothing. Learns a character when it meets it."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        if code < 128:
            folded = letter
        elif unicodedata.category(letter) in ("Cf", "Mn", "Me") and not letter.isalnum():
            folded = "" if unicodedata.category(letter) == "Cf" else letter
        elif unicodedata.category(letter) in ("Pd", "Zs"):
            folded = "-" if unicodedata.category(letter) == "Pd" else " "
        elif unicodedata.category(letter) == "Nd":
            folded = str(unicodedata.decimal(letter))
        else:
            folded = unicodedata.normalize("NFKC", letter)
        self[code] = folded
        return folded


_FOLDS: Final = _Folds({ord("。"): ".", ord("｡"): ".", ord("−"): "-", ord("⁃"): "-"})
# Letters of other scripts that look like Latin ones.
_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁһԛԝкмтАВЕКМНОРСТУХІЈЅοναρτυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijsdhqwkmtABEKMHOPCTYXIJSovaptuikABEZHIKMNOPTYX"
)


class Redactor:
    """Takes personal data, secrets and (unless opted in) content out of records. Copies; input stays as it was.

    The same object comes back when there was nothing to take. Idempotent, linear in the input's length, and safe on
    any value. Threads may share one.

    Args:
        capture_content: keep prompts, answers, tool arguments, retrieved text; patterns are still taken out of them.
        allow: content attributes (names, or prefixes of dotted names) to keep although content is not captured.
        extra_patterns: more patterns by the name of their placeholder, as regular expressions. That they are linear is
            the caller's business.
    """

    def __init__(
        self,
        capture_content: bool = False,
        allow: Iterable[str] = (),
        extra_patterns: Mapping[str, str] | None = None,
    ) -> None:
        self._capture = capture_content
        self._allow = tuple(allow)
        self._extra = [(re.compile(pattern), f"[{name}]") for name, pattern in (extra_patterns or {}).items()]
        self._harmless: set[str] = set()
        self._keys: dict[str, int] = {}
        self._kept: set[str] = set()
        self._producers: dict[int, tuple[Any, Any]] = {}

    def text(self, text: str) -> str:
        """Return the text with placeholders such as ``[email]``; the rest beyond 64 K is dropped and marked."""
        if text in self._harmless:
            return text
        found = text if is_identifier(text) else self._scan(text)
        if found is text and len(text) <= _SHORT:
            if len(self._harmless) >= _MAX_REMEMBERED:
                self._harmless.clear()
            self._harmless.add(text)
        return found

    def attributes(self, attributes: Attributes) -> Attributes:
        """Return the attributes without content and personal data, values and keys; nested ones too."""
        return self._attributes(attributes, 0)

    def span(self, span: Span) -> Span:
        """Return the span redacted: name, status, attributes, events, links, resource and scope."""
        name = self.text(span.name)
        quoted = any(event.attributes and _is_of_database(event.attributes) for event in span.events)
        said = without_values(span.status_message, message=True) if quoted else span.status_message
        message = self.text(said) if said else said
        attributes = self._attributes(span.attributes, 0)
        events = _each(span.events, self._event) if span.events else span.events
        links = _each(span.links, self._link) if span.links else span.links
        state = self.text(span.trace_state) if span.trace_state else span.trace_state
        resource = self._producer(span.resource)
        scope = self._producer(span.scope)
        if (
            attributes is span.attributes
            and name is span.name
            and message is span.status_message
            and events is span.events
            and links is span.links
            and resource is span.resource
            and scope is span.scope
            and state is span.trace_state
        ):
            return span
        return span._replace(
            name=name,
            status_message=message,
            attributes=attributes,
            events=events,
            links=links,
            resource=resource,
            scope=scope,
            trace_state=state,
        )

    def log(self, record: LogRecord) -> LogRecord:
        """Return the record redacted; the body of a ``gen_ai.*`` event is content."""
        body, attributes = record.body, record.attributes
        if record.event_name.startswith("gen_ai.") and not self._capture and body is not None:
            body = None
        if attributes and _is_of_database(attributes):
            body, attributes = _without_quoted(body, attributes), _without_message(attributes)
        changed = {
            "body": self._value(body, 0),
            "attributes": self._attributes(attributes, 0),
            "event_name": self.text(record.event_name),
            "severity_text": self.text(record.severity_text),
            "resource": self._producer(record.resource),
            "scope": self._producer(record.scope),
        }
        same = all(value is getattr(record, name) for name, value in changed.items())
        return record if same else record._replace(**changed)

    def point(self, point: MetricPoint) -> MetricPoint:
        """Return the point redacted: its name, unit, description, labels, resource and scope."""
        changed = {
            "name": self.text(point.name),
            "unit": self.text(point.unit),
            "description": self.text(point.description),
            "attributes": self._attributes(point.attributes, 0),
            "resource": self._producer(point.resource),
            "scope": self._producer(point.scope),
        }
        same = all(value is getattr(point, name) for name, value in changed.items())
        return point if same else point._replace(**changed)

    def _event(self, event: SpanEvent) -> SpanEvent:
        attributes = _without_message(event.attributes) if _is_of_database(event.attributes) else event.attributes
        name, attributes = self.text(event.name), self._attributes(attributes, 0)
        if name is event.name and attributes is event.attributes:
            return event
        return SpanEvent(name, event.time, attributes)

    def _link(self, link: SpanLink) -> SpanLink:
        attributes, state = self._attributes(link.attributes, 0), self.text(link.trace_state)
        if attributes is link.attributes and state is link.trace_state:
            return link
        return link._replace(attributes=attributes, trace_state=state)

    def _producer(self, producer: Any) -> Any:
        """A resource's or scope's clean copy; there are few of them, so each is done once."""
        known = self._producers.get(id(producer))
        if known is not None and known[0] is producer:
            return known[1]
        clean = producer
        attributes = self._attributes(producer.attributes, 0)
        if attributes is not producer.attributes:
            clean = producer._replace(attributes=attributes)
        if isinstance(clean, Scope):
            name, version = self.text(clean.name), self.text(clean.version)
            if name is not clean.name or version is not clean.version:
                clean = clean._replace(name=name, version=version)
        if len(self._producers) >= 256:
            self._producers.clear()
        self._producers[id(producer)] = (producer, clean)
        return clean

    def _attributes(self, attributes: Attributes, depth: int) -> Attributes:
        # Only at the top: looked at twice on every level, a deep value would take 2 ** depth looks.
        if not depth and self._kept.issuperset(attributes) and self._are_clean(attributes.values()):
            return attributes
        harmless = self._harmless
        decided = self._keys.get
        changes: dict[str, AttributeValue] | None = None
        for key, value in attributes.items():
            decision = decided(key)
            if decision is None:
                decision = self._decide(key)
            if decision == _KEEP:
                kind = type(value)
                if kind is int or kind is float or (kind is str and value in harmless):
                    continue
                clean = self._value(value, depth)
                if clean is value:
                    continue
                changes = {} if changes is None else changes
                changes[key] = clean
            else:
                changes = {} if changes is None else changes
                if decision != _DROP:
                    changes[key] = self._special(decision, value, depth)
        if changes is None:
            return attributes
        if all(changes.get(key, attributes) is attributes[key] for key in changes) and not self._drops(attributes):
            return attributes
        return self._rebuilt(attributes, changes)

    def _are_clean(self, values: Iterable[AttributeValue]) -> bool:
        """Nearly every record: numbers, and texts that have been looked at before or hold nothing."""
        harmless = self._harmless
        for value in values:
            kind = value.__class__
            if kind is str:
                if value not in harmless and self.text(value) is not value:  # type: ignore[arg-type]
                    return False
            elif kind not in _PLAIN and self._value(value, 0) is not value:
                return False
        return True

    def _drops(self, attributes: Attributes) -> bool:
        return any(self._decision(key) in (_DROP, _RENAME) for key in attributes)

    def _rebuilt(self, attributes: Attributes, changes: Mapping[str, AttributeValue]) -> Attributes:
        built: dict[str, AttributeValue] = {}
        for key, value in attributes.items():
            decision = self._decision(key)
            if decision != _DROP:
                built[self._scan(str(key)) if decision == _RENAME else key] = changes.get(key, value)
        return built

    def _decide(self, key: str) -> int:
        """What becomes of a key's values; decided once for each key."""
        text = str(key)
        if not self._capture and is_content(text) and not self._allowed(text):
            decision = _DROP
        elif self._scan(text) is not text:
            decision = _RENAME
        elif _SENSITIVE.search(text):
            decision = _HIDE
        elif _PHONE_KEY.search(text):
            decision = _PHONE
        else:
            decision = _QUERY if text in _QUERY_KEYS else _KEEP
        if len(text) > _LONGEST_KEY:
            return decision
        if len(self._keys) >= _MAX_REMEMBERED:  # keys made of data
            self._keys.clear()
            self._kept.clear()
        self._keys[key] = decision
        if decision == _KEEP:
            self._kept.add(key)
        return decision

    def _decision(self, key: str) -> int:
        decision = self._keys.get(key)
        return self._decide(key) if decision is None else decision

    def _allowed(self, key: str) -> bool:
        return any(key == name or key.startswith(name + ".") for name in self._allow)

    def _special(self, decision: int, value: AttributeValue, depth: int) -> AttributeValue:
        if decision == _HIDE:
            return value if value in (None, "", "[redacted]") or isinstance(value, bool) else "[redacted]"
        if decision == _PHONE:
            return value if value in (None, "", "[phone]") or isinstance(value, bool) else "[phone]"
        if decision == _QUERY and isinstance(value, str):
            clean = self.text("?" + value)[1:]
            return value if clean == value else clean
        return self._value(value, depth)

    def _value(self, value: AttributeValue, depth: int) -> AttributeValue:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, int | float):
            return value
        if depth >= _MAX_DEPTH:
            return "[redacted]"
        if isinstance(value, bytes):
            text = value.decode("utf-8", "replace")
            clean = self.text(text)
            return value if clean is text else clean.encode()
        if isinstance(value, Mapping):
            return self._attributes(value, depth + 1)
        if isinstance(value, list | tuple):
            items = [self._value(item, depth + 1) for item in value]
            same = all(clean is item for clean, item in zip(items, value, strict=True))
            return value if same else type(value)(items) if type(value) in (list, tuple) else items
        return self.text(str(value))  # a foreign object, which would be written as text anyway

    def _scan(self, text: str) -> str:
        if len(text) > _MAX_LENGTH + len(_CUT):
            return self._scan(_cut(text)) + _CUT
        found = _plain(text, self._patterns)
        return text if found == text else found

    def _patterns(self, text: str) -> str:
        found = without_values(scan(text))
        for pattern, placeholder in self._extra:
            found = pattern.sub(placeholder, found)
        return found


def _is_of_database(attributes: Attributes) -> bool:
    kind = attributes.get(Core.EXCEPTION_TYPE)
    return isinstance(kind, str) and is_database_error(kind)


def _without_message(attributes: Attributes) -> Attributes:
    """A database's error without what it quotes: any of its words may be a value."""
    said = attributes.get(Core.EXCEPTION_MESSAGE)
    clean = without_values(said, message=True) if isinstance(said, str) else said
    return attributes if clean is said else {**attributes, Core.EXCEPTION_MESSAGE: clean}


def _without_quoted(body: AttributeValue, attributes: Attributes) -> AttributeValue:
    """A log line that repeats the error's message."""
    said = attributes.get(Core.EXCEPTION_MESSAGE)
    if not isinstance(body, str) or not isinstance(said, str) or len(said) < 2:
        return body
    return body.replace(said, without_values(said, message=True)) if said in body else body


def _plain(text: str, look: Callable[[str], str]) -> str:
    """Look at the text as it is read: without invisible and look-alike characters, and percent-decoded.

    The text comes back as it was unless something was found in one of its readings.
    """
    if not text.isascii():
        text = _reading(text, text.translate(_FOLDS), look)
        text = _reading(text, text.translate(_LOOKALIKES), look)
    text = read = look(text)
    for _ in range(3):  # a URL in a URL in a URL
        if "%" not in read:
            break
        decoded = unquote(read, errors="replace")
        if decoded == read:
            break
        read = look(decoded)
        if read != decoded:
            text = read
    return text


def _reading(text: str, read: str, look: Callable[[str], str]) -> str:
    if read == text:
        return text  # which is looked at anyway
    found = look(read)
    return text if found == read else found


def _cut(text: str) -> str:
    """The part that is looked at; cut between words, because half an address is not recognised as one."""
    head = text[:_MAX_LENGTH]
    last = max(head.rfind(" ", -_TAIL), head.rfind("\n", -_TAIL))
    return head[:last] if last > 0 else head[:-_TAIL]


def _each(items: tuple[T, ...], clean: Callable[[T], T]) -> tuple[T, ...]:
    cleaned = tuple([clean(item) for item in items])
    return items if all(new is old for new, old in zip(cleaned, items, strict=True)) else cleaned
