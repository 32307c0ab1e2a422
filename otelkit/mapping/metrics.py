"""Finished span → measurements: which catalogue metrics a span adds to, with which values and attributes.

Pure; expects normalised and stamped spans (:mod:`otelkit.mapping.genai`, :mod:`otelkit.mapping.stamp`). The SDK's
processors record what these functions say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeGuard

from otelkit.mapping.genai import Usage, operation, usage
from otelkit.model import Attributes, AttributeValue, Span, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, GenAI, Messaging, Operation, Otelkit
from otelkit.semconv.metrics import JobMetrics, MetricDef, Metrics

__all__ = ["Measurement", "error_label", "http", "jobs", "llm", "outcome", "retrieval", "steps", "tools"]


class Measurement(NamedTuple):
    """One value for one metric, with metric attributes (never user, group or conversation)."""

    metric: MetricDef
    value: float
    attributes: Attributes


_MODEL_KEYS = (GenAI.OPERATION, GenAI.PROVIDER, GenAI.REQUEST_MODEL, GenAI.RESPONSE_MODEL)


def llm(span: Span) -> Iterator[Measurement]:
    """Tokens by type, cost, time to first token, time per output token, duration and finish reasons of one call.

    Inference and embedding spans only: agents and workflows restate their children's totals. Spans marked
    ``otelkit.duplicate`` add nothing. A call that gave several answers is one call; its finish reasons are sorted, each
    once, and joined with commas.
    """
    name = operation(span)
    if not (name in Operation.INFERENCE or name == Operation.EMBEDDINGS) or span.attributes.get(Otelkit.DUPLICATE):
        return
    labels = _labels(span.attributes, _MODEL_KEYS)
    yield from _durations(span, name, labels)
    tokens = usage(span)
    yield from _tokens(tokens, name, labels)
    yield from _cost(span, labels)
    yield from _streaming(span, tokens, labels)
    given = span.attributes.get(GenAI.FINISH_REASONS)
    reasons = ",".join(sorted({str(reason) for reason in given if reason})) if _is_list(given) else ""
    extra = {GenAI.FINISH_REASONS: reasons} if reasons else {}
    yield Measurement(Metrics.LLM_CALLS, 1, {**labels, **extra, Otelkit.OUTCOME: outcome(span)})


def _durations(span: Span, name: str, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    failed = error_label(span)
    yield Measurement(Metrics.OPERATION_DURATION, span.seconds, {**labels, **failed})
    if name in Operation.INFERENCE:
        yield Measurement(Metrics.INFERENCE_DURATION, span.seconds, {**labels, **failed})
    else:
        keys = (GenAI.PROVIDER, GenAI.REQUEST_MODEL)
        yield Measurement(Metrics.EMBEDDING_DURATION, span.seconds, {**_labels(span.attributes, keys), **failed})


def _tokens(tokens: Usage, name: str, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    by_type = {
        "input": tokens.input,
        "output": tokens.output,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write,
        "reasoning": tokens.reasoning,
    }
    for kind, count in by_type.items():
        if count is None:  # not reported is not zero
            continue
        typed = {**labels, GenAI.TOKEN_TYPE: kind}
        yield Measurement(Metrics.LLM_TOKENS, count, typed)
        if kind in {"input", "output"}:
            yield Measurement(Metrics.TOKEN_USAGE, count, typed)
    if name in Operation.INFERENCE and tokens.input is not None:
        yield Measurement(Metrics.INFERENCE_INPUT_TOKENS, tokens.input, labels)
    if name in Operation.INFERENCE and tokens.output is not None:
        yield Measurement(Metrics.INFERENCE_OUTPUT_TOKENS, tokens.output, labels)


def _cost(span: Span, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    cost = span.attributes.get(Otelkit.COST_USD)
    if isinstance(cost, (int, float)):
        source = {Otelkit.COST_SOURCE: span.attributes.get(Otelkit.COST_SOURCE, "")}
        yield Measurement(Metrics.LLM_COST, cost, {**labels, **source})
    elif span.status != StatusCode.ERROR:  # a failed call reports no tokens and costs nothing that can be known
        yield Measurement(Metrics.LLM_UNPRICED, 1, labels)


def _streaming(span: Span, tokens: Usage, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    first = span.attributes.get(GenAI.TIME_TO_FIRST_CHUNK)
    if not isinstance(first, (int, float)) or isinstance(first, bool):
        return
    yield Measurement(Metrics.TIME_TO_FIRST_CHUNK, first, labels)
    yield Measurement(Metrics.INFERENCE_TIME_TO_FIRST_CHUNK, first, labels)
    if tokens.output is not None and tokens.output > 1 and span.seconds > first:
        yield Measurement(Metrics.TIME_PER_OUTPUT_TOKEN, (span.seconds - first) / (tokens.output - 1), labels)


def retrieval(span: Span) -> Iterator[Measurement]:
    """Duration, result count, scores and empty results of one retrieval or rerank."""
    name = operation(span)
    attributes = span.attributes
    if name == Operation.RERANK:
        labels = _labels(attributes, (Otelkit.RERANK_MODEL,))
        yield Measurement(Metrics.RERANK_DURATION, span.seconds, {**labels, **error_label(span)})
    if name != Operation.RETRIEVAL:
        return
    source = _labels(attributes, (GenAI.DATA_SOURCE_ID,))
    yield Measurement(Metrics.RETRIEVAL_DURATION, span.seconds, {**source, **error_label(span)})
    count = attributes.get(Otelkit.RESULT_COUNT)
    if isinstance(count, int) and not isinstance(count, bool):
        yield Measurement(Metrics.RETRIEVAL_RESULTS, count, source)
        if count == 0:
            yield Measurement(Metrics.RETRIEVAL_EMPTY, 1, source)
    scores = attributes.get(Otelkit.SCORES)
    for score in scores if _is_list(scores) else ():
        if isinstance(score, (int, float)):
            yield Measurement(Metrics.RETRIEVAL_SCORE, score, source)


def tools(span: Span) -> Iterator[Measurement]:
    """Duration and outcome of one tool call, by tool, integration and action."""
    if operation(span) != Operation.EXECUTE_TOOL:
        return
    keys = (GenAI.TOOL_NAME, GenAI.TOOL_TYPE, Otelkit.TOOL_INTEGRATION, GenAI.AGENT_NAME)
    yield Measurement(Metrics.TOOL_DURATION, span.seconds, {**_labels(span.attributes, keys), **error_label(span)})
    yield Measurement(Metrics.TOOL_CALLS, 1, {**tool_labels(span), Otelkit.OUTCOME: outcome(span)})


def tool_labels(span: Span) -> dict[str, AttributeValue]:
    """Tool, integration and action of a tool span."""
    return _labels(span.attributes, (GenAI.TOOL_NAME, Otelkit.TOOL_INTEGRATION, Otelkit.TOOL_ACTION))


_STEP_METRICS = {
    Operation.INVOKE_AGENT: (Metrics.AGENT_DURATION, GenAI.AGENT_NAME),
    Operation.INVOKE_WORKFLOW: (Metrics.WORKFLOW_DURATION, GenAI.WORKFLOW_NAME),
}


def steps(span: Span) -> Iterator[Measurement]:
    """Durations of agent runs and workflows."""
    name = operation(span)
    if name in _STEP_METRICS:
        metric, key = _STEP_METRICS[name]
        yield Measurement(metric, span.seconds, {**_labels(span.attributes, (key,)), **error_label(span)})


_JOB_KEYS = (Otelkit.JOB_NAME, Core.MESSAGING_SYSTEM, Messaging.DESTINATION)


class _Kept(NamedTuple):
    """The metrics of one kind of run, and what tells its series apart."""

    keys: tuple[str, ...]
    runs: MetricDef
    duration: MetricDef
    failures: MetricDef
    last_success: MetricDef


_RUNS = {
    Operation.JOB: _Kept(_JOB_KEYS, JobMetrics.RUNS, JobMetrics.DURATION, JobMetrics.FAILURES, JobMetrics.LAST_SUCCESS),
    Operation.SYNC: _Kept(
        (Otelkit.SYNC_INTEGRATION,),
        JobMetrics.SYNC_RUNS,
        JobMetrics.SYNC_DURATION,
        JobMetrics.SYNC_FAILURES,
        JobMetrics.SYNC_LAST_SUCCESS,
    ),
}


def jobs(span: Span) -> Iterator[Measurement]:
    """Runs, duration, failures by type and last success of jobs and syncs; a job's wait and whether it is a retry."""
    kept = _RUNS.get(operation(span))
    if kept is None:
        return
    labels = _labels(span.attributes, kept.keys)
    ended = outcome(span)
    # Zero for those that went well, so that a job's first failure shows as an increase.
    yield Measurement(kept.runs, 0, {**labels, Otelkit.OUTCOME: "error"})
    yield Measurement(kept.runs, 1, {**labels, Otelkit.OUTCOME: ended})
    yield Measurement(kept.duration, span.seconds, {**_labels(labels, kept.keys[:1]), Otelkit.OUTCOME: ended})
    if failed := error_label(span):
        yield Measurement(kept.failures, 1, {**labels, **failed})
    if ended == "success":
        yield Measurement(kept.last_success, span.end / 1e9, labels)
    if kept.runs is JobMetrics.RUNS:
        yield from _attempts(span, labels)


