"""LLM performance: speed, tokens, cost, failures and tools."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    MODEL,
    MODELS,
    SERVICES,
    WHOLE,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Unit,
    Variable,
    at_least,
    seconds,
)
from otelkit.provision.prometheus.recording import TOKENS
from otelkit.provision.promql import Expr, Match, Scope, differs, equals, share, top
from otelkit.semconv.attributes import Core, GenAI, Operation, Otelkit
from otelkit.semconv.metrics import Metrics, ServerMetrics

__all__ = ["BOARD", "FEW_TENANTS", "failed_calls", "first_token", "latency", "latency_heat"]

_MODEL: Final = (GenAI.REQUEST_MODEL,)
_TOOL: Final = (Otelkit.TOOL_INTEGRATION, GenAI.TOOL_NAME)
_CHAT: Final = differs(GenAI.OPERATION, Operation.EMBEDDINGS)
_FAILED: Final = equals(Otelkit.OUTCOME, "error")
_MODELS_ALL: Final = ALL.only(MODEL)

FEW_TENANTS: Final = (Otelkit.TENANT,)
"""The server's ten largest groups, by pseudonym."""

# What the metrics of model calls are called is a service's choice (OTELKIT_METRIC_PROFILE), so both names are asked.
# Embeddings are calls by the first names only.


def latency(quantile: float, by: tuple[str, ...] = ()) -> Expr:
    """Return a percentile of how long model calls took, embeddings not among them."""
    return MODELS.quantile(quantile, Metrics.OPERATION_DURATION, _CHAT, by=by, instead=Metrics.INFERENCE_DURATION)


def latency_heat() -> Expr:
    """Return the buckets of how long model calls took."""
    return MODELS.buckets(Metrics.OPERATION_DURATION, _CHAT, instead=Metrics.INFERENCE_DURATION)


def first_token(quantile: float, by: tuple[str, ...] = ()) -> Expr:
    """Return a percentile of the time to the first token."""
    latest = Metrics.INFERENCE_TIME_TO_FIRST_CHUNK
    return MODELS.quantile(quantile, Metrics.TIME_TO_FIRST_CHUNK, by=by, instead=latest)


def failed_calls(scope: Scope, error: Match, by: tuple[str, ...]) -> Expr:
    """Return how many model calls a second ended in an ``error``, embeddings among them."""
    return scope.rate(Metrics.OPERATION_DURATION, error, by=by, instead=Metrics.INFERENCE_DURATION)


