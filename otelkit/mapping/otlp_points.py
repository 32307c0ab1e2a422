"""The points of one OTLP metric as ``MetricPoint`` records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from otelkit.model import Attributes, AttributeValue, MetricKind, MetricPoint, Resource, Scope

__all__ = ["RejectedError", "metric_points"]

_LAST_NANOSECOND: Final = 2**63 - 1
_KINDS: Final = {
    "gauge": MetricKind.GAUGE,
    "sum": MetricKind.SUM,
    "histogram": MetricKind.HISTOGRAM,
    "exponential_histogram": MetricKind.EXPONENTIAL_HISTOGRAM,
    "summary": MetricKind.SUMMARY,
}


class RejectedError(Exception):
    """One record is wrong in itself; ``reason`` is the word it is counted under. Never leaves the decoder."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def metric_points(
    metric: Metric,
    resource: Resource,
    scope: Scope,
    attributes: Callable[[Iterable[KeyValue]], Attributes],
    rejected: Counter[str],
) -> list[MetricPoint]:
    """Return the metric's valid points; count the others in ``rejected`` by reason."""
    which = metric.WhichOneof("data")
    if which is None:
        rejected["metric_data"] += 1
        return []
    data: Any = getattr(metric, which)
    if not metric.name:
        rejected["metric_name"] += len(data.data_points)
        return []
    kind = _KINDS[which]
    # Gauges and summaries have no temporality; what they show is the state, as a cumulative series does.
    delta = getattr(data, "aggregation_temporality", None) == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    common = MetricPoint(
        name=metric.name,
        unit=metric.unit,
        description=metric.description,
        kind=kind,
        start=0,
        time=0,
        monotonic=which == "sum" and data.is_monotonic,
        cumulative=not delta,
        resource=resource,
        scope=scope,
    )
    figures = _FIGURES[kind]
    points = []
    for point in data.data_points:
        try:
            points.append(
                common._replace(
                    start=point.start_time_unix_nano,
                    time=_time(point.time_unix_nano),
                    attributes=attributes(point.attributes),
                    **_with_exemplars(point, figures(point)),
                )
            )
        except RejectedError as problem:
            rejected[problem.reason] += 1
    return points


def _with_exemplars(point: Any, figures: dict[str, Any]) -> dict[str, Any]:
    """Add the measurements that were kept as examples and say in which span they were made."""
    kept = [
        (one.time_unix_nano, one.as_int if one.WhichOneof("value") == "as_int" else one.as_double, trace_id, span_id)
        for one in getattr(point, "exemplars", ())  # summaries have none
        if (trace_id := one.trace_id.hex()) and (span_id := one.span_id.hex())
    ]
    return figures | {"detail": {**figures.get("detail", {}), "exemplars": tuple(kept)}} if kept else figures


def _time(value: int) -> int:
    if not 0 < value <= _LAST_NANOSECOND:
        raise RejectedError("times")
    return value


def _number(point: NumberDataPoint) -> dict[str, Any]:
    which = point.WhichOneof("value")
    if which is None:
        if not point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
            raise RejectedError("metric_data")
        return {}
    return {"value": point.as_int if which == "as_int" else point.as_double}


def _histogram(point: HistogramDataPoint) -> dict[str, Any]:
    bounds = tuple(point.explicit_bounds)
    buckets = tuple(point.bucket_counts)
    # Both empty is allowed: a histogram that reports only count and sum.
    if (bounds or buckets) and len(buckets) != len(bounds) + 1:
        raise RejectedError("histogram_buckets")
    return {
        "samples": point.count,
        "total": _optional(point, "sum"),
        "bounds": bounds,
        "buckets": buckets,
        "detail": _extremes(point),
    }


def _exponential(point: ExponentialHistogramDataPoint) -> dict[str, Any]:
    detail = _extremes(point) | {
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
        "positive_offset": point.positive.offset,
        "positive_buckets": tuple(point.positive.bucket_counts),
        "negative_offset": point.negative.offset,
        "negative_buckets": tuple(point.negative.bucket_counts),
    }
    return {"samples": point.count, "total": _optional(point, "sum"), "detail": detail}


def _summary(point: SummaryDataPoint) -> dict[str, Any]:
    quantiles = {str(one.quantile): one.value for one in point.quantile_values}
    return {"samples": point.count, "total": point.sum, "detail": {"quantiles": quantiles} if quantiles else {}}


def _extremes(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> dict[str, AttributeValue]:
    found = {name: _optional(point, name) for name in ("min", "max")}
    return {name: value for name, value in found.items() if value is not None}


def _optional(point: HistogramDataPoint | ExponentialHistogramDataPoint, name: str) -> float | None:
    return getattr(point, name) if point.HasField(name) else None  # type: ignore[arg-type]


_FIGURES: Final[dict[MetricKind, Callable[[Any], dict[str, Any]]]] = {
    MetricKind.GAUGE: _number,
    MetricKind.SUM: _number,
    MetricKind.HISTOGRAM: _histogram,
    MetricKind.EXPONENTIAL_HISTOGRAM: _exponential,
    MetricKind.SUMMARY: _summary,
}
