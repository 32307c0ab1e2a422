"""Who calls whom, drawn from the newest traces: services, and what they use outside of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select

from otelkit.model import SpanKind
from otelkit.semconv.attributes import Core
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.insights.trace import details_of
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["service_map"]

_TRACES: Final = 400
_SPANS: Final = 20_000
_VERSIONS: Final = 3
_trace, _span, _series = schema.trace.c, schema.span.c, schema.series.c
_OF_SPAN: Final = (
    "trace",
    "span_id",
    "parent_id",
    "series",
    "start",
    "duration",
    "status",
    "flags",
    "payload",
    "place",
)
_COLUMNS: Final = ("service", "name", "kind", "step", "provider", "tool")


class _Node(NamedTuple):
    kind: str
    label: str

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.label}"


@dataclass(slots=True)
class _Calls:
    durations: list[int] = field(default_factory=list)
    errors: int = 0

    def add(self, span: Row[Any]) -> None:
        self.durations.append(span.duration)
        self.errors += span.status == 2

    def figures(self, seconds: float) -> dict[str, Any]:
        lengths = sorted(self.durations)
        return {
            "calls": len(lengths),
            "per_s": len(lengths) / seconds,
            "errors": self.errors,
            "error_ratio": self.errors / len(lengths),
            "p50_ms": lengths[(len(lengths) - 1) // 2] / 1e6,
            "p95_ms": lengths[int((len(lengths) - 1) * 0.95)] / 1e6,
        }


def service_map(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return nodes and edges, from the newest traces of the range.

    A node is a service, a model provider, a database, a data source, a tool, or an address that was called and sends no
    spans itself. An edge is one calling the other; from ``entry:`` come requests that nobody else here has sent.
    """
    numbers, complete = _newest(connection, period, scope)
    spans = _spans(connection, numbers)
    telling = _telling(connection, payloads, spans)
    edges = _edges(spans, telling)
    moments = [span.start for span in spans]
    seconds = max((max(moments) - min(moments)) / 1e9, 1.0) if moments else 1.0
    inwards: dict[_Node, _Calls] = {}
    for (_, target), calls in edges.items():
        into = inwards.setdefault(target, _Calls())
        into.durations.extend(calls.durations)
        into.errors += calls.errors
    nodes = sorted({node for edge in edges for node in edge})
    versions = _versions(spans, telling)
    return {
        "range": period.json(),
        "looked_at": {"traces": len(numbers), "complete": complete, "since": min(moments) / 1e6 if moments else None},
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind,
                "label": node.label,
                "versions": versions.get(node.label, []) if node.kind == "service" else [],
                "called": inwards[node].figures(seconds) if node in inwards else None,
            }
            for node in nodes
        ],
        "edges": [
            {"from": source.id, "to": target.id, **calls.figures(seconds)}
            for (source, target), calls in sorted(edges.items(), key=lambda edge: -len(edge[1].durations))
        ],
    }


def _newest(connection: Connection, period: Range, scope: Scope) -> tuple[list[int], bool]:
    query = (
        select(_trace.id)
        .where(_trace.start >= period.start_ns, _trace.start < period.end_ns, *scope.conditions(_trace))
        .order_by(_trace.start.desc())
        .limit(_TRACES + 1)
    )
    numbers = [row.id for row in connection.execute(query).all()]
    return numbers[:_TRACES], len(numbers) <= _TRACES


def _spans(connection: Connection, numbers: Sequence[int]) -> Sequence[Row[Any]]:
    columns: list[Any] = [_span[name] for name in _OF_SPAN]
    columns += [_series[name] for name in _COLUMNS]
    query = select(*columns).join(schema.series, _series.id == _span.series).where(_span.trace.in_(numbers))
    return connection.execute(query.limit(_SPANS)).all()


def _telling(connection: Connection, payloads: PayloadReader, spans: Iterable[Row[Any]]) -> dict[int, dict[str, Any]]:
    """Return the details of one span a series, the newest: what its calls are made with is the same for all of them."""
    newest: dict[int, Row[Any]] = {}
    for span in spans:
        known = newest.get(span.series)
        if known is None or span.start > known.start:
            newest[span.series] = span
    blocks = payloads.read(connection, {span.payload for span in newest.values()})
    return {number: details_of(blocks, span) or {} for number, span in newest.items()}


def _edges(spans: Sequence[Row[Any]], telling: Mapping[int, Mapping[str, Any]]) -> dict[tuple[_Node, _Node], _Calls]:
    by_id = {(span.trace, span.span_id): span for span in spans}
    answered = {
        (span.trace, span.parent_id)
        for span in spans
        if (above := by_id.get((span.trace, span.parent_id))) is not None and above.service != span.service
    }
    edges: dict[tuple[_Node, _Node], _Calls] = {}
    for span in spans:
        here = _Node("service", span.service)
        above = by_id.get((span.trace, span.parent_id))
        found: list[tuple[_Node, _Node]] = []
        if above is None and span.flags & schema.ENTRY:
            found.append((_Node("entry", ""), here))
        elif above is not None and above.service != span.service:
            found.append((_Node("service", above.service), here))
        outside = _outside(span, telling.get(span.series, {}), (span.trace, span.span_id) in answered)
        if outside is not None and not span.flags & schema.DUPLICATE:
            found.append((here, outside))
        for edge in found:
            edges.setdefault(edge, _Calls()).add(span)
    return edges


def _outside(span: Row[Any], details: Mapping[str, Any], answered: bool) -> _Node | None:
    """Return what a span calls outside of its service, None where that is nothing or a service that is known."""
    attributes = details.get("a", {})
    if span.kind == "llm":
        return _Node("llm", span.provider or "unknown provider")
    if span.kind in ("retrieval", "tool"):
        return _Node(span.kind, span.tool or span.name)
    if span.kind == "db":
        system = attributes.get(Core.DB_SYSTEM) or attributes.get(Core.LEGACY_DB_SYSTEM)
        return _Node("db", str(system or "database"))
    if details.get("k") == SpanKind.CLIENT and not answered:
        address = attributes.get(Core.SERVER_ADDRESS)
        return _Node("external", str(address)) if address else None
    return None


def _versions(spans: Sequence[Row[Any]], telling: Mapping[int, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the versions that services name, as far as the newest span of each series says."""
    found: dict[str, list[str]] = {}
    services = {span.series: span.service for span in spans}
    for number, details in telling.items():
        version = details.get("r", {}).get(Core.SERVICE_VERSION)
        versions = found.setdefault(services[number], [])
        if version and str(version) not in versions and len(versions) < _VERSIONS:
            versions.append(str(version))
    return found