_NOW: Final = Row(
    "Now",
    (
        Panel(
            title="Tokens a second",
            says="Input and output tokens of the chosen models.",
            asks=(Ask(MODELS.rate(Metrics.LLM_TOKENS, TOKENS)),),
            unit=Unit.EACH_SECOND,
            kind=Kind.FIGURE,
            width=4,
            height=4,
        ),
        Panel(
            title="Cost",
            says="Cost of priced calls in the time shown; calls without a price are in the panel beside.",
            asks=(Ask(_MODELS_ALL.happened(Metrics.LLM_COST)),),
            unit=Unit.DOLLARS,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            alerts=("DailyCostNearBudget", "DailyCostOverBudget"),
        ),
        Panel(
            title="Calls without a price",
            says="Calls in the time shown whose cost is unknown: it is more than the panel beside says.",
            asks=(Ask(_MODELS_ALL.happened(Metrics.LLM_UNPRICED)),),
            unit=Unit.COUNT,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            steps=at_least(1, 1_000_000),
            alerts=("UnpricedModel",),
        ),
        Panel(
            title="Failed calls",
            says="Share of model calls that failed.",
            asks=(Ask(share(MODELS.rate(Metrics.LLM_CALLS, _FAILED), MODELS.rate(Metrics.LLM_CALLS))),),
            unit=Unit.SHARE,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            steps=at_least(0.005, 0.01),
            alerts=("ModelErrors",),
        ),
        Panel(
            title="First token, 95th percentile",
            says="How long 19 of 20 users waited at most until an answer began.",
            asks=(Ask(first_token(0.95)),),
            unit=Unit.SECONDS,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            steps=at_least(2, 5),
            alerts=("SlowFirstToken",),
        ),
        Panel(
            title="Model call, 95th percentile",
            says="How long 19 of 20 calls took at most, streaming included.",
            asks=(Ask(latency(0.95)),),
            unit=Unit.SECONDS,
            kind=Kind.FIGURE,
            width=4,
            height=4,
            steps=at_least(5, 10),
            alerts=("SlowModel",),
        ),
    ),
)
_SPEED: Final = Row(
    "Speed",
    (
        Panel(
            title="Time to first token",
            says="Percentiles of the time from a request to the first chunk of its answer, streamed calls only.",
            asks=tuple(Ask(first_token(part), f"p{part * 100:.0f}", exemplars=True) for part in (0.5, 0.95, 0.99)),
            unit=Unit.SECONDS,
            alerts=("SlowFirstToken",),
        ),
        Panel(
            title="Distribution of time to first token",
            says="How many answers began after how long.",
            asks=(Ask(MODELS.buckets(Metrics.TIME_TO_FIRST_CHUNK, instead=Metrics.INFERENCE_TIME_TO_FIRST_CHUNK)),),
            unit=Unit.SECONDS,
            kind=Kind.HEAT,
        ),
        Panel(
            title="Time for each output token",
            says="The 95th percentile by model of the time for one token after the first.",
            asks=seconds(MODELS, Metrics.TIME_PER_OUTPUT_TOKEN, by=_MODEL),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Model calls by model",
            says="The 95th percentile by model of how long a call took.",
            asks=(Ask(latency(0.95, _MODEL), exemplars=True),),
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
        Panel(
            title="Agents and workflows",
            says="The 95th percentile of whole agent runs and workflows.",
            asks=(
                *seconds(SERVICES, Metrics.AGENT_DURATION, by=(GenAI.AGENT_NAME,)),
                *seconds(SERVICES, Metrics.WORKFLOW_DURATION, by=(GenAI.WORKFLOW_NAME,), sure=False),
            ),
            unit=Unit.SECONDS,
        ),
    ),
)
_TOKENS: Final = Row(
    "Tokens and cost",
    (
        Panel(
            title="Tokens by model",
            says="Input and output tokens a second by model, one on top of the other.",
            asks=(Ask(MODELS.rate(Metrics.LLM_TOKENS, TOKENS, by=_MODEL)),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
        ),
        Panel(
            title="Tokens by type",
            says="Tokens a second; input holds what is read from and written to caches, output holds reasoning.",
            asks=(Ask(MODELS.rate(Metrics.LLM_TOKENS, by=(GenAI.TOKEN_TYPE,))),),
            unit=Unit.EACH_SECOND,
        ),
        Panel(
            title="Tokens of a call",
            says="The 95th percentile of the tokens of one call, by type.",
            asks=(
                Ask(MODELS.quantile(0.95, Metrics.TOKEN_USAGE, by=(GenAI.TOKEN_TYPE,))),
                Ask(MODELS.quantile(0.95, Metrics.INFERENCE_INPUT_TOKENS), "input", sure=False),
                Ask(MODELS.quantile(0.95, Metrics.INFERENCE_OUTPUT_TOKENS), "output", sure=False),
            ),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Cost by model",
            says="US dollars in the time shown by model, priced calls only.",
            asks=(Ask(_MODELS_ALL.happened(Metrics.LLM_COST, by=_MODEL)),),
            unit=Unit.DOLLARS,
            kind=Kind.BARS,
            width=6,
        ),
        Panel(
            title="Cost by endpoint",
            says="US dollars in the time shown by the endpoint that caused it; without a name: no request did.",
            asks=(Ask(ALL.happened(Metrics.ROUTE_COST, by=(Core.HTTP_ROUTE,))),),
            unit=Unit.DOLLARS,
            kind=Kind.BARS,
            width=6,
        ),
        Panel(
            title="Tokens by endpoint",
            says="Tokens in the time shown by the endpoint that caused them.",
            asks=(Ask(ALL.happened(Metrics.ROUTE_TOKENS, by=(Core.HTTP_ROUTE,))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            width=6,
        ),
        Panel(
            title="Tokens by user group",
            says="Tokens of the last 24 hours, of the ten groups with the most. Groups are pseudonyms.",
            asks=(Ask(WHOLE.now(ServerMetrics.TENANT_TOKENS, by=FEW_TENANTS, how="max")),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            width=6,
        ),
        Panel(
            title="Cost by user group",
            says="US dollars of the last 24 hours, of the same groups; absent for a group without a priced call.",
            asks=(Ask(WHOLE.now(ServerMetrics.TENANT_COST, by=FEW_TENANTS, how="max")),),
            unit=Unit.DOLLARS,
            kind=Kind.BARS,
        ),
        Panel(
            title="Calls without a price, by model",
            says="Calls in the time shown whose cost is unknown: set a price for these models.",
            asks=(Ask(_MODELS_ALL.happened(Metrics.LLM_UNPRICED, by=(GenAI.PROVIDER, GenAI.REQUEST_MODEL))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            alerts=("UnpricedModel",),
        ),
        Panel(
            title="Why answers ended",
            says="Calls a second by finish reason: length means that an answer was cut off.",
            asks=(Ask(MODELS.rate(Metrics.LLM_CALLS, by=(GenAI.FINISH_REASONS,))),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
        ),
    ),
)
_FAILURES: Final = Row(
    "Failures",
    (
        Panel(
            title="Failed calls by model",
            says="Share of calls that failed, by model.",
            asks=(
                Ask(
                    share(MODELS.rate(Metrics.LLM_CALLS, _FAILED, by=_MODEL), MODELS.rate(Metrics.LLM_CALLS, by=_MODEL))
                ),
            ),
            unit=Unit.SHARE,
            width=12,
            steps=at_least(0.005, 0.01),
            alerts=("ModelErrors",),
        ),
        Panel(
            title="Failed calls by type",
            says="Failed calls a second by type of error.",
            asks=(Ask(failed_calls(MODELS, differs(Core.ERROR_TYPE, ""), (Core.ERROR_TYPE,)), sure=False),),
            unit=Unit.EACH_SECOND,
            kind=Kind.STACKED,
            width=12,
        ),
    ),
)
_TOOLS: Final = Row(
    "Tools",
    (
        Panel(
            title="Tool time by integration",
            says="The 95th percentile of one tool call, by integration and tool.",
            asks=seconds(SERVICES, Metrics.TOOL_DURATION, by=_TOOL),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Tool calls",
            says="Calls in the time shown: which tools are used, which hardly.",
            asks=(Ask(top(20, ALL.happened(Metrics.TOOL_CALLS, by=_TOOL))),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
        ),
        Panel(
            title="Failed tool calls",
            says="Share of calls that failed, by tool.",
            asks=(
                Ask(
                    share(
                        SERVICES.rate(Metrics.TOOL_CALLS, _FAILED, by=(GenAI.TOOL_NAME,)),
                        SERVICES.rate(Metrics.TOOL_CALLS, by=(GenAI.TOOL_NAME,)),
                    )
                ),
            ),
            unit=Unit.SHARE,
            steps=at_least(0.05, 0.1),
            alerts=("ToolFailures",),
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-llm",
    title="LLM performance",
    says="Speed, tokens, cost and failures of model calls, and the tools they use.",
    rows=(_NOW, _SPEED, _TOKENS, _FAILURES, _TOOLS),
    variables=(Variable.SERVICE, Variable.ENVIRONMENT, Variable.MODEL),
)
