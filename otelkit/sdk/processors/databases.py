"""Database calls: how long they take, which are slow, which a request runs again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from otelkit.mapping.databases import is_call
from otelkit.mapping.metrics import Measurement, error_label
from otelkit.model import AttributeValue, LogRecord, Scope, Span
from otelkit.sdk.processors.base import MeasuringProcessor
from otelkit.semconv.attributes import Core, Database, Otelkit
from otelkit.semconv.metrics import DatabaseMetrics

__all__ = ["DatabaseProcessor"]

_MOST_TABLES: Final = 300  # names that label metrics; those that come later count as one
_OTHER: Final = "_OTHER"
_MOST_TOPICS: Final = 512
_EVERY_NS: Final = 60_000_000_000  # between two events about one statement
_MOST_WAITING: Final = 1000
_WARNING: Final = 13
_SCOPE: Final = Scope("otelkit.databases")
_LABELS: Final = (Core.DB_SYSTEM, Database.OPERATION, Database.COLLECTION)
_ABOUT: Final = (*_LABELS, Database.QUERY_SUMMARY, Database.QUERY_TEXT, Otelkit.DB_FINGERPRINT)
# They wait for others to do something, which is no sign of a slow database.
_WAITING: Final = frozenset(
    {"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP"}
    | {"WAIT", "WAITAOF", "SUBSCRIBE", "PSUBSCRIBE"}
)


class DatabaseProcessor(MeasuringProcessor):
    """Durations by system, operation and table; slow and repeated statements as events, one a minute each.

    Args:
        slow_seconds: calls longer than this are slow.
    """

    def __init__(self, *args: Any, slow_seconds: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slow = slow_seconds
        self._tables: set[AttributeValue] = set()
        self._spoken: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # topic → last told, untold since
        self._events: list[LogRecord] = []

    def told(self) -> Sequence[LogRecord]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def measurements(self, span: Span) -> Iterable[Measurement]:
        """What one database call, or one request with repeated ones, measures."""
        if is_call(span):
            return self._call(span)
        return self._request(span) if Otelkit.DB_REPEATS in span.attributes else ()

    def _call(self, span: Span) -> Iterator[Measurement]:
        labels = self._labels(span)
        yield Measurement(DatabaseMetrics.DURATION, span.seconds, {**labels, **error_label(span)})
        waits = span.attributes.get(Database.OPERATION) in _WAITING
        slow = span.seconds > self._slow and not waits
        yield Measurement(DatabaseMetrics.SLOW, 1 if slow else 0, labels)  # zero, so that the first one is an increase
        if slow:
            self._tell(Database.SLOW_EVENT, span, self._about(span), f"took {span.seconds:.3g} s")
        if span.attributes.get(Otelkit.DB_VECTOR):
            yield from _vector_search(span, labels)

    def _request(self, span: Span) -> Iterator[Measurement]:
        attributes = span.attributes
        route = str(attributes.get(Core.HTTP_ROUTE) or "")
        labels: dict[str, AttributeValue] = {Core.HTTP_ROUTE: route} if route else {}
        yield Measurement(DatabaseMetrics.REPEATED, 1, labels)
        about: dict[str, AttributeValue] = {
            **labels,
            Database.QUERY_SUMMARY: attributes.get(Otelkit.DB_REPEATED, ""),
            Otelkit.DB_FINGERPRINT: attributes.get(Otelkit.DB_REPEATED_FINGERPRINT, ""),
            Otelkit.DB_REPEATS: attributes[Otelkit.DB_REPEATS],
            Otelkit.DB_CALLS: attributes.get(Otelkit.DB_CALLS, 0),
        }
        said = f"ran {attributes[Otelkit.DB_REPEATS]!r} times in {route or span.name}"
        self._tell(Database.REPEATED_EVENT, span, about, said)

    def _labels(self, span: Span) -> dict[str, AttributeValue]:
        attributes = span.attributes
        labels = {key: attributes[key] for key in _LABELS if attributes.get(key)}
        table = labels.get(Database.COLLECTION)
        if table is not None and table not in self._tables:
            if len(self._tables) < _MOST_TABLES:
                self._tables.add(table)
            else:
                labels[Database.COLLECTION] = _OTHER
        return labels

    def _about(self, span: Span) -> dict[str, AttributeValue]:
        about = {key: span.attributes[key] for key in _ABOUT if span.attributes.get(key)}
        return {**about, **error_label(span), Otelkit.DB_SECONDS: span.seconds}

    def _tell(self, event: str, span: Span, about: Mapping[str, AttributeValue], said: str) -> None:
        """Make an event, unless one about the same statement was made a moment ago: then only count."""
        what = str(about.get(Database.QUERY_SUMMARY) or span.name)
        topic = event, str(about.get(Otelkit.DB_FINGERPRINT) or what)
        last, untold = self._spoken.get(topic, (0, 0))
        if (last and 0 <= span.end - last < _EVERY_NS) or len(self._events) >= _MOST_WAITING:
            self._spoken[topic] = last, untold + 1
            return
        self._spoken[topic] = span.end, 0
        self._spoken.move_to_end(topic)
        if len(self._spoken) > _MOST_TOPICS:
            self._spoken.popitem(last=False)
        attributes = {**about, **({Otelkit.DB_NOT_TOLD: untold} if untold else {})}
        self._events.append(
            LogRecord(
                time=span.end,
                observed=span.end,
                severity=_WARNING,
                severity_text="WARN",
                body=f"{what} {said}",
                attributes=attributes,
                event_name=event,
                trace_id=span.trace_id,
                span_id=span.span_id,
                flags=span.flags & 1,
                resource=span.resource,
                scope=_SCOPE,
            )
        )


def _vector_search(span: Span, labels: Mapping[str, AttributeValue]) -> Iterator[Measurement]:
    where = {key: value for key, value in labels.items() if key != Database.OPERATION}
    yield Measurement(DatabaseMetrics.VECTOR_SEARCH, span.seconds, where)
    rows = span.attributes.get(Database.RETURNED_ROWS)
    if isinstance(rows, int) and not isinstance(rows, bool):
        yield Measurement(DatabaseMetrics.VECTOR_RESULTS, rows, where)
