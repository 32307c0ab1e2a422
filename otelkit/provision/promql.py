"""PromQL made from the catalogue: no metric or label name is written in a query by hand.

A :class:`Scope` says which series are meant, over which window and kept apart by what; its methods turn an entry of
the catalogue into an :class:`Expr`. Expressions are combined with Python's operators and carry the entries they read,
so that a dashboard or rule knows what it stands on::

    every_service = Scope(window="5m", by=SERVICE)
    failed = every_service.rate(Metrics.HTTP_DURATION, matches(Core.HTTP_STATUS, "5.."))
    asked = every_service.rate(Metrics.HTTP_DURATION)
    too_many = share(failed, asked) > 0.01
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from otelkit.semconv.attributes import Core
from otelkit.semconv.metrics import Instrument, MetricDef, Metrics

__all__ = [
    "INSTANCE",
    "JOB",
    "RANGE",
    "RANGE_SECONDS",
    "RATE_INTERVAL",
    "SERVICE",
    "Expr",
    "Match",
    "Scope",
    "differs",
    "equals",
    "label",
    "matches",
    "misses",
    "number",
    "seconds",
    "share",
    "together",
    "top",
]

RATE_INTERVAL: Final = "$__rate_interval"
"""Grafana's variable for a window that holds enough scrapes for the panel's step."""

RANGE: Final = "$__range"
"""Grafana's variable for the whole time that is shown."""

RANGE_SECONDS: Final = "$__range_s"
"""The same as a number of seconds."""

JOB: Final = "job"
INSTANCE: Final = "instance"
SERVICE: Final = (Core.SERVICE_NAME, Core.DEPLOYMENT_ENVIRONMENT)
"""What tells services apart: on every series, whatever the metric."""

_EVERYWHERE: Final = frozenset({*SERVICE, Core.SERVICE_NAMESPACE, Core.SERVICE_VERSION, JOB, INSTANCE})
_BOUND: Final = "le"
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]+")


def label(attribute: str) -> str:
    """Return the Prometheus label of an attribute: ``http.route`` becomes ``http_route``."""
    return _NOT_IN_LABELS.sub("_", attribute)


