"""What a dashboard says: rows of panels, each of queries made from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from otelkit.provision.logql import Lines, LogExpr
from otelkit.provision.promql import RANGE, RATE_INTERVAL, Expr, Match, Scope, matches
from otelkit.semconv.attributes import Core, GenAI
from otelkit.semconv.metrics import MetricDef

__all__ = [
    "ALL",
    "LOGS_OF_SERVICES",
    "MODEL",
    "MODELS",
    "SERVICES",
    "WHOLE",
    "Ask",
    "Dashboard",
    "Kind",
    "Panel",
    "Row",
    "Source",
    "Step",
    "Unit",
    "Variable",
    "at_least",
    "seconds",
]


class Kind(StrEnum):
    """How a panel shows its result; the last three show one value for each series, of the whole range or of now."""

    LINES = "timeseries"
    STACKED = "stacked"
    HEAT = "heatmap"
    LOGS = "logs"
    FIGURE = "stat"
    BARS = "bargauge"
    TABLE = "table"


class Unit(StrEnum):
    """Grafana's names of units."""

    SECONDS = "s"
    SHARE = "percentunit"
    BYTES = "bytes"
    BYTES_A_SECOND = "Bps"
    DOLLARS = "currencyUSD"
    COUNT = "short"
    EACH_SECOND = "cps"
    REQUESTS_A_SECOND = "reqps"
    NUMBER = "none"
    AGE = "dtdurations"


class Source(Enum):
    """A data source: its type, and the uid by which it is provisioned."""

    PROMETHEUS = "prometheus", "otelkit-prometheus"
    LOKI = "loki", "otelkit-loki"
    TRACES = "tempo", "otelkit-traces"

    @property
    def kind(self) -> str:
        """The plug-in."""
        return self.value[0]

    @property
    def uid(self) -> str:
        """What panels name it by."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Step:
    """From ``value`` on a figure has this colour."""

    value: float
    color: str


def at_least(amber: float, red: float) -> tuple[Step, ...]:
    """Colours of what is worse the more there is of it."""
    return Step(amber, "orange"), Step(red, "red")


@dataclass(frozen=True, slots=True)
class Ask:
    """One query of a panel.

    Attributes:
        query: what is asked.
        legend: what its series are called; by default the values of the attributes they are kept apart by.
        exemplars: whether single calls are drawn as points that lead to their traces.
        sure: whether the demo's load must give data.
    """

    query: Expr | Lines | LogExpr
    legend: str = ""
    exemplars: bool = False
    sure: bool = True

    @property
    def source(self) -> Source:
        """Who answers it."""
        return Source.PROMETHEUS if isinstance(self.query, Expr) else Source.LOKI

    @property
    def reads(self) -> tuple[MetricDef, ...]:
        """The catalogue entries it stands on."""
        return self.query.reads if isinstance(self.query, Expr) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: its heading.
        says: what it shows and how to read it.
        asks: its queries, of one data source.
        unit: of all of them.
        kind: how it is drawn.
        width: of 24 columns.
        height: in rows of the grid.
        steps: thresholds, lowest first; below the first everything is fine.
        most: the largest value there can be, such as 1 for shares.
        alerts: names of the alerts that stand on the same figures.
    """

    title: str
    says: str
    asks: tuple[Ask, ...]
    unit: Unit
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 8
    steps: tuple[Step, ...] = ()
    most: float | None = None
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]


class Variable(Enum):
    """What a reader may choose: its name, heading, the attribute, and what stands for all values."""

    # Loki refuses a selector that may match everything, so a service is always named.
    SERVICE = "service", "Service", Core.SERVICE_NAME, ".+"
    ENVIRONMENT = "environment", "Environment", Core.DEPLOYMENT_ENVIRONMENT, ".*"
    MODEL = "model", "Model", GenAI.REQUEST_MODEL, ".*"

    @property
    def match(self) -> Match:
        """The condition that a choice sets."""
        return matches(self.value[2], f"${self.value[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard; ``uid`` is its address and never changes."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = (Variable.SERVICE, Variable.ENVIRONMENT)
    range: str = "1h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in reading order."""
        return tuple(panel for row in self.rows for panel in row.panels)


_CHOSEN: Final = (Variable.SERVICE.match, Variable.ENVIRONMENT.match)

SERVICES: Final = Scope(RATE_INTERVAL, _CHOSEN)
"""The chosen services, now."""

ALL: Final = SERVICES.over(RANGE)
"""The chosen services, over the whole time that is shown."""

MODEL: Final = Variable.MODEL.match
MODELS: Final = SERVICES.only(MODEL)
"""The chosen services' calls of the chosen models."""

WHOLE: Final = Scope(RATE_INTERVAL)
"""The programs beside the services, which are of no service."""

LOGS_OF_SERVICES: Final = _CHOSEN


def seconds(
    scope: Scope, metric: MetricDef, *where: Match, by: tuple[str, ...] = (), sure: bool = True
) -> tuple[Ask, ...]:
    """Return the three quantiles that a panel of durations shows; by an attribute only the 95th."""
    quantiles = (0.95,) if by else (0.5, 0.95, 0.99)
    return tuple(
        Ask(
            scope.quantile(share, metric, *where, by=by), "" if by else f"p{share * 100:.0f}", exemplars=True, sure=sure
        )
        for share in quantiles
    )
