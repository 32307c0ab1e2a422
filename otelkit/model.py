"""Plain frozen records that every layer speaks: what OTLP carries, without protobuf and without the SDK.

They are named tuples because millions are made a minute: a named tuple costs a third of a frozen dataclass to create.
Times are nanoseconds since the Unix epoch, ids are raw bytes (16 for a trace, 8 for a span, ``b""`` for none), and
attribute values are what OTLP's ``AnyValue`` can carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

__all__ = [
    "NO_ATTRIBUTES",
    "AttributeValue",
    "Attributes",
    "LogRecord",
    "MetricKind",
    "MetricPoint",
    "Resource",
    "Scope",
    "Span",
    "SpanEvent",
    "SpanKind",
    "SpanLink",
    "StatusCode",
]

AttributeValue: TypeAlias = (
    "str | bool | int | float | bytes | Sequence[AttributeValue] | Mapping[str, AttributeValue] | None"
)
Attributes: TypeAlias = Mapping[str, AttributeValue]

NO_ATTRIBUTES: Attributes = MappingProxyType({})


class SpanKind(IntEnum):
    """OTLP's numbering (the SDK's enum is one less)."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """OTLP's numbering, equal to the SDK's."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Resource(NamedTuple):
    """What produced the telemetry: ``service.name`` and its fellows."""

    attributes: Attributes = NO_ATTRIBUTES


class Scope(NamedTuple):
    """The instrumentation library that recorded it."""

    name: str = ""
    version: str = ""
    attributes: Attributes = NO_ATTRIBUTES


class SpanEvent(NamedTuple):
    """A moment inside a span, such as an ``exception``."""

    name: str
    time: int
    attributes: Attributes = NO_ATTRIBUTES


class SpanLink(NamedTuple):
    """A pointer to a span elsewhere."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes = NO_ATTRIBUTES
    trace_state: str = ""


class Span(NamedTuple):
    """One finished span."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    start: int
    end: int
    status: int = StatusCode.UNSET
    status_message: str = ""
    attributes: Attributes = NO_ATTRIBUTES
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    resource: Resource = Resource()
    scope: Scope = Scope()
    flags: int = 1
    trace_state: str = ""
    dropped_attributes: int = 0

    @property
    def seconds(self) -> float:
        """Duration in seconds; never negative, whatever the clocks did."""
        return max(0, self.end - self.start) / 1e9


class LogRecord(NamedTuple):
    """One log record; a product event is one with an ``event_name``."""

    time: int
    observed: int
    severity: int
    severity_text: str
    body: AttributeValue
    attributes: Attributes = NO_ATTRIBUTES
    event_name: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    flags: int = 0
    resource: Resource = Resource()
    scope: Scope = Scope()


class MetricKind(IntEnum):
    """What a metric point is; sums say in ``monotonic`` whether they only grow."""

    GAUGE = 1
    SUM = 2
    HISTOGRAM = 3
    EXPONENTIAL_HISTOGRAM = 4
    SUMMARY = 5


class MetricPoint(NamedTuple):
    """One point of one series of one metric.

    ``value`` holds a gauge's or sum's number; histograms use ``samples`` (OTLP's count), ``total`` (OTLP's sum, None
    where not reported), ``bounds`` and ``buckets`` (one more than bounds). ``cumulative`` is False for delta.
    Exponential histograms put scale, zero count and offsets in ``detail``, summaries their quantiles.
    """

    name: str
    unit: str
    kind: int
    start: int
    time: int
    value: float | None = None
    samples: int = 0
    total: float | None = None
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    monotonic: bool = False
    cumulative: bool = True
    attributes: Attributes = NO_ATTRIBUTES
    description: str = ""
    detail: Attributes = NO_ATTRIBUTES
    resource: Resource = Resource()
    scope: Scope = Scope()
