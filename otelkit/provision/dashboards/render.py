"""A dashboard as Grafana's JSON, made with the builders of Grafana's own SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, logs, loki, prometheus, stat, table
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as promodel
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from otelkit.provision.alerts.definition import RUNBOOKS_PAGE
from otelkit.provision.dashboards.definition import Ask, Dashboard, Kind, Panel, Source, Variable
from otelkit.provision.promql import label
from otelkit.semconv.metrics import Metrics

__all__ = ["RUNBOOKS", "TAG", "rendered"]

TAG: Final = "otelkit"
"""On every dashboard; the list of the others goes by it."""

RUNBOOKS: Final = "runbooks"
"""A hidden variable: where docs/alerts.md is."""

_AT_ONCE: Final = frozenset({Kind.FIGURE, Kind.BARS, Kind.TABLE})
_COLUMNS: Final = 24


def rendered(board: Dashboard, runbooks: str = RUNBOOKS_PAGE) -> dict[str, Any]:
    """Return the dashboard as Grafana imports it; the same every time."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.says)
        .tags([TAG])
        .readonly()
        .time(f"now-{board.range}", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_others())
        .variables([*map(_variable, board.variables), _runbooks(runbooks)])
    )
    number, y = 1, 0
    for row in board.rows:
        made.with_row(dashboard.Row(row.title).id(number).grid_pos(_place(0, y, _COLUMNS, 1)))
        number, y = number + 1, y + 1
        for panel, x, top in _placed(row.panels, y):
            made.with_panel(_panel(panel).id(number).grid_pos(_place(x, top, panel.width, panel.height)))
            number, y = number + 1, max(y, top + panel.height)
    whole: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder, sort_keys=True))
    return whole


def _placed(panels: tuple[Panel, ...], y: int) -> Iterator[tuple[Panel, int, int]]:
    """Give panels with where they stand: side by side while there is room."""
    x = tallest = 0
    for panel in panels:
        if x + panel.width > _COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield panel, x, y
        x, tallest = x + panel.width, max(tallest, panel.height)


def _place(x: int, y: int, width: int, height: int) -> model.GridPos:
    return model.GridPos(h=height, w=width, x=x, y=y)


# --- panels --------------------------------------------------------------------------------------------------


def _panel(panel: Panel) -> Any:
    made = _drawn(panel)
    made.title(panel.title).description(_description(panel)).datasource(_ref(panel.asks[0].source))
    if panel.kind is not Kind.LOGS:
        made.unit(panel.unit.value).thresholds(_thresholds(panel))
        made.min(0)
        if panel.most is not None:
            made.max(panel.most)
    if panel.alerts:
        made.links([_runbook(name) for name in panel.alerts])
    made.targets([_target(ask, panel, number) for number, ask in enumerate(panel.asks)])
    return made


def _drawn(panel: Panel) -> Any:
    match panel.kind:
        case Kind.LINES | Kind.STACKED:
            return _lines(panel)
        case Kind.HEAT:
            scheme = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
            axis = heatmap.YAxisConfig().unit(panel.unit.value)
            return heatmap.Panel().calculate(False).color(scheme).y_axis(axis).hide_legend()
        case Kind.LOGS:
            return logs.Panel().show_time(True).wrap_log_message(True).enable_log_details(True)
        case Kind.FIGURE:
            return stat.Panel().reduce_options(_last()).color_mode(_figure_color(panel))
        case Kind.BARS:
            whole = bargauge.Panel().reduce_options(_last()).orientation(shapes.VizOrientation.HORIZONTAL)
            return whole.display_mode(shapes.BarGaugeDisplayMode.BASIC)
        case Kind.TABLE:
            return table.Panel().show_header(True)


def _lines(panel: Panel) -> Any:
    legend = common.VizLegendOptions().show_legend(True).display_mode(shapes.LegendDisplayMode.LIST)
    made = (
        lines.Panel()
        .legend(legend.placement(shapes.LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .line_width(1)
        .show_points(shapes.VisibilityMode.NEVER)
        .fill_opacity(60 if panel.kind is Kind.STACKED else 0)
    )
    if panel.kind is Kind.STACKED:
        made.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if panel.steps:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.LINE)
        made.thresholds_style(style)
    return made


def _last() -> Any:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _figure_color(panel: Panel) -> shapes.BigValueColorMode:
    return shapes.BigValueColorMode.BACKGROUND if panel.steps else shapes.BigValueColorMode.VALUE


def _description(panel: Panel) -> str:
    told = ", ".join(panel.alerts)
    return f"{panel.says} Alerts: {told}." if told else panel.says


def _thresholds(panel: Panel) -> Any:
    steps = [model.Threshold(None, "green"), *(model.Threshold(step.value, step.color) for step in panel.steps)]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _runbook(name: str) -> Any:
    link = dashboard.DashboardLink(f"Alert {name}: what to do")
    return link.type(model.DashboardLinkType.LINK).url(f"${{{RUNBOOKS}}}#{name.lower()}").target_blank(True)


# --- queries -------------------------------------------------------------------------------------------------


def _target(ask: Ask, panel: Panel, number: int) -> Any:
    legend = ask.legend or _legend(ask)
    at_once = panel.kind in _AT_ONCE
    name = chr(ord("A") + number)
    if ask.source is Source.LOKI:
        asked = loki.Dataquery().expr(ask.query.text).ref_id(name).query_type("instant" if at_once else "range")
        return asked.legend_format(legend) if legend else asked
    query = prometheus.Dataquery().expr(ask.query.text).ref_id(name).editor_mode(promodel.QueryEditorMode.CODE)
    query.legend_format(legend or "__auto")
    if panel.kind is Kind.TABLE:
        query.format(promodel.PromQueryFormat.TABLE)
    elif panel.kind is Kind.HEAT:
        query.format(promodel.PromQueryFormat.HEATMAP).legend_format("{{le}}")
    if ask.exemplars:
        query.exemplar(True)
    return query.instant() if at_once else query.range()


def _legend(ask: Ask) -> str:
    by = getattr(ask.query, "by", ())
    return " ".join(f"{{{{{label(attribute)}}}}}" for attribute in by)


def _ref(source: Source) -> model.DataSourceRef:
    return model.DataSourceRef(type_val=source.kind, uid=source.uid)


# --- around the panels -----------------------------------------------------------------------------------------


def _others() -> Any:
    link = dashboard.DashboardLink("More of otelkit").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).include_vars(True).keep_time(True)


def _variable(variable: Variable) -> Any:
    name, heading, attribute, everything = variable.value
    return (
        dashboard.QueryVariable(name)
        .label(heading)
        .datasource(_ref(Source.PROMETHEUS))
        .query(f"label_values({_chosen_from(variable)}, {label(attribute)})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def _chosen_from(variable: Variable) -> str:
    if variable is Variable.MODEL:
        return f"{Metrics.LLM_CALLS.collected_name}{{{Variable.SERVICE.match}}}"
    return f'{{{label(variable.value[2])}!=""}}'


def _runbooks(place: str) -> Any:
    hidden = dashboard.ConstantVariable(RUNBOOKS).value(place)
    return hidden.description("Where docs/alerts.md is: an address, so that the panels' links lead there.")
