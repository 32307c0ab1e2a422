"""Any metric over time, aggregated as its kind asks for, split and filtered by its attributes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, func, literal, select

from otelkit.model import MetricKind
from otelkit.server.insights.distributions import Buckets, explicit, exponential, quantile
from otelkit.server.insights.gains import Gain, Reading, gains
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema

__all__ = ["WAYS", "increases", "plot", "stepped"]

_STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400, 7 * 86_400)
_MOST_STEPS: Final = 120
_SERIES: Final = 400
_POINTS: Final = 20_000
_SHOWN: Final = 10
_VALUES: Final = 50
_EXEMPLARS: Final = 60
_HELD_NS: Final = 300_000_000_000  # so long a value stands for what was not reported after it
_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_UP_AND_DOWN: Final = "up_and_down"
_ways: Final[Mapping[str, tuple[str, ...]]] = {
    "gauge": ("last", "avg", "min", "max", "sum"),
    "sum": ("rate", "increase"),
    _UP_AND_DOWN: ("sum", "last", "avg", "min", "max"),
    "histogram": ("percentiles", *_QUANTILES, "rate", "avg"),
    "exponential_histogram": ("percentiles", *_QUANTILES, "rate", "avg"),
    "summary": ("quantiles", "rate", "avg"),
}
WAYS: Final = tuple(dict.fromkeys(way for ways in _ways.values() for way in ways))
# How several series become one.
_MERGED: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "avg": lambda known: sum(known) / len(known),
    "last": lambda known: sum(known) / len(known),
}
_series, _point = schema.metric_series.c, schema.metric_point.c
Values = list[float | None]


@dataclass(frozen=True, slots=True)
class _Line:
    """One stored series and what is known of it."""

    number: int
    cumulative: bool
    labels: Mapping[str, str]


def stepped(period: Range, start_ms: float | None = None, end_ms: float | None = None) -> Range:
    """Return the range in steps as fine as points allow: they are kept as they came, unlike the sums of spans.

    ``start_ms`` and ``end_ms`` are the ends that were asked for, where any were.
    """
    start = start_ms / 1000 if start_ms is not None else period.start
    end = max(end_ms / 1000 if end_ms is not None else period.end, start + _STEPS[0])
    step = next((size for size in _STEPS if (end - start) / size <= _MOST_STEPS), _STEPS[-1])
    low, high = int(start // step) * step, -int(-end // step) * step
    return replace(period, start=low, end=high, step=step)


def plot(
    connection: Connection,
    period: Range,
    scope: Scope,
    name: str,
    *,
    way: str | None = None,
    by: str | None = None,
    where: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """Return a metric by step, or None where there is none of that name.

    ``way`` is one of those its kind has, else the first of them is used; ``by`` an attribute (or ``service``) to split
    by; ``where`` attributes that must be equal.
    """
    query = select(schema.metric_series).where(_series.name == name, *scope.conditions(_series))
    rows = connection.execute(query.order_by(_series.id.desc()).limit(_SERIES + 1)).all()
    if not rows:
        return None
    first = rows[0]
    alike = [row for row in rows[:_SERIES] if (row.kind, row.monotonic) == (first.kind, first.monotonic)]
    lines = [_Line(row.id, bool(row.cumulative), _labels(row)) for row in alike]
    chosen = [line for line in lines if all(line.labels.get(key) == value for key, value in (where or {}).items())]
    kind = MetricKind(first.kind).name.lower()
    ways = _ways[_UP_AND_DOWN if kind == "sum" and not first.monotonic else kind]
    way = way if way in ways else ways[0]
    if by is not None and way in ("percentiles", "quantiles"):
        way = "p95" if way == "percentiles" else "avg"
    drawn, exemplars = _drawn(connection, period, kind, way, by, chosen)
    return {
        "range": period.json(),
        "times": period.times,
        "name": name,
        "kind": kind,
        "monotonic": bool(first.monotonic),
        "description": first.description,
        "unit": _unit(first.unit, way, kind),
        "way": way,
        "ways": list(ways),
        "by": by,
        "attributes": _attributes(lines),
        "series": drawn,
        "matching": len(chosen),
        "truncated": len(rows) > _SERIES,
        "exemplars": exemplars,
    }


def increases(connection: Connection, period: Range, scope: Scope, name: str, by: str) -> dict[str, float]:
    """Return how much a counter grew in the range, by an attribute; empty where it never arrived."""
    query = select(schema.metric_series).where(_series.name == name, *scope.conditions(_series))
    rows = connection.execute(query.order_by(_series.id.desc()).limit(_SERIES)).all()
    lines = [_Line(row.id, bool(row.cumulative), _labels(row)) for row in rows]
    readings, _ = _readings(connection, period, "sum", lines)
    born = period.start_ns - period.step * 1_000_000_000
    found: dict[str, float] = {}
    for line in lines:
        gained = gains(readings.get(line.number, ()), cumulative=line.cumulative, born=born)
        label = line.labels.get(by, "")
        found[label] = found.get(label, 0.0) + sum(value or 0.0 for value in _increases(gained, period))
    return found


def _labels(row: Row[Any]) -> dict[str, str]:
    attributes = {key: value if isinstance(value, str) else json.dumps(value) for key, value in _read(row).items()}
    return {**attributes, "service": row.service}


def _read(row: Row[Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.attributes)
    return found


def _attributes(lines: Iterable[_Line]) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        for key, value in line.labels.items():
            counts.setdefault(key, Counter())[value] += 1
    return [
        {"key": key, "count": len(values), "values": [value for value, _ in values.most_common(_VALUES)]}
        for key, values in sorted(counts.items())
    ]


def _unit(unit: str, way: str, kind: str) -> str:
    if way == "rate":
        return f"{unit}/s" if unit and kind == "sum" and not unit.startswith("{") and unit != "1" else "1/s"
    return "" if unit == "1" or (way == "increase" and unit.startswith("{")) else unit


def _drawn(
    connection: Connection, period: Range, kind: str, way: str, by: str | None, lines: Sequence[_Line]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines to draw, the largest first and the smaller ones together, and exemplars."""
    groups: dict[str, list[int]] = {}
    for line in lines:
        groups.setdefault("" if by is None else line.labels.get(by, "(none)"), []).append(line.number)
    if way in _MERGED and kind in ("gauge", "sum"):
        found = _levels(connection, period, way, lines)
        return _ranked(groups, period, lambda numbers: _merged([found.get(one) for one in numbers], way)), []
    readings, exemplars = _readings(connection, period, kind, lines)
    if way == "quantiles":
        return _of_summaries(connection, period, lines), []
    born = period.start_ns - period.step * 1_000_000_000
    gained = {
        line.number: gains(readings.get(line.number, ()), cumulative=line.cumulative, born=born) for line in lines
    }
    if way == "percentiles":
        everything = [gain for number in gained for gain in gained[number]]
        return [
            {"label": name, "other": False, "values": _quantiles(everything, period, share)}
            for name, share in _QUANTILES.items()
        ], exemplars
    draw = _way(way, period)
    return _ranked(groups, period, lambda numbers: draw([gained.get(one, []) for one in numbers])), (
        exemplars if way in (*_QUANTILES, "avg") else []
    )


