"""Which error is it, and whose: the fingerprint and the category of an exception as OpenTelemetry carries it.

A fingerprint says that two exceptions are the same error: it is made of the type, of the place in the application's
code that raised, and of the exceptions it came from; never of line numbers, ids or values. The calls *above* that place
have no part in it, because the span of a tool sees fewer of them than the request's span around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from otelkit.mapping.tracebacks import Raised, chain_of, culprit_of, elsewhere, steady
from otelkit.model import Attributes, AttributeValue, LogRecord, Span, SpanEvent, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, Errors

__all__ = [
    "CATEGORIES",
    "Failure",
    "category_of",
    "failure_of_log",
    "failures_of_span",
    "fingerprint_of",
    "stamp_log",
    "stamp_span",
    "where_of",
]

CATEGORIES: Final = ("bug", "dependency", "timeout", "client", "limit")
_FINGERPRINT: Final = re.compile(r"e[0-9a-f]{15}\Z")
_MOST_EVENTS: Final = 16  # of one span
_LONGEST_MESSAGE: Final = 2_000
_ERROR: Final = 17  # the least severity number of an error
# Log records by which frameworks say that nobody handled an exception.
_UNHANDLED_EVENTS: Final = frozenset({"http.server.request.exception", "fastapi.websocket.exception"})
_OWN_EVENTS: Final = "otelkit.error."

_QUOTED: Final = re.compile(
    r"'[^'\n]{0,1000}'|\"[^\"\n]{0,1000}\"|`[^`\n]{0,1000}`|\[[^\[\]\n]{0,1000}\]|<[^<>\n]{0,1000}>"
)
_VALUE: Final = re.compile(r"[\d@/\\=*]")


class Failure(NamedTuple):
    """One exception, or one error that was only logged (``type`` is empty then)."""

    type: str
    message: str
    stacktrace: str
    fingerprint: str
    category: str
    unhandled: bool
    time: int


def stamp_span(span: Span) -> Span:
    """Return the span with fingerprint and category on its exception events; the same object when it has none."""
    if not any(event.name == Core.EXCEPTION_EVENT for event in span.events):
        return span
    events = tuple(
        _stamped_event(event) if event.name == Core.EXCEPTION_EVENT and at < _MOST_EVENTS else event
        for at, event in enumerate(span.events)
    )
    return span._replace(events=events)


def stamp_log(record: LogRecord) -> LogRecord:
    """Return the log record with fingerprint and category, if it tells of an error; else the same object."""
    if not _is_error(record) or _known(record.attributes) is not None:
        return record
    stacktrace = _text(record.attributes, Core.EXCEPTION_STACKTRACE)
    kind, message = _text(record.attributes, Core.EXCEPTION_TYPE), _text(record.attributes, Core.EXCEPTION_MESSAGE)
    if kind or stacktrace:
        stamps = _stamps(kind, message, stacktrace)
    else:
        said = record.body if isinstance(record.body, str) else ""
        stamps = {Errors.FINGERPRINT: _digest(record.scope.name, _words(said)), Errors.CATEGORY: category_of("", said)}
    return record._replace(attributes={**record.attributes, **stamps})


def failures_of_span(span: Span) -> Iterator[Failure]:
    """The exceptions of a stamped span, each fingerprint once; nobody handled those by which an entry ended."""
    escaped = span.status == StatusCode.ERROR and (
        not span.parent_id or span.kind in (SpanKind.SERVER, SpanKind.CONSUMER)
    )
    seen = set()
    for event in span.events[:_MOST_EVENTS]:
        known = _known(event.attributes) if event.name == Core.EXCEPTION_EVENT else None
        if known is not None and known[0] not in seen:
            seen.add(known[0])
            yield _failure(event.attributes, known, escaped, event.time)


def failure_of_log(record: LogRecord) -> Failure | None:
    """The error that a stamped log record tells of, or None."""
    known = _known(record.attributes) if _is_error(record) else None
    if known is None:
        return None
    failure = _failure(record.attributes, known, record.event_name in _UNHANDLED_EVENTS, record.time or record.observed)
    if not failure.type and not failure.message and isinstance(record.body, str):
        failure = failure._replace(message=record.body[:_LONGEST_MESSAGE])
    return failure


def fingerprint_of(kind: str, message: str, stacktrace: str = "") -> str:
    """Return 16 characters that are the same for the same error: ``e`` and hex digits, so that no digits are a card's.

    Args:
        kind: the exception's type, with or without its module: OpenTelemetry's spans write it, its log records do not.
        message: what it says; counts only where there is no stack, and without its values.
        stacktrace: the traceback's text.
    """
    return _fingerprint(kind, message, stacktrace, chain_of(stacktrace))


def _fingerprint(kind: str, message: str, stacktrace: str, chain: Sequence[Raised]) -> str:
    kind = (kind or (chain[-1].type if chain else "")).rpartition(".")[2]
    if not chain:
        where = elsewhere(stacktrace) if stacktrace else ""
        return _digest(kind, *([steady(where)] if where else ["", _words(message)]))
    main = chain[-1]
    parts = [kind, _whereabouts(main) or _words(message or main.message)]
    # The members of a group come in any order.
    members = sorted({(raised.type, _whereabouts(raised)) for raised in chain[:-1] if raised.link == "member"})
    causes = [(raised.type, _whereabouts(raised)) for raised in chain[:-1] if raised.link != "member"]
    return _digest(*parts, *(part for pair in (*causes, *members[:3]) for part in pair))


def where_of(stacktrace: str) -> str:
    """Return the place in the application's code that raised, such as ``shop/orders.py in find``; empty if unknown."""
    chain = chain_of(stacktrace)
    frame = culprit_of(chain[-1]) if chain else None
    return f"{frame.place} in {frame.function}" if frame is not None else elsewhere(stacktrace)


