"""Rules for model calls, retrieval and tools."""

from __future__ import annotations

from typing import Final

from otelkit.provision.alerts.definition import ON, AlertRule, Category, Dashboard, Severity, figure, told
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.promql import SERVICE, Expr, Scope, differs, equals, share
from otelkit.semconv.attributes import GenAI, Operation, Otelkit
from otelkit.semconv.metrics import MetricDef, Metrics

__all__ = ["rules"]

_MODEL: Final = (*SERVICE, GenAI.PROVIDER, GenAI.REQUEST_MODEL)
_SOURCE: Final = (*SERVICE, GenAI.DATA_SOURCE_ID)
_TOOL: Final = (*SERVICE, GenAI.TOOL_NAME)
_NOT_EMBEDDING: Final = differs(GenAI.OPERATION, Operation.EMBEDDINGS)
_ERROR: Final = equals(Otelkit.OUTCOME, "error")


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return them."""
    return (*_models(limits), *_retrieval(limits), _tools(limits))


def _models(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(window="10m", by=_MODEL)
    made = each.happened(Metrics.LLM_CALLS)
    failing = share(each.happened(Metrics.LLM_CALLS, _ERROR), made)
    enough = each.happened(Metrics.LLM_CALLS, _NOT_EMBEDDING) >= limits.min_llm_calls
    slow = _p95(each, Metrics.OPERATION_DURATION, Metrics.INFERENCE_DURATION)
    first = _p95(each, Metrics.TIME_TO_FIRST_CHUNK, Metrics.INFERENCE_TIME_TO_FIRST_CHUNK)
    calls = f"; {limits.min_llm_calls} calls or more in 10 minutes"
    return (
        AlertRule(
            name="SlowModel",
            category=Category.LLM,
            severity=Severity.WARNING,
            expr=(slow > limits.llm_p95) & enough,
            by=_MODEL,
            summary=f"{ON}: p95 of {told(GenAI.REQUEST_MODEL)} is {figure('humanizeDuration')}",
            description="One model call in twenty takes longer than this.",
            words=f"p95 of a model's calls above {limits.llm_p95:g} s for 5 minutes{calls}",
            dashboard=Dashboard.LLM,
            explained_by=("ServiceSilent",),
        ),
        AlertRule(
            name="SlowFirstToken",
            category=Category.LLM,
            severity=Severity.WARNING,
            expr=(first > limits.first_token_p95) & enough,
            by=_MODEL,
            summary=f"{ON}: p95 until {told(GenAI.REQUEST_MODEL)} begins to answer is {figure('humanizeDuration')}",
            description="Users look at an empty answer for this long.",
            words=f"p95 of the time to the first token above {limits.first_token_p95:g} s for 5 minutes{calls}",
            dashboard=Dashboard.LLM,
            explained_by=("ServiceSilent", "SlowModel"),
        ),
        AlertRule(
            name="ModelErrors",
            category=Category.LLM,
            severity=Severity.WARNING,
            expr=(failing > limits.llm_error_share) & (made >= limits.min_llm_calls),
            by=_MODEL,
            summary=f"{ON}: {figure('humanizePercentage')} of calls of {told(GenAI.REQUEST_MODEL)} fail",
            description="The provider refuses, limits or does not answer calls.",
            words=f"more than {limits.llm_error_share:.0%} of a model's calls fail for 5 minutes{calls}",
            dashboard=Dashboard.LLM,
            explained_by=("ServiceSilent",),
        ),
    )


def _p95(scope: Scope, metric: MetricDef, instead: MetricDef) -> Expr:
    return scope.quantile(0.95, metric, _NOT_EMBEDDING, instead=instead)


def _retrieval(limits: Thresholds) -> tuple[AlertRule, ...]:
    each = Scope(window="30m", by=_SOURCE)
    asked = each.happened(Metrics.RETRIEVAL_DURATION)
    empty = share(each.happened(Metrics.RETRIEVAL_EMPTY), asked)
    slow = each.quantile(0.95, Metrics.RETRIEVAL_DURATION)
    enough = asked >= limits.min_retrievals
    source = told(GenAI.DATA_SOURCE_ID)
    searches = f"; {limits.min_retrievals} retrievals or more in 30 minutes"
    return (
        AlertRule(
            name="EmptyRetrievals",
            category=Category.RETRIEVAL,
            severity=Severity.WARNING,
            expr=(empty > limits.empty_share) & enough,
            by=_SOURCE,
            summary=f"{ON}: {figure('humanizePercentage')} of retrievals in {source} find nothing",
            description="Answers are made without the documents they should stand on.",
            words=f"more than {limits.empty_share:.0%} of retrievals find nothing for 5 minutes{searches}",
            dashboard=Dashboard.MEMORY,
        ),
        AlertRule(
            name="SlowRetrieval",
            category=Category.RETRIEVAL,
            severity=Severity.WARNING,
            expr=(slow > limits.retrieval_p95) & enough,
            by=_SOURCE,
            summary=f"{ON}: p95 of retrievals in {source} is {figure('humanizeDuration')}",
            description="One retrieval in twenty takes longer than this.",
            words=f"p95 of retrievals above {limits.retrieval_p95:g} s for 5 minutes{searches}",
            dashboard=Dashboard.MEMORY,
            explained_by=("ServiceSilent", "DatabasePoolTimeouts"),
        ),
    )


def _tools(limits: Thresholds) -> AlertRule:
    each = Scope(window="15m", by=_TOOL)
    made = each.happened(Metrics.TOOL_CALLS)
    failing = share(each.happened(Metrics.TOOL_CALLS, _ERROR), made)
    return AlertRule(
        name="ToolFailures",
        category=Category.TOOLS,
        severity=Severity.WARNING,
        expr=(failing > limits.tool_error_share) & (made >= limits.min_tool_calls),
        by=_TOOL,
        summary=f"{ON}: {figure('humanizePercentage')} of calls of the tool {told(GenAI.TOOL_NAME)} fail",
        description="The assistant cannot do what it was asked to, or says that it did.",
        words=f"more than {limits.tool_error_share:.0%} of a tool's calls fail for 5 minutes; "
        f"{limits.min_tool_calls} calls or more in 15 minutes",
        dashboard=Dashboard.LLM,
        explained_by=("ServiceSilent",),
    )
