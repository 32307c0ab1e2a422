"""Dashboards: every panel stands on the catalogue, says what it shows, and asks what Prometheus and Loki can read."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as Model

from otelkit.provision import grafana
from otelkit.provision.alerts.definition import Dashboard as Named
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.dashboards import boards
from otelkit.provision.dashboards.boards import BOARDS, NOT_SHOWN
from otelkit.provision.dashboards.definition import Dashboard, Kind, Panel, Source, Unit
from otelkit.provision.dashboards.render import RUNBOOKS, rendered
from otelkit.provision.foreign import AlertmanagerMetrics, CollectorMetrics, PrometheusMetrics
from otelkit.provision.logql import event, lines
from otelkit.provision.promql import equals
from otelkit.semconv.attributes import Core
from otelkit.semconv.metrics import CATALOGUE, SERVER, Instrument, MetricDef
from tests.stack import parts

COLLECTOR = Path(__file__).parents[2] / "collector"
PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
each_panel = pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{board.uid}: {panel.title}" for board, panel in PANELS]
)
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def foreign() -> Iterator[MetricDef]:
    for kind in (CollectorMetrics, PrometheusMetrics, AlertmanagerMetrics):
        for entry in vars(kind).values():
            yield from entry if isinstance(entry, tuple) else [entry] if isinstance(entry, MetricDef) else []


KNOWN = {*CATALOGUE, *SERVER, *foreign()}


# --- what panels say -----------------------------------------------------------------------------------------


@each_panel
def test_a_panel_says_what_it_shows_and_stands_on_the_catalogue(board: Dashboard, panel: Panel) -> None:
    assert panel.title
    assert panel.says.endswith(".")
    assert isinstance(panel.unit, Unit)
    assert panel.asks
    assert len({ask.source for ask in panel.asks}) == 1, "a panel asks one data source"
    for ask in panel.asks:
        assert set(ask.reads) <= KNOWN
        assert ask.reads or ask.source is Source.LOKI
        assert not ask.exemplars or any(entry.instrument is Instrument.HISTOGRAM for entry in ask.reads)


@each_panel
def test_a_panels_unit_is_that_of_what_it_shows(board: Dashboard, panel: Panel) -> None:
    for text in (ask.query.text for ask in panel.asks):
        if text.startswith("histogram_quantile"):
            units = {entry.unit for ask in panel.asks for entry in ask.reads}
            assert units == {"s"} if panel.unit is Unit.SECONDS else "s" not in units
        if "_USD" in text:
            assert panel.unit is Unit.DOLLARS


@each_panel
def test_an_alert_that_a_panel_names_is_a_rule_about_the_same_figures(board: Dashboard, panel: Panel) -> None:
    rules = {rule.name: rule for rule in RULES}
    reads = {entry for ask in panel.asks for entry in ask.reads}
    for name in panel.alerts:
        assert name in rules
        assert reads & set(rules[name].expr.reads), f"{name} does not read what the panel shows"


def test_an_alert_leads_to_the_dashboard_that_shows_its_figures() -> None:
    shown = {
        board.uid: {entry for panel in board.panels for ask in panel.asks for entry in ask.reads} for board in BOARDS
    }
    assert {named.value for named in Named} <= shown.keys()
    lost = [rule.name for rule in RULES if rule.expr.reads and not set(rule.expr.reads) & shown[rule.dashboard.value]]
    assert lost == []


def test_every_entry_is_on_a_dashboard_or_there_is_a_reason_why_not() -> None:
    shown = set(boards.places())
    assert [entry.name for entry in KNOWN - shown - NOT_SHOWN.keys()] == []
    assert [entry.name for entry in shown & NOT_SHOWN.keys()] == []
    assert all(NOT_SHOWN.values())


def test_users_are_counted_by_the_server_only() -> None:
    (board,) = (board for board in BOARDS if board.uid == "otelkit-users")
    counting = [panel for panel in board.panels if re.search(r"[Uu]sers|[Cc]onversations|tenants", panel.title)]
    assert len(counting) >= 5
    assert {entry for panel in counting for ask in panel.asks for entry in ask.reads} <= set(SERVER)


def test_the_error_rate_is_red_above_one_percent() -> None:
    (panel,) = (panel for _, panel in PANELS if panel.title == "Error rate")
    assert [(step.value, step.color) for step in panel.steps][-1] == (0.01, "red")


def test_latency_leads_to_traces() -> None:
    titled = {(board.uid, panel.title): panel for board, panel in PANELS}
    for place in (
        ("otelkit-api", "Latency"),
        ("otelkit-llm", "Time to first token"),
        ("otelkit-wall", "Response time by model"),
    ):
        assert all(ask.exemplars for ask in titled[place].asks)


# --- what Grafana is given -------------------------------------------------------------------------------------


@each_board
def test_the_json_is_what_grafanas_own_model_reads_and_writes(board: Dashboard) -> None:
    register_default_plugins()
    made = rendered(board)
    again = json.loads(json.dumps(Model.from_json(made), cls=JSONEncoder))
    assert without_empty(again) == without_empty(made)


def without_empty(value: Any) -> Any:
    """What the SDK's model reads it fills up with empty objects here and there."""
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if item != {}}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@each_board
def test_ids_are_unique_and_panels_do_not_overlap(board: Dashboard) -> None:
    panels = rendered(board)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