# --- which series ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Match:
    """A condition on a label, named by its attribute; ``operator`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    attribute: str
    operator: str
    value: str

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{label(self.attribute)}{self.operator}"{quoted}"'


def equals(attribute: str, value: str) -> Match:
    """Series whose attribute has this value; an empty value means those without the attribute."""
    return Match(attribute, "=", value)


def differs(attribute: str, value: str) -> Match:
    """Series whose attribute has another value; an empty value means those that have the attribute."""
    return Match(attribute, "!=", value)


def matches(attribute: str, pattern: str) -> Match:
    """Series whose whole attribute matches a regular expression (RE2)."""
    return Match(attribute, "=~", pattern)


def misses(attribute: str, pattern: str) -> Match:
    """Series whose attribute does not match a regular expression (RE2)."""
    return Match(attribute, "!~", pattern)


# --- expressions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expr:
    """A PromQL expression: its text, the attributes its result is kept apart by, the catalogue entries it reads."""

    text: str
    by: tuple[str, ...] = ()
    reads: tuple[MetricDef, ...] = ()
    atom: bool = True  # needs no brackets inside another expression

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: Expr | float) -> Expr:
        return self._with("+", other)

    def __sub__(self, other: Expr | float) -> Expr:
        return self._with("-", other)

    def __mul__(self, other: Expr | float) -> Expr:
        return self._with("*", other)

    def __truediv__(self, other: Expr | float) -> Expr:
        return self._with("/", other)

    def __gt__(self, other: Expr | float) -> Expr:
        return self._with(">", other)

    def __ge__(self, other: Expr | float) -> Expr:
        return self._with(">=", other)

    def __lt__(self, other: Expr | float) -> Expr:
        return self._with("<", other)

    def __and__(self, other: Expr) -> Expr:
        """Where both have a result with the same labels, this one's."""
        return self._with("and", other)

    def __or__(self, other: Expr) -> Expr:
        """This one's results, and the other's where this one has none."""
        return self._with("or", other)

    def unless(self, other: Expr, *attributes: str) -> Expr:
        """This one's results where the other has none with the same labels, or none that agrees in ``attributes``."""
        return self._with(f"unless on ({_list(attributes)})" if attributes else "unless", other)

    def only_with(self, other: Expr, *attributes: str) -> Expr:
        """This one's results for which ``other`` has one that agrees in ``attributes``."""
        return replace(self._with(f"and on ({_list(attributes)})", other), by=self.by)

    def per(self, other: Expr, *attributes: str) -> Expr:
        """Divide many series by the one of ``other`` that agrees in ``attributes`` (in none: by its only series)."""
        return self._with(f"/ on ({_list(attributes)}) group_left ()", other)

    def named(self, function: str) -> Expr:
        """Apply a PromQL function of one argument: ``absent``, ``sort_desc``, ``timestamp``."""
        return replace(self, text=f"{function}({self.text})", atom=True)

    def sum(self, *by: str) -> Expr:
        """Add up the results, kept apart by ``by``."""
        return self._grouped("sum", by)

    def max(self, *by: str) -> Expr:
        """The largest result for each ``by``."""
        return self._grouped("max", by)

    def _grouped(self, function: str, by: tuple[str, ...]) -> Expr:
        return Expr(f"{function}{_by(by)} ({self.text})", by, self.reads)

    def _with(self, operator: str, other: Expr | float) -> Expr:
        right = other if isinstance(other, Expr) else number(other)
        reads = tuple(dict.fromkeys((*self.reads, *right.reads)))
        return Expr(f"{_operand(self)} {operator} {_operand(right)}", self.by, reads, atom=False)


def number(value: float) -> Expr:
    """A constant."""
    return Expr(f"{value:.12g}")


def share(part: Expr, whole: Expr) -> Expr:
    """``part`` of ``whole``: 0 where the part was never seen, and nothing where the whole is 0 or unknown.

    Both must be kept apart by the same attributes.
    """
    if part.by != whole.by:
        raise ValueError(f"a share of series by {whole.by} cannot be by {part.by}")
    return (part | whole * 0) / (whole > 0)


def together(*parts: Expr) -> Expr:
    """The sum of several, any of which may be missing; all are kept apart by the same attributes."""
    marked = (f'label_replace({part.text}, "part", "{number}", "", "")' for number, part in enumerate(parts))
    reads = tuple(dict.fromkeys(metric for part in parts for metric in part.reads))
    return Expr(f"sum{_by(parts[0].by)} ({' or '.join(marked)})", parts[0].by, reads)


def top(count: int, expr: Expr) -> Expr:
    """The ``count`` largest results."""
    return Expr(f"topk({count}, {expr.text})", expr.by, expr.reads)


def _operand(expr: Expr) -> str:
    return expr.text if expr.atom else f"({expr.text})"


