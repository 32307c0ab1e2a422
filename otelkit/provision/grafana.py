"""How Grafana finds its data and its dashboards: ``grafana/provisioning/``.

Data sources are linked: a metric's exemplar leads to its trace, a trace to its service's logs and metrics, a log line
to its trace. Addresses and passwords are environment variables, which Grafana puts in itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otelkit.provision.alerts.definition import RUNBOOKS_PAGE
from otelkit.provision.dashboards import boards
from otelkit.provision.dashboards.definition import Source
from otelkit.provision.documents import as_yaml
from otelkit.provision.logql import TRACE_ID
from otelkit.provision.promql import Scope, equals, label
from otelkit.semconv.attributes import Core
from otelkit.semconv.metrics import Metrics

__all__ = ["files"]

_SAYS: Final = """Where Grafana asks: Prometheus, Loki and Tempo, linked with one another.
Addresses come from the environment: OTELKIT_GRAFANA_PROMETHEUS, OTELKIT_GRAFANA_LOKI, OTELKIT_GRAFANA_TRACES.
Those that need a password: OTELKIT_GRAFANA_*_AUTH=true, OTELKIT_GRAFANA_*_USER and OTELKIT_GRAFANA_*_PASSWORD."""
_BOARDS_SAY: Final = """Which dashboards Grafana shows: those in the folder that OTELKIT_GRAFANA_DASHBOARDS names, such
as /etc/grafana/dashboards. They are read-only: change otelkit/provision/ or save a copy."""

_SELDOM: Final = "60s"
"""How often a service sends metrics that nobody configured: a shorter window would show 0 between two of them."""

_TAGS: Final = (Core.SERVICE_NAME, Core.SERVICE_NAMESPACE, Core.DEPLOYMENT_ENVIRONMENT)


def files(runbooks: str = RUNBOOKS_PAGE) -> Mapping[str, str]:
    """Return the dashboards, which lead to ``runbooks``, and what Grafana reads at its start."""
    return {
        **boards.files(runbooks),
        "grafana/provisioning/datasources/otelkit.yaml": as_yaml(_sources(), says=_SAYS),
        "grafana/provisioning/dashboards/otelkit.yaml": as_yaml(_provider(), says=_BOARDS_SAY),
    }


def _sources() -> Mapping[str, Any]:
    return {
        "apiVersion": 1,
        "datasources": [
            _source(Source.PROMETHEUS, "Prometheus", _prometheus(), default=True),
            _source(Source.LOKI, "Loki", _loki()),
            _source(Source.TRACES, "Tempo", _traces()),
        ],
    }


def _source(source: Source, name: str, options: Mapping[str, Any], *, default: bool = False) -> Mapping[str, Any]:
    prefix = f"OTELKIT_GRAFANA_{source.name}"
    return {
        "name": name,
        "uid": source.uid,
        "type": source.kind,
        "access": "proxy",
        "url": f"${{{prefix}}}",
        "isDefault": default,
        "editable": False,
        "basicAuth": f"${{{prefix}_AUTH}}",
        "basicAuthUser": f"${{{prefix}_USER}}",
        "jsonData": dict(options),
        "secureJsonData": {"basicAuthPassword": f"${{{prefix}_PASSWORD}}"},
    }


def _prometheus() -> Mapping[str, Any]:
    leads = {"name": TRACE_ID, "datasourceUid": Source.TRACES.uid}
    return {"httpMethod": "POST", "timeInterval": _SELDOM, "exemplarTraceIdDestinations": [leads]}


def _loki() -> Mapping[str, Any]:
    leads = {
        "name": "trace",
        "matcherType": "label",
        "matcherRegex": TRACE_ID,
        "url": "$${__value.raw}",  # $$ is a $ that Grafana does not take for the environment's
        "datasourceUid": Source.TRACES.uid,
        "urlDisplayLabel": "Trace",
    }
    return {"maxLines": 1000, "derivedFields": [leads]}


def _traces() -> Mapping[str, Any]:
    tags = [{"key": name, "value": label(name)} for name in _TAGS]
    return {
        "tracesToLogsV2": {
            "datasourceUid": Source.LOKI.uid,
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "tags": tags,
            "filterByTraceID": False,
            "customQuery": True,
            "query": f'{{$${{__tags}}}} | {TRACE_ID}="$${{__trace.traceId}}"',
        },
        "tracesToMetrics": {
            "datasourceUid": Source.PROMETHEUS.uid,
            "spanStartTimeShift": "-15m",
            "spanEndTimeShift": "15m",
            "tags": tags,
            "queries": _of_a_trace(),
        },
        "serviceMap": {"datasourceUid": Source.PROMETHEUS.uid},
        "nodeGraph": {"enabled": True},
    }


def _of_a_trace() -> list[Mapping[str, str]]:
    """Return what to look at beside a trace; Grafana puts the trace's service where ``__tags`` stands."""
    its_service = equals(Core.SERVICE_NAME, "")
    scope = Scope("5m", (its_service,))
    asked = {
        "Requests a second": scope.rate(Metrics.HTTP_DURATION),
        "95th percentile": scope.quantile(0.95, Metrics.HTTP_DURATION),
    }
    return [{"name": name, "query": expr.text.replace(str(its_service), "$${__tags}")} for name, expr in asked.items()]


def _provider() -> Mapping[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "otelkit",
                "folder": "otelkit",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": "${OTELKIT_GRAFANA_DASHBOARDS}"},
            }
        ],
    }