# --- category ------------------------------------------------------------------------------------------------------

_LIMIT: Final = re.compile(r"RateLimit|TooManyRequests|Quota|Throttl|ResourceExhausted|LimitExceeded|SlowDown")
_TIMEOUT: Final = re.compile(r"Time(?:d)?Out|Timeout|DeadlineExceeded|TookTooLong")
_DEPENDENCY: Final = re.compile(
    r"Connect(?:ion)?(?:Refused|Reset|Aborted|Closed|Does|Failure)?.{0,20}Error|ConnectError|NetworkError|ProtocolError"
    r"|ReadError\Z|WriteError\Z|ProxyError|SSLError|TLSError|gaierror|herror|BrokenPipe|Unavailable|BadGateway"
    r"|OperationalError|InterfaceError|DatabaseError|RedisError|EndpointConnection|InternalServerError|ServerError\Z"
    r"|APIStatusError|ServiceError|UnreachableError|NoBrokersAvailable|Overloaded|NodeNotReady|HTTPStatusError"
    r"|AuthenticationError|ClientConnect|ServerDisconnected|ConnectionException|MaxRetry"
)
_CLIENT: Final = re.compile(
    r"ValidationError|HTTPException|WebSocketException|WebSocketDisconnect|ClientDisconnect|BadRequest|Unauthorized"
    r"|PermissionDenied|Forbidden|NotFound\Z|MethodNotAllowed|NotAcceptable|UnprocessableEntity|RequestEntityTooLarge"
)
# Whose errors of the kinds above are the answer of somebody we asked, and no slip of whoever asked us.
_ASKED: Final = re.compile(
    r"\A(?:openai|anthropic|httpx2?|requests|aiohttp|urllib3?|botocore|google|cohere|mistralai|stripe|boto3|grpc|litellm"
    r"|qdrant_client|chromadb|elasticsearch|opensearchpy|redis|pymongo|kafka|aio_pika|pika)\b"
)
_STATUS: Final = re.compile(r"(?:\A|status(?:[ _]code)?[: =]{1,3}|error '|Error code: |HTTP/?\S{0,4} )([1-5]\d\d)\b")


