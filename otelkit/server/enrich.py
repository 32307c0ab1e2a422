"""From a decoded record to what the store keeps: redacted, and spans in one vocabulary, priced, with facts."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from otelkit.mapping import databases, genai
from otelkit.mapping.failures import failures_of_span, stamp_log, stamp_span
from otelkit.mapping.redaction import Redactor
from otelkit.model import (
    Attributes,
    AttributeValue,
    LogRecord,
    MetricPoint,
    Resource,
    Span,
    SpanKind,
    StatusCode,
)
from otelkit.semconv.attributes import Audit, Core, GenAI, Operation, Otelkit
from otelkit.server.messages import last_text, last_user_text
from otelkit.server.prices import Prices
from otelkit.server.storage.facts import Candidate, SeriesKey, SpanFact, Tokens
from otelkit.server.storage.found import found_of
from otelkit.server.text import LABEL, Memo, clip, one_line, service_of, short, string_of, text_of, who

__all__ = ["Enricher"]

_log = logging.getLogger(__name__)
_SHOWN: Final = 300
_LAST_NANOSECOND: Final = 2**63 - 1
_REMOTE_PARENT: Final = 0x300  # OTLP span flags: "is remote" is known, and true
_MOST_TOKENS: Final = 10**12  # beyond this it is not a count, and sums must fit 64 bits
_NO_TOKENS: Final = Tokens()
_IDS: Final = (Core.USER_ID, Otelkit.GROUP_ID, Core.SESSION_ID, GenAI.CONVERSATION_ID)
_CALLS: Final = Operation.INFERENCE | {Operation.EMBEDDINGS}

# The page's kinds; what is missing here is the application's own work.
_FINGERPRINT: Final = re.compile(r"fingerprint:[0-9a-f]{16}").fullmatch
_KINDS: Final[Mapping[str, str]] = {
    "llm": "llm",
    "embedding": "llm",
    "retrieval": "retrieval",
    "rerank": "retrieval",
    "tool": "tool",
    "db": "db",
    "job": "job",
    "sync": "job",
}


class Enricher:
    """Prepares what is to be stored. Never raises: of a record that cannot be understood, what can be kept is.

    The redactor sees what was normalised, so that everything derived passes through it. ``secret`` is the store's own:
    ids that redaction replaces get a pseudonym under it, so that whom they name is still told apart.
    """

    def __init__(self, prices: Prices, redactor: Redactor, secret: bytes) -> None:
        self._prices = prices
        self._redactor = redactor
        self._secret = secret
        self._services: dict[int, tuple[str, str]] = {}

    def spans(self, spans: Sequence[Span]) -> list[SpanFact]:
        """Return the facts of each span."""
        self._services = {}  # the spans of a batch share a few resources: each is read once
        return [self._fact(span) for span in spans]

    def logs(self, records: Sequence[LogRecord]) -> list[LogRecord]:
        """Return the records redacted."""
        return [self._record(record) for record in records]

    def points(self, points: Sequence[MetricPoint]) -> list[MetricPoint]:
        """Return the points redacted; without its labels a point is another series', so one that fails is left out."""
        clean = []
        for point in points:
            try:
                clean.append(self._redactor.point(point))
            except Exception as error:  # noqa: BLE001  see _fact
                _log.error("a metric point could not be understood (%s); not kept", type(error).__name__)
        return clean

    def _fact(self, span: Span) -> SpanFact:
        try:
            span = databases.normalise(genai.normalise(span))
            if span.events:
                span = stamp_span(span)
            clean = self._redactor.span(span)
            if clean.attributes is not span.attributes:
                clean = clean._replace(attributes=self._told_apart(span.attributes, clean.attributes))
            return self._understood(clean)
        except Exception as error:  # noqa: BLE001  whatever a hostile value did, its siblings must not be lost
            # The type only: an exception's words may quote what is not redacted yet.
            _log.error("a span could not be understood (%s); kept without its details", type(error).__name__)
            bare = Span(span.trace_id, span.span_id, span.parent_id, "", span.kind, span.start, span.end, span.status)
            return self._understood(bare)

    def _record(self, record: LogRecord) -> LogRecord:
        try:
            record = stamp_log(record)
            clean = self._audited(record) if Audit.ACTION in record.attributes else self._redactor.log(record)
            if clean.attributes is record.attributes:
                return clean
            return clean._replace(attributes=self._told_apart(record.attributes, clean.attributes))
        except Exception as error:  # noqa: BLE001  see _fact
            _log.error("a log record could not be understood (%s); kept without its details", type(error).__name__)
            return LogRecord(
                *(record.time, record.observed, record.severity, "", None, {}, ""), record.trace_id, record.span_id
            )

    def _audited(self, record: LogRecord) -> LogRecord:
        """Redact an audit record; a fingerprint is harmless under whatever name it stands."""
        clean = self._redactor.log(record)
        parts = {}
        for name in (Audit.BEFORE, Audit.AFTER, Audit.DETAILS):
            values = _object(record.attributes.get(name))
            if values:
                prints = {key: value for key, value in values.items() if _FINGERPRINT(str(value))}
                rest = {key: value for key, value in values.items() if key not in prints}
                parts[name] = json.dumps({**self._redactor.attributes(rest), **prints}, sort_keys=True)
        return clean._replace(attributes={**clean.attributes, **parts}) if parts else clean

    def _told_apart(self, before: Attributes, after: Attributes) -> Attributes:
        """Give ids that redaction took the sense of a name of their own: two people are not one ``[email]``."""
        names = {}
        for name in _IDS:
            was, now = before.get(name), after.get(name)
            if isinstance(was, str) and isinstance(now, str) and was != now:
                digest = blake2b(was.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=6)
                names[name] = f"{now}:{digest.hexdigest()}"
        return {**after, **names} if names else after

    def _understood(self, span: Span) -> SpanFact:
        attributes = span.attributes
        operation = genai.operation(span)
        calls_model = operation in _CALLS
        model = genai.model(span) if operation else ""
        tokens, cost = self._usage(span, model) if calls_model else (_NO_TOKENS, None)
        error = span.status == StatusCode.ERROR
        key = self._key(span, operation, model)
        start = min(span.start, _LAST_NANOSECOND)
        return SpanFact(
            span=span,
            key=key,
            start=start,
            duration=max(0, min(span.end, _LAST_NANOSECOND) - start),
            error=error,
            error_text=_error_text(span, key.tool or key.name) if error else None,
            inference=calls_model,
            tokens=tokens,
            cost=cost,
            first_token=_first_token(attributes) if calls_model else None,
            found=found_of(attributes) if key.kind == "retrieval" else None,
            who=who(attributes),
            input=_input(span, operation),
            output=_output(span, operation),
            failures=tuple(failures_of_span(span)) if span.events else (),
            duplicate=attributes.get(Otelkit.DUPLICATE) is True,
        )

    def _key(self, span: Span, operation: str, model: str) -> SeriesKey:
        value = span.attributes.get
        return _SERIES[_is_entry(span)](
            *self._service(span.resource),
            *(span.name, genai.step_kind(span), operation, genai.provider(span) if operation else "", model),
            *(value(GenAI.TOOL_NAME), value(GenAI.DATA_SOURCE_ID), value(Core.HTTP_ROUTE)),
        )

    def _service(self, resource: Resource) -> tuple[str, str]:
        found = self._services.get(id(resource))
        if found is None:
            found = self._services[id(resource)] = service_of(resource)
        return found

    def cost_of(self, span: Span) -> float | None:
        """Return what a stored call costs by the prices in force, None where that is unknown."""
        return self._usage(span, genai.model(span))[1]

    def _usage(self, span: Span, model: str) -> tuple[Tokens, float | None]:
        usage = genai.usage(span)
        tokens = Tokens(*[count if count is not None and count < _MOST_TOKENS else None for count in usage])
        stamped = span.attributes.get(Otelkit.COST_USD)
        if isinstance(stamped, int | float) and not isinstance(stamped, bool) and 0 <= stamped < 1e9:
            return tokens, float(stamped)
        if tokens.input is None and tokens.output is None:
            return tokens, None
        cost = self._prices.price(genai.provider(span), model, usage, span.end)
        return tokens, None if cost is None else cost.usd


