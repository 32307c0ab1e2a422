"""Collected metrics before they leave: labels that name people or hold secrets off, points that become equal added.

Users, groups and sessions are never a metric label; figures by user come from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otelkit.mapping.redaction import Redactor
from otelkit.sdk.identity import ID_KEYS
from otelkit.semconv.metrics import JobMetrics

__all__ = ["Baseline", "Contributions", "LabelCleaner", "clean"]

Labels: TypeAlias = Mapping[str, str]
_HIDDEN: Final = "[redacted]"


class LabelCleaner:
    """Text attributes of a metric point as they may leave; remembers the label sets of a process.

    Args:
        redactor: the same one as for spans and logs.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known = lru_cache(maxsize=8192)(self._clean)

    def __call__(self, labels: Labels) -> dict[str, str]:
        """The labels without ids; secrets and content hidden, so that the label itself stays."""
        return dict(self._known(tuple(labels.items())))

    def _clean(self, items: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        kept = {key: value for key, value in items if key.replace("_", ".") not in _DOTTED_IDS}
        redacted = self._redactor.attributes(kept)
        return tuple(
            (key, str(redacted[key])) if key in redacted else (self._redactor.text(key), _HIDDEN) for key in kept
        )


# Prometheus writes user.id as user_id: the same key either way.
_DOTTED_IDS: Final = frozenset(key.replace("_", ".") for key in ID_KEYS)


def clean(request: ExportMetricsServiceRequest, labels: LabelCleaner, wanted: Callable[[str], bool]) -> int:
    """Clean an encoded request in place and leave out metrics that are not ``wanted``; the number of points left."""
    points = 0
    for resource in request.resource_metrics:
        _clean_attributes(resource.resource.attributes, labels)
        for scope in resource.scope_metrics:
            kept = [metric for metric in scope.metrics if wanted(metric.name)]
            del scope.metrics[:]
            scope.metrics.extend(kept)
            for metric in scope.metrics:
                points += _clean_metric(metric, labels)
    return points


def _clean_metric(metric: Metric, labels: LabelCleaner) -> int:
    data = data_of(metric)
    changed = False
    for point in data.data_points:
        changed |= _clean_attributes(point.attributes, labels)
        for exemplar in getattr(point, "exemplars", ()):
            del exemplar.filtered_attributes[:]  # what was taken off a point must not leave through its example
    if changed:
        _merge_equal(metric, data)
    return len(data.data_points)


def _clean_attributes(attributes: Any, labels: LabelCleaner) -> bool:
    """Clean in place; True when something was changed."""
    text = {item.key: item.value.string_value for item in attributes if item.value.HasField("string_value")}
    cleaned = labels(text)
    if cleaned == text:
        return False
    others = [item for item in attributes if not item.value.HasField("string_value")]
    del attributes[:]
    attributes.extend(others)
    for key, value in cleaned.items():
        added = KeyValue(key=key)
        added.value.string_value = value
        attributes.append(added)
    return True


def data_of(metric: Metric) -> Any:
    """The gauge, sum or histogram inside."""
    return getattr(metric, metric.WhichOneof("data") or "gauge")


def series_of(point: Any) -> tuple[tuple[str, bytes], ...]:
    """What tells a point's series from others of its metric."""
    return tuple(sorted((item.key, item.value.SerializeToString()) for item in point.attributes))


def _merge_equal(metric: Metric, data: Any) -> None:
    merged: dict[tuple[tuple[str, bytes], ...], Any] = {}
    for point in data.data_points:
        first = merged.setdefault(series_of(point), point)
        if first is not point:
            add(metric, first, point, 1)
    kept = [type(point).FromString(point.SerializeToString()) for point in merged.values()]
    del data.data_points[:]
    data.data_points.extend(kept)


def add(metric: Metric, point: Any, other: Any, sign: int) -> None:
    """Add ``other`` to ``point`` (sign 1) or take it off (-1): sums and histograms; of gauges the later one stays."""
    kind = metric.WhichOneof("data")
    if kind == "sum":
        if point.HasField("as_int"):
            point.as_int += sign * other.as_int
        else:
            point.as_double += sign * other.as_double
    elif kind == "histogram" and list(point.explicit_bounds) == list(other.explicit_bounds):
        point.count += sign * other.count
        point.sum += sign * other.sum
        for index, count in enumerate(other.bucket_counts):
            point.bucket_counts[index] += sign * count
        if sign < 0:  # the extremes of what is left are not known
            point.ClearField("min")
            point.ClearField("max")
    elif kind == "gauge" and sign > 0:
        point.CopyFrom(other)


class Baseline:
    """What a forked child inherited in cumulative metrics: its parent's counts, which the parent reports itself."""

    def __init__(self) -> None:
        self._inherited: dict[tuple[str, str, tuple[tuple[str, bytes], ...]], Any] = {}

    def take(self, request: ExportMetricsServiceRequest) -> None:
        """Remember everything in ``request`` as inherited."""
        for scope, metric, point in _points(request):
            copy = type(point)()
            copy.CopyFrom(point)
            self._inherited[scope, metric.name, series_of(point)] = copy

    def subtract(self, request: ExportMetricsServiceRequest) -> None:
        """Take off what was inherited; points that hold nothing of the child's own stay, at zero."""
        if not self._inherited:
            return
        for scope, metric, point in _points(request):
            inherited = self._inherited.get((scope, metric.name, series_of(point)))
            if inherited is not None:
                add(metric, point, inherited, -1)
                point.start_time_unix_nano = max(point.start_time_unix_nano, inherited.time_unix_nano)


_OF_A_PROCESS: Final = ("process.", "system.", "cpython.", "runtime.")
_HEARTBEATS: Final = frozenset({JobMetrics.LAST_SUCCESS.name, JobMetrics.SYNC_LAST_SUCCESS.name})


class Contributions:
    """What children that lived for one job counted, added to the metrics of the process that outlives them.

    Series of their own they would begin at 1 and end there: nobody could see an increase. Counters, histograms and
    heartbeats are added; what a child was (its memory, its uptime) went with it.
    """

    def __init__(self) -> None:
        self._left: dict[tuple[str, str, tuple[tuple[str, bytes], ...]], tuple[Metric, Any]] = {}

    def take(self, request: ExportMetricsServiceRequest) -> None:
        """Remember what a child collected at its end."""
        for scope, metric, point in _points(request):
            if not _outlives(metric):
                continue
            key = (scope, metric.name, series_of(point))
            known = self._left.get(key)
            if known is not None:
                add(metric, known[1], point, 1)
            elif len(self._left) < _MOST_CONTRIBUTED:
                self._left[key] = (metric, type(point).FromString(point.SerializeToString()))

    def add_to(self, request: ExportMetricsServiceRequest) -> None:
        """Add everything so far to what this process has collected."""
        if not self._left or not request.resource_metrics:
            return
        rest = dict(self._left)
        for scope, metric, point in _points(request):
            left = rest.pop((scope, metric.name, series_of(point)), None)
            if left is not None:
                add(metric, point, left[1], 1)
        scopes = request.resource_metrics[0].scope_metrics
        now = time.time_ns()
        for (scope, name, _), (metric, point) in rest.items():
            kept = next((given for given in scopes if given.scope.name == scope), None)
            if kept is None:
                kept = scopes.add()
                kept.scope.name = scope
            mine = next((given for given in kept.metrics if given.name == name), None)
            if mine is None:
                mine = kept.metrics.add()
                mine.CopyFrom(metric)
                del data_of(mine).data_points[:]
            added = data_of(mine).data_points.add()
            added.CopyFrom(point)
            added.time_unix_nano = now


_MOST_CONTRIBUTED: Final = 2000  # series, as OpenTelemetry has for one instrument


def _outlives(metric: Metric) -> bool:
    kind = metric.WhichOneof("data")
    if kind == "gauge":
        return metric.name in _HEARTBEATS
    cumulative = kind == "histogram" or (kind == "sum" and metric.sum.is_monotonic)
    return cumulative and not metric.name.startswith(_OF_A_PROCESS)


def _points(request: ExportMetricsServiceRequest) -> Iterable[tuple[str, Metric, Any]]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in data_of(metric).data_points:
                    yield scope.scope.name, metric, point