def category_of(kind: str, message: str = "", chain: Sequence[Raised] = ()) -> str:
    """Return one of :data:`CATEGORIES`: who has to do something about it.

    What an exception was made from decides where it says nothing itself.
    """
    found = _category(kind, message)
    if found != "bug":
        return found
    for raised in reversed([raised for raised in chain if raised.link not in ("", "context")]):
        found = _category(raised.type, raised.message)
        if found in ("timeout", "limit", "dependency"):
            return found
    return "bug"


def _category(kind: str, message: str) -> str:
    name = kind.rpartition(".")[2]
    status = _STATUS.search(message[:300]) if name else None
    by_status = (
        _of_status(int(status[1]), asked=bool(_ASKED.match(kind))) if status and _speaks_http(name, kind) else ""
    )
    if by_status:
        return by_status
    for category, names in (("limit", _LIMIT), ("timeout", _TIMEOUT)):
        if names.search(name):
            return category
    if _CLIENT.search(name) and not _ASKED.match(kind):
        return "client"
    return "dependency" if _DEPENDENCY.search(name) or _ASKED.match(kind) else "bug"


def _speaks_http(name: str, kind: str) -> bool:
    return "HTTP" in name or "Status" in name or bool(_ASKED.match(kind))


def _of_status(status: int, *, asked: bool) -> str:
    if status == 429:
        return "limit"
    if status in (408, 504):
        return "timeout"
    if 400 <= status < 500:
        return "dependency" if asked else "client"
    if status < 500:
        return ""
    return "dependency" if asked or status in (502, 503, 529) else "bug"


# --- parts ---------------------------------------------------------------------------------------------------------


def _stamped_event(event: SpanEvent) -> SpanEvent:
    attributes = event.attributes
    if _known(attributes) is not None:
        return event
    names = (Core.EXCEPTION_TYPE, Core.EXCEPTION_MESSAGE, Core.EXCEPTION_STACKTRACE)
    return event._replace(attributes={**attributes, **_stamps(*(_text(attributes, name) for name in names))})


def _stamps(kind: str, message: str, stacktrace: str) -> dict[str, AttributeValue]:
    chain = chain_of(stacktrace)
    return {
        Errors.FINGERPRINT: _fingerprint(kind, message, stacktrace, chain),
        Errors.CATEGORY: category_of(kind, message, chain),
    }


def _failure(attributes: Attributes, known: tuple[str, str], unhandled: bool, time: int) -> Failure:
    return Failure(
        _text(attributes, Core.EXCEPTION_TYPE),
        _text(attributes, Core.EXCEPTION_MESSAGE)[:_LONGEST_MESSAGE],
        _text(attributes, Core.EXCEPTION_STACKTRACE),
        *known,
        unhandled,
        time,
    )


def _is_error(record: LogRecord) -> bool:
    """Whether a record tells of an error: by its severity; where it has none, by an exception."""
    if record.event_name.startswith(_OWN_EVENTS):
        return False
    return record.severity >= _ERROR or (not record.severity and Core.EXCEPTION_TYPE in record.attributes)


def _known(attributes: Attributes) -> tuple[str, str] | None:
    """Fingerprint and category where they are there, and what they should be."""
    fingerprint, category = attributes.get(Errors.FINGERPRINT), attributes.get(Errors.CATEGORY)
    if isinstance(fingerprint, str) and _FINGERPRINT.match(fingerprint) and category in CATEGORIES:
        return fingerprint, str(category)
    return None


def _whereabouts(raised: Raised) -> str:
    frame = culprit_of(raised)
    return f"{frame.place}:{steady(frame.function)}" if frame is not None else ""


def _words(message: str) -> str:
    """A message without what changes from one time to the next: quoted and bracketed parts, numbers, ids, addresses."""
    words = _QUOTED.sub("*", message[:_LONGEST_MESSAGE]).split()
    return " ".join("*" if _VALUE.search(word) else word for word in words)[:300]


def _text(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _digest(*parts: str) -> str:
    return "e" + blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()[1:]