# --- from entries of the catalogue -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series are meant (``where``), over which ``window``, and kept apart by what (``by``).

    Every method takes conditions and attributes of its own in addition. An attribute that the entry does not carry
    raises :class:`ValueError`: the query could never match.
    """

    window: str = RATE_INTERVAL
    where: tuple[Match, ...] = ()
    by: tuple[str, ...] = ()

    def over(self, window: str) -> Scope:
        """The same series over another window."""
        return replace(self, window=window)

    def only(self, *where: Match) -> Scope:
        """Fewer series."""
        return replace(self, where=(*self.where, *where))

    def rate(self, metric: MetricDef, *where: Match, by: Iterable[str] = (), instead: MetricDef | None = None) -> Expr:
        """How many a second: of a counter its value, of a histogram its recordings.

        ``instead`` is another name of the metric; it counts for processes that do not record this one.
        """
        return self._change("rate", metric, _counted(metric), where, by, instead)

    def increase(self, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """How many in the window: of a counter its value, of a histogram its recordings."""
        return self._change("increase", metric, _counted(metric), where, by)

    def sum_rate(self, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """What the values recorded on a histogram add up to, a second (tokens a second, seconds busy a second)."""
        return self._change("rate", _histogram(metric), "_sum", where, by)

    def sum_increase(self, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """What the values recorded on a histogram add up to in the window."""
        return self._change("increase", _histogram(metric), "_sum", where, by)

    def mean(self, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """The mean of the values recorded on a histogram; nothing where none was recorded."""
        return self.sum_rate(metric, *where, by=by) / (self.rate(metric, *where, by=by) > 0)

    def quantile(
        self,
        quantile: float,
        metric: MetricDef,
        *where: Match,
        by: Iterable[str] = (),
        instead: MetricDef | None = None,
    ) -> Expr:
        """A quantile of a histogram, in the entry's unit; nothing (NaN) where nothing was recorded."""
        kept = self.buckets(metric, *where, by=by, instead=instead)
        return Expr(f"histogram_quantile({quantile:.12g}, {kept.text})", kept.by[:-1], kept.reads)

    def buckets(
        self, metric: MetricDef, *where: Match, by: Iterable[str] = (), instead: MetricDef | None = None
    ) -> Expr:
        """A histogram's buckets a second: what quantiles are made of, and what a heat map shows."""
        if instead and _histogram(instead).boundaries != metric.boundaries:
            raise ValueError(f"{instead.name} has other boundaries than {metric.name}")
        kept = (*self._kept(metric, by), _BOUND)
        return self._aggregate("sum", "rate", _histogram(metric), "_bucket", where, kept, instead)

    def within(self, bound: float, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """Recordings a second of at most ``bound``, which must be one of the entry's boundaries."""
        if bound not in metric.boundaries:
            raise ValueError(f"{metric.name} has no boundary {bound}")
        kept = self._kept(metric, by)
        written = re.escape(f"{bound:.12g}") + ("(\\.0)?" if bound == int(bound) else "")  # 1 is written 1 or 1.0
        condition = Match(_BOUND, "=~", written)
        return self._aggregate("sum", "rate", metric, "_bucket", (*where, condition), kept)

    def now(self, metric: MetricDef, *where: Match, by: Iterable[str] = (), how: str = "sum") -> Expr:
        """The value of a gauge or up-down counter now; ``how`` several series become one: sum, max, min, avg, count."""
        if metric.instrument in {Instrument.COUNTER, Instrument.HISTOGRAM}:
            raise ValueError(f"{metric.name} is a {metric.instrument}: ask for its rate")
        return self._aggregate(how, "", metric, "", where, self._kept(metric, by))

    def age(self, metric: MetricDef, *where: Match, by: Iterable[str] = ()) -> Expr:
        """Seconds since the time that a gauge holds (a heartbeat)."""
        latest = self.now(metric, *where, by=by, how="max")
        return Expr(f"time() - {latest.text}", latest.by, latest.reads, atom=False)

    def happened(
        self, metric: MetricDef, *where: Match, by: Iterable[str] = (), uptime: MetricDef = Metrics.UPTIME
    ) -> Expr:
        """How often in the window, for what is rare: ``increase`` does not see what a series begins with.

        A series that begins in the window counts with its whole value, if its process (``uptime`` says how old it is)
        was known before or is younger than the window; after a gap in the data old processes' series only seem to.
        """
        series = self._selector(metric, _counted(metric), where)
        alive = self._processes()._selector(uptime, "", ())
        begun = f"(last_over_time({series}[{self.window}]) unless {series} offset {self.window})"
        known = f"({alive} offset {self.window} or last_over_time({alive}[{self.window}]) <= {seconds(self.window)})"
        counts = f"{begun} and on ({JOB}, {INSTANCE}) {known} or increase({series}[{self.window}])"
        kept = self._kept(metric, by)
        return Expr(f"sum{_by(kept)} ({counts})", kept, (metric, uptime))

    def seen(self, metric: MetricDef, *where: Match, by: Iterable[str] = (), ago: str = "") -> Expr:
        """The largest value in the window, which may have ended some time ``ago``; nothing where none was seen."""
        kept = self._kept(metric, by)
        series = f"{self._selector(metric, _counted(metric), where)}[{self.window}]"
        return Expr(f"max{_by(kept)} (max_over_time({series}{ago and f' offset {ago}'}))", kept, (metric,))

    def series(self, metric: MetricDef, *where: Match) -> Expr:
        """The entry's series as they are, for ``absent`` and label values."""
        return Expr(self._selector(metric, _counted(metric), where), (), (metric,))

    def _processes(self) -> Scope:
        """The processes of the scope's series, whatever it asks of these besides."""
        return replace(self, where=tuple(where for where in self.where if where.attribute in _EVERYWHERE))

    def _change(
        self,
        function: str,
        metric: MetricDef,
        suffix: str,
        where: Iterable[Match],
        by: Iterable[str],
        instead: MetricDef | None = None,
    ) -> Expr:
        if metric.instrument not in {Instrument.COUNTER, Instrument.HISTOGRAM}:
            raise ValueError(f"{metric.name} is a {metric.instrument}: ask for its value now")
        return self._aggregate("sum", function, metric, suffix, where, self._kept(metric, by), instead)

    def _aggregate(
        self,
        how: str,
        function: str,
        metric: MetricDef,
        suffix: str,
        where: Iterable[Match],
        kept: tuple[str, ...],
        instead: MetricDef | None = None,
    ) -> Expr:
        reads = (metric, instead) if instead else (metric,)
        first, *others = (self._applied(function, self._selector(entry, suffix, where)) for entry in reads)
        inner = " or ".join([first, *(f"({other} unless on ({JOB}, {INSTANCE}) {first})" for other in others)])
        return Expr(f"{how}{_by(kept)} ({inner})", kept, reads)

    def _applied(self, function: str, series: str) -> str:
        return f"{function}({series}[{self.window}])" if function else series

    def _selector(self, metric: MetricDef, suffix: str, where: Iterable[Match]) -> str:
        conditions = (*self.where, *where)
        _known(metric, (condition.attribute for condition in conditions))
        inside = ", ".join(map(str, conditions))
        return f"{metric.collected_name}{suffix}" + (f"{{{inside}}}" if inside else "")

    def _kept(self, metric: MetricDef, by: Iterable[str]) -> tuple[str, ...]:
        kept = tuple(dict.fromkeys((*self.by, *by)))
        _known(metric, kept)
        return kept


def _known(metric: MetricDef, attributes: Iterable[str]) -> None:
    unknown = set(attributes) - _EVERYWHERE - set(metric.attributes) - {_BOUND}
    if unknown:
        raise ValueError(f"{metric.name} does not carry {', '.join(sorted(unknown))}")


def _histogram(metric: MetricDef) -> MetricDef:
    if metric.instrument is not Instrument.HISTOGRAM:
        raise ValueError(f"{metric.name} is a {metric.instrument}, not a histogram")
    return metric


def _counted(metric: MetricDef) -> str:
    return "_count" if metric.instrument is Instrument.HISTOGRAM else ""


def seconds(window: str) -> str:
    """Return a window's length in seconds, as a query says it."""
    if window == RANGE:
        return RANGE_SECONDS
    return str(int(window[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[window[-1]])


def _by(attributes: tuple[str, ...]) -> str:
    return f" by ({_list(attributes)})" if attributes else ""


def _list(attributes: Iterable[str]) -> str:
    return ", ".join(map(label, attributes))