@each_board
def test_every_panel_has_its_source_unit_description_and_links(board: Dashboard) -> None:
    made = [panel for panel in rendered(board)["panels"] if panel["type"] != "row"]
    for panel, shown in zip(board.panels, made, strict=True):
        assert (shown["title"], shown["datasource"]["uid"]) == (panel.title, panel.asks[0].source.uid)
        assert shown["description"].startswith(panel.says)
        assert [link["url"] for link in shown.get("links", [])] == [
            f"${{{RUNBOOKS}}}#{name.lower()}" for name in panel.alerts
        ]
        assert [target["expr"] for target in shown["targets"]] == [ask.query.text for ask in panel.asks]
        if panel.kind is not Kind.LOGS:
            assert shown["fieldConfig"]["defaults"]["unit"] == panel.unit.value
        if panel.steps:
            colors = [step["color"] for step in shown["fieldConfig"]["defaults"]["thresholds"]["steps"]]
            assert colors == ["green", *(step.color for step in panel.steps)]


@each_board
def test_variables_that_queries_use_exist_and_those_that_exist_are_used(board: Dashboard) -> None:
    declared = {variable["name"] for variable in rendered(board)["templating"]["list"]} - {RUNBOOKS}
    used = {
        name
        for ask in (ask for panel in board.panels for ask in panel.asks)
        for name in re.findall(r"\$(\w+)", ask.query.text)
    }
    assert used - {"__rate_interval", "__range", "__range_s"} == declared


def test_the_same_bytes_every_time() -> None:
    assert grafana.files() == grafana.files()


def test_uids_and_titles_are_there_once() -> None:
    assert len({board.uid for board in BOARDS}) == len({board.title for board in BOARDS}) == len(BOARDS)
    for board in BOARDS:
        assert len({panel.title for panel in board.panels}) == len(board.panels), board.uid


# --- data sources --------------------------------------------------------------------------------------------


def sources() -> dict[str, Any]:
    whole = yaml.safe_load(grafana.files()["grafana/provisioning/datasources/otelkit.yaml"])
    return {source["uid"]: source for source in whole["datasources"]}


def test_data_sources_are_linked_with_one_another() -> None:
    found = sources()
    assert found.keys() == {source.uid for source in Source}
    prometheus, loki, traces = (found[source.uid]["jsonData"] for source in Source)
    assert prometheus["timeInterval"] == "60s", "a service that nobody configured sends its metrics every 60 s"
    assert prometheus["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": Source.TRACES.uid}]
    assert loki["derivedFields"][0]["datasourceUid"] == Source.TRACES.uid
    assert traces["tracesToLogsV2"]["datasourceUid"] == Source.LOKI.uid
    assert traces["tracesToMetrics"]["datasourceUid"] == Source.PROMETHEUS.uid


def test_addresses_and_secrets_come_from_the_environment_and_nothing_else_is_taken_for_it() -> None:
    for source in sources().values():
        for value in (source["url"], source["basicAuthUser"], *source["secureJsonData"].values()):
            assert re.fullmatch(r"\$\{OTELKIT_GRAFANA_[A-Z_]+\}", value)
        # $$ is how a $ of Grafana's own is written there.
        assert not re.search(r"(?<!\$)\$(?!\$)", json.dumps(source["jsonData"]).replace("$$", ""))


def test_the_collectors_own_metrics_are_asked_for_by_the_names_that_its_configuration_gives_them() -> None:
    for profile in ("standard", "compose"):
        telemetry = yaml.safe_load((COLLECTOR / "config" / f"{profile}.yaml").read_text("utf-8"))["service"][
            "telemetry"
        ]
        reader = telemetry["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]
        assert (reader["without_type_suffix"], reader["without_units"]) == (True, True)
    own = [entry for entry in foreign() if entry.name.startswith("otelcol.")]
    assert len(own) > 10
    assert all(entry.collected_name == entry.name.replace(".", "_") for entry in own)


# --- queries -------------------------------------------------------------------------------------------------


def test_filled_queries_hold_no_variable() -> None:
    for query in boards.queries():
        assert "$" not in query.filled()
    place = "otelkit-api", "Requests by endpoint"
    (one,) = (query for query in boards.queries() if (query.board, query.panel) == place)
    assert one.filled(service="shop", environment="prod", window="5m") == (
        "sum by (http_route) (rate(http_server_request_duration_seconds_count"
        '{service_name=~"shop", deployment_environment_name=~"prod"}[5m]))'
    )


def test_a_log_query_needs_an_indexed_label_and_an_event_of_the_catalogue() -> None:
    shop = equals(Core.SERVICE_NAME, "shop")
    assert lines(shop, equals(Core.HTTP_ROUTE, "/chat")).text == '{service_name="shop"} | http_route="/chat"'
    assert event("approval.requested", shop, timeout="true").count("1h", ("tool",)).text == (
        'sum by (tool) (count_over_time({service_name="shop"} | event_name="approval.requested" | timeout="true" [1h]))'
    )
    with pytest.raises(ValueError, match="Loki needs"):
        lines(equals(Core.HTTP_ROUTE, "/chat"))
    with pytest.raises(ValueError, match="no event"):
        event("approval.reqested", shop)
    with pytest.raises(ValueError, match="has no timedout"):
        event("approval.requested", shop, timedout="true")


@pytest.mark.stack
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    asked = [query for query in boards.queries() if query.source is Source.PROMETHEUS]
    rules = [{"record": f"checked:query:{number}", "expr": query.filled()} for number, query in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run([parts.program("promtool"), "check", "rules", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(asked)} rules found" in checked.stdout
