"""The wall of a chatbot in production: one screen, no questions."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    MODELS,
    SERVICES,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
    Variable,
    seconds,
)
from otelkit.provision.dashboards.errors import TOP_TYPES
from otelkit.provision.dashboards.llm import latency, latency_heat
from otelkit.provision.dashboards.users import tenants, users
from otelkit.provision.prometheus.recording import FAILED, RECORDED
from otelkit.provision.promql import top
from otelkit.semconv.attributes import Core, GenAI
from otelkit.semconv.metrics import ErrorMetrics, Metrics, ServerMetrics

__all__ = ["BOARD"]

_HOUR: Final = SERVICES.over("1h")

_PEOPLE: Final = Row(
    "People",
    (
        users("1h", "Users, last hour"),
        users("24h", "Users, last 24 hours"),
        Panel(
            title="Tokens, last hour",
            says="Input and output tokens burned in the last hour.",
            asks=(Ask(RECORDED.TOKENS_HOUR.now(MODELS)),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            alerts=("TokenBurn",),
        ),
        Panel(
            title="Tokens, last day",
            says="Input and output tokens burned in the last 24 hours.",
            asks=(Ask(RECORDED.TOKENS_DAY.now(MODELS)),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            alerts=("DailyTokensNearBudget", "DailyTokensOverBudget"),
        ),
        Panel(
            title="Cost, last hour",
            says="US dollars of priced calls in the last hour.",
            asks=(Ask(RECORDED.COST_HOUR.now(MODELS)),),
            unit=Unit.DOLLARS,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            alerts=("CostBurn",),
        ),
        Panel(
            title="Cost, last day",
            says="US dollars of priced calls in the last 24 hours.",
            asks=(Ask(RECORDED.COST_DAY.now(MODELS)),),
            unit=Unit.DOLLARS,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            alerts=("DailyCostNearBudget", "DailyCostOverBudget"),
        ),
    ),
)
_SPEED: Final = Row(
    "Speed",
    (
        Panel(
            title="Response time by endpoint",
            says="The 95th percentile of requests, by route template.",
            asks=seconds(SERVICES, Metrics.HTTP_DURATION, by=(Core.HTTP_ROUTE,)),
            unit=Unit.SECONDS,
            alerts=("SlowRequests",),
        ),
        Panel(
            title="Response time by model",
            says="The 95th percentile of model calls, by model.",
            asks=(Ask(latency(0.95, (GenAI.REQUEST_MODEL,)), exemplars=True),),
            unit=Unit.SECONDS,
            alerts=("SlowModel",),
        ),
        Panel(
            title="Distribution of model calls",
            says="How many calls took how long.",
            asks=(Ask(latency_heat()),),
            unit=Unit.SECONDS,
            kind=Kind.HEAT,
        ),
    ),
)
_TRENDS: Final = Row(
    "Trends",
    (
        Panel(
            title="Errors by hour",
            says="Requests answered 5xx and exceptions of all kinds, in the hour before each point.",
            asks=(
                Ask(_HOUR.happened(Metrics.HTTP_DURATION, FAILED), "answered 5xx", sure=False),
                Ask(_HOUR.happened(ErrorMetrics.ERRORS), "exceptions"),
            ),
            unit=Unit.COUNT,
            alerts=("HighErrorRate", "NewError"),
        ),
        TOP_TYPES,
        Panel(
            title="What is asked most",
            says="Tools called most in the time shown: what users want done. Their words are not recorded.",
            asks=(Ask(top(10, ALL.happened(Metrics.TOOL_CALLS, by=(GenAI.TOOL_NAME,)))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        tenants(ServerMetrics.TENANT_REQUESTS, "Most active tenants", Unit.COUNT),
        tenants(ServerMetrics.TENANT_COST, "Dearest tenants", Unit.DOLLARS, sure=False),
        Panel(
            title="Busiest endpoints",
            says="Requests in the time shown, by route template.",
            asks=(Ask(top(10, ALL.happened(Metrics.HTTP_DURATION, by=(Core.HTTP_ROUTE,)))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-wall",
    title="Production chatbot",
    says="The wall: response times, live users, what tokens cost, errors of the day, who is most active.",
    rows=(_PEOPLE, _SPEED, _TRENDS),
    variables=(Variable.SERVICE, Variable.ENVIRONMENT, Variable.MODEL),
    range="24h",
)