def _way(way: str, period: Range) -> Callable[[list[list[Gain]]], Values]:
    if way in _QUANTILES:
        return lambda lines: _quantiles([gain for line in lines for gain in line], period, _QUANTILES[way])
    if way == "avg":
        return lambda lines: _averages([gain for line in lines for gain in line], period)
    if way == "increase":
        return lambda lines: _merged([_increases(line, period) for line in lines], "sum")
    return lambda lines: _merged([_rates(line, period) for line in lines], "sum")


def _ranked(
    groups: Mapping[str, list[int]], period: Range, draw: Callable[[list[int]], Values]
) -> list[dict[str, Any]]:
    """Return one line a group; of more than ten the smallest are drawn as one."""
    drawn = {label: draw(numbers) for label, numbers in groups.items()}
    order = sorted(drawn, key=lambda label: -sum(abs(value) for value in drawn[label] if value is not None))
    found = [{"label": label, "other": False, "values": drawn[label]} for label in order[:_SHOWN]]
    rest = [number for label in order[_SHOWN:] for number in groups[label]]
    if rest:
        found.append({"label": f"{len(order) - _SHOWN} other", "other": True, "values": draw(rest)})
    return found


# Levels: gauges, and sums that go up and down


def _levels(connection: Connection, period: Range, way: str, lines: Sequence[_Line]) -> dict[int, Values]:
    """Return by series what it was in each step: its average, least or most, else the last it was."""
    numbers = [line.number for line in lines]
    step = _step(period)
    if way in ("sum", "last"):
        query = _newest_by_step(period, numbers).with_only_columns(_point.series, step.label("at"), _point.value)
    else:
        of: Any = {"avg": func.avg, "min": func.min, "max": func.max}[way]
        query = (
            select(_point.series, step.label("at"), of(_point.value))
            .where(_point.series.in_(numbers), *_inside(period), _point.value.is_not(None))
            .group_by(_point.series, step)
        )
    found: dict[int, Values] = {}
    for number, place, value in connection.execute(query).all():
        if place >= 0:
            found.setdefault(number, [None] * period.steps)[place] = value
    return {number: _held(values, period) for number, values in found.items()}


