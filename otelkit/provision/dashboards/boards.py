"""All dashboards: their files, their queries, and which metric is on which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from otelkit.provision.alerts.definition import RUNBOOKS_PAGE
from otelkit.provision.dashboards import api, errors, llm, memory, pipeline, system, users, wall
from otelkit.provision.dashboards.definition import Ask, Dashboard, Kind, Panel, Source, Variable
from otelkit.provision.dashboards.render import rendered
from otelkit.provision.documents import as_json
from otelkit.provision.promql import seconds
from otelkit.semconv.metrics import ContainerMetrics, HostMetrics, MetricDef, Metrics, ProcessMetrics

__all__ = ["BOARDS", "NOT_SHOWN", "Query", "files", "places", "queries"]

BOARDS: Final = (
    wall.BOARD,
    api.BOARD,
    llm.BOARD,
    memory.BOARD,
    users.BOARD,
    errors.BOARD,
    system.BOARD,
    pipeline.BOARD,
)

NOT_SHOWN: Final[Mapping[MetricDef, str]] = {
    HostMetrics.CPU_TIME: "system.cpu.utilization says the same as a share",
    ContainerMetrics.CPU_TIME: "container.cpu.usage says the same as processors in use",
    Metrics.DOCTOR_CHECKS: "only `otelkit doctor` sends it, and looks for it itself",
    ProcessMetrics.CPU_UTILIZATION: "the rate of process.cpu.time says the same, also between two reports",
    ProcessMetrics.VIRTUAL: "what a process has reserved says little; process.memory.usage is on the dashboard",
    ProcessMetrics.STARTED: "process.uptime shows restarts",
    ProcessMetrics.COLLECTED: "for a closer look at garbage collection than a dashboard gives",
    ProcessMetrics.UNCOLLECTABLE: "for a closer look at garbage collection than a dashboard gives",
}
"""Entries of the catalogue that are on no dashboard, and why."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query as a dashboard asks it.

    Attributes:
        board: the dashboard's uid.
        panel: the panel's title.
        source: who answers.
        text: what is asked, with Grafana's variables in it.
        at_once: whether it is asked for now (instant) or for a range of time.
        logs: whether lines come back, and not figures.
        sure: whether the demo's load must give data.
    """

    board: str
    panel: str
    source: Source
    text: str
    at_once: bool
    logs: bool
    sure: bool

    def filled(self, window: str = "1m", shown: str = "1h", **chosen: str) -> str:
        """Return the query with every variable filled in, as Grafana does before it asks.

        Args:
            window: for ``$__rate_interval``.
            shown: for ``$__range``, in seconds, minutes, hours or days.
            chosen: a regular expression for a variable; the others mean all.
        """
        everything = {variable.value[0]: variable.value[3] for variable in Variable}
        values = {**everything, "__rate_interval": window, "__range": shown, "__range_s": seconds(shown), **chosen}
        return _VARIABLE.sub(lambda found: values[found[1]], self.text)


_VARIABLE: Final = re.compile(r"\$(\w+)")


def files(runbooks: str = RUNBOOKS_PAGE) -> Mapping[str, str]:
    """Return each dashboard's JSON; its panels lead to ``runbooks``."""
    return {f"grafana/dashboards/{board.uid}.json": as_json(rendered(board, runbooks)) for board in BOARDS}


def queries() -> Iterator[Query]:
    """Give every query of every dashboard."""
    for board in BOARDS:
        for panel in board.panels:
            yield from _queries(board, panel)


def _queries(board: Dashboard, panel: Panel) -> Iterator[Query]:
    at_once = panel.kind in {Kind.FIGURE, Kind.BARS, Kind.TABLE}
    for ask in panel.asks:
        yield Query(
            board.uid, panel.title, ask.source, ask.query.text, at_once, logs=panel.kind is Kind.LOGS, sure=ask.sure
        )


def places() -> Mapping[MetricDef, tuple[tuple[Dashboard, Panel], ...]]:
    """Return the panels that each entry of a catalogue stands on."""
    found: dict[MetricDef, dict[tuple[str, str], tuple[Dashboard, Panel]]] = {}
    for board in BOARDS:
        for panel in board.panels:
            for metric in (metric for ask in panel.asks for metric in _shown(ask)):
                found.setdefault(metric, {})[board.uid, panel.title] = board, panel
    return {metric: tuple(panels.values()) for metric, panels in found.items()}


def _shown(ask: Ask) -> tuple[MetricDef, ...]:
    """What a query shows: not the uptime by which it only tells new processes from old ones."""
    return tuple(metric for metric in ask.reads if metric is not Metrics.UPTIME) or ask.reads
