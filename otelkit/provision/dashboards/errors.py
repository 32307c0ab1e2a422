"""Errors and alerts: what goes wrong, how often, and who has been told."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    LOGS_OF_SERVICES,
    SERVICES,
    WHOLE,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
    at_least,
)
from otelkit.provision.dashboards.llm import failed_calls
from otelkit.provision.foreign import PrometheusMetrics
from otelkit.provision.logql import SEVERITY, event, lines
from otelkit.provision.promql import RANGE, equals, matches, top
from otelkit.semconv.attributes import Core, Errors, Event, GenAI, Otelkit, Security
from otelkit.semconv.metrics import ErrorMetrics, JobMetrics, Metrics, SecurityMetrics

__all__ = ["BOARD", "TOP_TYPES"]

_TIMEOUT: Final = matches(Core.ERROR_TYPE, ".*[Tt]ime_?[Oo]ut.*")
_FAILED: Final = equals(Otelkit.OUTCOME, "error")

TOP_TYPES: Final = Panel(
    title="Most frequent errors",
    says="The ten types of exceptions that were seen most in the time shown, each counted once a trace.",
    asks=(Ask(top(10, ALL.happened(ErrorMetrics.ERRORS, by=(Core.ERROR_TYPE,)))),),
    unit=Unit.COUNT,
    kind=Kind.BARS,
    alerts=("NewError",),
)

_EXCEPTIONS: Final = Row(
    "Exceptions",
    (
        Panel(
            title="Exceptions a second",
            says="Exceptions and logged errors, each counted once a trace; the line is one in ten seconds.",
            asks=(Ask(SERVICES.rate(ErrorMetrics.ERRORS), "all"),),
            unit=Unit.EACH_SECOND,
            steps=at_least(0.05, 0.1),
        ),
        Panel(
            title="Unhandled",
            says="Exceptions a second that ended a request, a job or another first span of a trace.",
            asks=(
                Ask(
                    SERVICES.rate(ErrorMetrics.ERRORS, equals(Errors.UNHANDLED, "true"), by=(Core.SERVICE_NAME,)),
                    sure=False,
                ),
            ),
            unit=Unit.EACH_SECOND,
            alerts=("UnhandledErrors",),
        ),
        Panel(
            title="By category",
            says="Exceptions a second: bug, dependency, timeout, client or limit.",
            asks=(Ask(SERVICES.rate(ErrorMetrics.ERRORS, by=(Errors.CATEGORY,))),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
        ),
        TOP_TYPES,
        Panel(
            title="Failed tools",
            says="Failed tool calls in the time shown, by tool.",
            asks=(Ask(ALL.happened(Metrics.TOOL_CALLS, _FAILED, by=(GenAI.TOOL_NAME,)), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            alerts=("ToolFailures",),
        ),
        Panel(
            title="Failed jobs",
            says="Failed runs in the time shown, by job and type of error.",
            asks=(Ask(ALL.happened(JobMetrics.FAILURES, by=(Otelkit.JOB_NAME, Core.ERROR_TYPE)), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
    ),
)
_TIMEOUTS: Final = Row(
    "Timeouts",
    (
        Panel(
            title="Model calls that timed out",
            says="Model calls a second that ended in a timeout, by model.",
            asks=(
                Ask(
                    failed_calls(SERVICES, _TIMEOUT, (GenAI.REQUEST_MODEL,)),
                    sure=False,
                ),
            ),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Approvals that timed out",
            says="Approvals in the time shown that nobody answered, by tool: product events of users who consented.",
            asks=(
                Ask(
                    event("approval.requested", *LOGS_OF_SERVICES, timeout="true").count(RANGE, ("tool",)),
                    sure=False,
                ),
            ),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        Panel(
            title="Timeouts of all kinds",
            says="Errors a second whose category is timeout, by type.",
            asks=(
                Ask(
                    SERVICES.rate(ErrorMetrics.ERRORS, equals(Errors.CATEGORY, "timeout"), by=(Core.ERROR_TYPE,)),
                    sure=False,
                ),
            ),
            unit=Unit.EACH_SECOND,
        ),
    ),
)
_ALERTS: Final = Row(
    "Alerts and security",
    (
        Panel(
            title="Active alerts",
            says="What fires now, of all services.",
            asks=(
                Ask(
                    WHOLE.now(
                        PrometheusMetrics.ALERTS,
                        equals("alertstate", "firing"),
                        by=("alertname", "severity", "category", Core.SERVICE_NAME),
                    ),
                    sure=False,
                ),
            ),
            unit=Unit.COUNT,
            kind=Kind.TABLE,
            width=12,
        ),
        Panel(
            title="Security events",
            says="What somebody tried, in the time shown, by kind and outcome.",
            asks=(Ask(ALL.happened(SecurityMetrics.EVENTS, by=(Security.KIND, Event.OUTCOME)), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            width=12,
            alerts=("SecurityBurst", "TokenMisused"),
        ),
    ),
)
_LOGS: Final = Row(
    "Logs",
    (
        Panel(
            title="Errors in the logs",
            says="What the services logged from ERROR up; each line leads to its trace.",
            asks=(Ask(lines(*LOGS_OF_SERVICES).at_least(SEVERITY, 17)),),
            unit=Unit.NUMBER,
            kind=Kind.LOGS,
            width=24,
            height=10,
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-errors",
    title="Errors and alerts",
    says="Exceptions, failed tools and jobs, timeouts, and the alerts that fire.",
    rows=(_EXCEPTIONS, _TIMEOUTS, _ALERTS, _LOGS),
)