def _series_key(
    entry: int,
    service: str,
    environment: str,
    name: str,
    step: str,
    operation: str,
    provider: str,
    model: str,
    tool: AttributeValue,
    source: AttributeValue,
    route: AttributeValue,
) -> SeriesKey:
    return SeriesKey(
        *(service, environment, clip(name, LABEL) or "(no name)", _KINDS.get(step, "app"), step, clip(operation, 60)),
        *(clip(provider, LABEL), clip(model, LABEL), short(tool) or short(source), short(route), entry),
    )


# By whether the span is an entry. A service's spans have a few keys, so each is put together once.
_SERIES: Final = (Memo(partial(_series_key, 0)), Memo(partial(_series_key, 1)))


def _object(value: AttributeValue) -> dict[str, Any]:
    """Return the JSON object a text holds, empty where it holds none."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_entry(span: Span) -> bool:
    return (
        not span.parent_id
        or span.kind in (SpanKind.SERVER, SpanKind.CONSUMER)
        or span.flags & _REMOTE_PARENT == _REMOTE_PARENT
    )


def _error_text(span: Span, where: str) -> str:
    attributes = span.attributes
    what = string_of(attributes, Core.ERROR_TYPE, Core.EXCEPTION_TYPE)
    if not what or what == "_OTHER" or what.isdigit():
        raised = next((event.attributes for event in span.events if event.name == Core.EXCEPTION_EVENT), {})
        what = string_of(raised, Core.EXCEPTION_TYPE) or (f"HTTP {what}" if what.isdigit() else "")
    what = (what or one_line(span.status_message, 80) or "Error").rpartition(".")[2] or "Error"
    return clip(f"{what} in {where}", _SHOWN)


def _first_token(attributes: Attributes) -> int | None:
    seconds = attributes.get(GenAI.TIME_TO_FIRST_CHUNK)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 86_400:
        return None
    return int(seconds * 1e9)


def _input(span: Span, operation: str) -> Candidate | None:
    """Return what the user may have asked, by the call that saw it first."""
    attributes = span.attributes
    if GenAI.INPUT_MESSAGES in attributes and operation != Operation.EMBEDDINGS:
        return Candidate(0, span.start, attributes[GenAI.INPUT_MESSAGES], _asked)
    if Otelkit.INPUT_VALUE in attributes:
        return Candidate(1, span.start, attributes[Otelkit.INPUT_VALUE], _asked)
    if GenAI.RETRIEVAL_QUERY in attributes:
        return Candidate(2, span.start, attributes[GenAI.RETRIEVAL_QUERY], _written)
    return None


def _output(span: Span, operation: str) -> Candidate | None:
    """Return what the user may have been told, by the call that ended last."""
    attributes = span.attributes
    if GenAI.OUTPUT_MESSAGES in attributes and operation != Operation.EMBEDDINGS:
        return Candidate(0, -span.end, attributes[GenAI.OUTPUT_MESSAGES], _told)
    if Otelkit.OUTPUT_VALUE in attributes:
        return Candidate(1, -span.end, attributes[Otelkit.OUTPUT_VALUE], _told)
    return None


def _asked(value: AttributeValue) -> str:
    return one_line(last_user_text(value), _SHOWN)


def _told(value: AttributeValue) -> str:
    return one_line(last_text(value), _SHOWN)


def _written(value: AttributeValue) -> str:
    return one_line(text_of(value), _SHOWN)