def _held(values: Values, period: Range) -> Values:
    """Return values that stand for a while where nothing newer was reported."""
    longest = max(1, _HELD_NS // (period.step * 1_000_000_000))
    last, age = None, 0
    held: Values = []
    for at, value in enumerate(values):
        last, age = (value, 0) if value is not None else (last, age + 1)
        passed = period.start + at * period.step <= period.now
        held.append(last if age < longest and passed else None)
    return held


def _merged(lines: Sequence[Values | None], way: str) -> Values:
    """Return several series as one; what none of them knows is unknown."""
    columns = zip(*(line for line in lines if line is not None), strict=True)
    merge = _MERGED[way]
    return [merge(known) if (known := [v for v in column if v is not None]) else None for column in columns]


# Counters and histograms


def _step(period: Range) -> Any:
    return (_point.time - period.start_ns) // (period.step * 1_000_000_000)


def _inside(period: Range) -> tuple[Any, Any]:
    return _point.time >= period.start_ns, _point.time < period.end_ns


def _readings(
    connection: Connection, period: Range, kind: str, lines: Sequence[_Line]
) -> tuple[dict[int, list[Reading]], list[dict[str, Any]]]:
    """Return readings by series, and the exemplars among them.

    Of a series that counts for ever the newest of each step says everything; of one that counts from report to report
    all are needed.
    """
    counting = [line.number for line in lines if line.cumulative]
    rows = list(connection.execute(_newest_by_step(period, counting)).all()) if counting else []
    others = [line.number for line in lines if not line.cumulative]
    if others:
        query = select(schema.metric_point).where(_point.series.in_(others), *_inside(period))
        rows += connection.execute(query.order_by(_point.time.desc()).limit(_POINTS)).all()
    rows.sort(key=lambda row: row.time)
    found: dict[int, list[Reading]] = {}
    exemplars: list[dict[str, Any]] = []
    for row in rows:
        bounds, counts, detail = json.loads(row.detail) if row.detail else ((), (), {})
        buckets: Buckets = {}
        if kind != "sum":
            buckets = exponential(detail) if "scale" in detail else explicit(bounds, counts)
        amount = row.value if kind == "sum" else row._mapping["count"]
        if amount is not None:
            found.setdefault(row.series, []).append(Reading(row.start, row.time, amount, row.sum, buckets))
        exemplars.extend(_exemplar(one) for one in detail.get("exemplars", ()))
    inside = [one for one in exemplars if period.start * 1000 <= one["time"] < period.end * 1000]
    inside.sort(key=lambda one: -one["value"])
    return found, inside[:_EXEMPLARS]


def _newest_by_step(period: Range, numbers: Sequence[int]) -> Any:
    """Return a query for the newest point of each series and step, the step before the range included.

    It looks up each one by the key, so that it takes as long for a million points as for a thousand.
    """
    places = select(literal(-1, BigInteger).label("at")).cte("steps", recursive=True)
    places = places.union_all(select(places.c.at + 1).where(places.c.at < period.steps - 1))
    begin = period.start_ns + places.c.at * (period.step * 1_000_000_000)
    inner = schema.metric_point.alias("inner_point")
    newest = (
        select(func.max(inner.c.time))
        .where(inner.c.series == _series.id)
        .where(inner.c.time >= begin, inner.c.time < begin + period.step * 1_000_000_000)
        .correlate(schema.metric_series, places)
        .scalar_subquery()
    )
    keys = (
        select(_series.id.label("series"), newest.label("time"))
        .select_from(schema.metric_series.join(places, literal(1) == 1))
        .where(_series.id.in_(numbers))
        .subquery()
    )
    return select(schema.metric_point).join(keys, (keys.c.series == _point.series) & (keys.c.time == _point.time))


def _exemplar(one: Sequence[Any]) -> dict[str, Any]:
    return {"time": one[0] / 1e6, "value": one[1], "trace_id": one[2], "span_id": one[3]}


def _places(gain: Gain, period: Range) -> range:
    """Return the steps in which a gain came in; a long silence is not filled."""
    length = period.step * 1_000_000_000
    last = (gain.time - period.start_ns) // length
    since = max(gain.since, gain.time - _HELD_NS)
    first = min(last, (since - period.start_ns) // length + 1)
    return range(max(0, first), min(period.steps, last + 1))


def _rates(line: Sequence[Gain], period: Range) -> Values:
    """Return gains a second, spread over the time in which they came in."""
    found: Values = [None] * period.steps
    for gain in line:
        seconds = (gain.time - gain.since) / 1e9 or period.step
        for at in _places(gain, period):
            found[at] = gain.amount / seconds
    return found


def _increases(line: Sequence[Gain], period: Range) -> Values:
    found: Values = [None] * period.steps
    for gain in line:
        for at in _places(gain, period)[-1:]:
            found[at] = (found[at] or 0.0) + gain.amount
    return found


def _averages(everything: Sequence[Gain], period: Range) -> Values:
    totals, counts = [0.0] * period.steps, [0.0] * period.steps
    for gain in everything:
        if gain.total is not None:
            for at in _places(gain, period):
                totals[at] += gain.total
                counts[at] += gain.amount
    return [total / count if count else None for total, count in zip(totals, counts, strict=True)]


def _quantiles(everything: Sequence[Gain], period: Range, share: float) -> Values:
    by_step: list[Buckets] = [{} for _ in range(period.steps)]
    for gain in everything:
        for at in _places(gain, period):
            for edges, count in gain.buckets.items():
                by_step[at][edges] = by_step[at].get(edges, 0) + count
    return [quantile(buckets, share) for buckets in by_step]


def _of_summaries(connection: Connection, period: Range, lines: Sequence[_Line]) -> list[dict[str, Any]]:
    """Return the quantiles that summaries say themselves; those of several series can only be averaged."""
    rows = connection.execute(_newest_by_step(period, [line.number for line in lines])).all() if lines else []
    said: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        at = (row.time - period.start_ns) // (period.step * 1_000_000_000)
        quantiles = json.loads(row.detail)[2].get("quantiles", {}) if row.detail else {}
        for name, value in quantiles.items():
            if at >= 0 and value == value:
                said.setdefault(name, {}).setdefault(at, []).append(value)
    return [
        {
            "label": f"p{float(name) * 100:g}",
            "other": False,
            "values": _held(
                [sum(v) / len(v) if (v := said[name].get(at)) else None for at in range(period.steps)], period
            ),
        }
        for name in sorted(said, key=float)
    ]