def _attempts(span: Span, labels: dict[str, AttributeValue]) -> Iterator[Measurement]:
    attempt, waited = span.attributes.get(Otelkit.JOB_ATTEMPT), span.attributes.get(Otelkit.JOB_WAIT)
    if isinstance(attempt, int):
        yield Measurement(JobMetrics.RETRIES, 1 if attempt > 1 else 0, labels)
    if isinstance(waited, (int, float)):
        yield Measurement(JobMetrics.WAIT, waited, labels)


def http(span: Span) -> Iterator[Measurement]:
    """Slow requests; the request duration itself comes from the framework's own instrument."""
    if span.kind == SpanKind.SERVER and Core.HTTP_METHOD in span.attributes:
        labels = _labels(span.attributes, (Core.HTTP_METHOD, Core.HTTP_ROUTE))
        # Zero for the others, so that a route's first slow request shows as an increase.
        yield Measurement(Metrics.SLOW_REQUESTS, 1 if span.attributes.get(Otelkit.SLOW) else 0, labels)


def outcome(span: Span) -> str:
    """``success``, ``error``, or what the span itself says (``cancelled``, ``closed_early``)."""
    said = span.attributes.get(Otelkit.OUTCOME)
    if isinstance(said, str):
        return said
    return "error" if span.status == StatusCode.ERROR or Core.ERROR_TYPE in span.attributes else "success"


def _labels(attributes: Attributes, keys: Sequence[str]) -> dict[str, AttributeValue]:
    return {key: attributes[key] for key in keys if attributes.get(key) not in (None, "")}


def error_label(span: Span) -> dict[str, AttributeValue]:
    """``error.type`` of a span that failed, nothing of one that did not."""
    kind = span.attributes.get(Core.ERROR_TYPE)
    if kind is None and span.status == StatusCode.ERROR:
        kind = "_OTHER"  # OpenTelemetry's word where the type is not known
    return {} if kind is None else {Core.ERROR_TYPE: str(kind)}


def _is_list(value: AttributeValue) -> TypeGuard[Sequence[AttributeValue]]:
    return isinstance(value, (list, tuple))
