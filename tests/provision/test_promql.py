"""Queries made from the catalogue say what they should, and cannot be made of what an entry does not carry."""

from __future__ import annotations

import pytest

from otelkit.provision.promql import (
    SERVICE,
    Expr,
    Scope,
    differs,
    equals,
    label,
    matches,
    misses,
    number,
    share,
    together,
    top,
)
from otelkit.semconv.attributes import Core, GenAI, Otelkit
from otelkit.semconv.metrics import CATALOGUE, HostMetrics, Instrument, JobMetrics, MetricDef, Metrics

_FIVE = Scope(window="5m")
_EACH = Scope(window="5m", by=SERVICE)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (_FIVE.rate(Metrics.LLM_TOKENS), "sum (rate(otelkit_llm_tokens_total[5m]))"),
        (
            _FIVE.rate(Metrics.HTTP_DURATION, matches(Core.HTTP_STATUS, "5.."), by=(Core.HTTP_ROUTE,)),
            "sum by (http_route) "
            '(rate(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[5m]))',
        ),
        (_FIVE.over("1h").increase(Metrics.LLM_COST), "sum (increase(otelkit_llm_cost_USD_total[1h]))"),
        (
            _EACH.quantile(0.95, Metrics.TOOL_DURATION, by=(GenAI.TOOL_NAME,)),
            "histogram_quantile(0.95, sum by (service_name, deployment_environment_name, gen_ai_tool_name, le) "
            "(rate(gen_ai_execute_tool_duration_seconds_bucket[5m])))",
        ),
        (
            _FIVE.within(1.0, Metrics.HTTP_DURATION),
            'sum (rate(http_server_request_duration_seconds_bucket{le=~"1(\\\\.0)?"}[5m]))',
        ),
        (
            _FIVE.within(0.25, Metrics.HTTP_DURATION),
            'sum (rate(http_server_request_duration_seconds_bucket{le=~"0\\\\.25"}[5m]))',
        ),
        (_FIVE.now(JobMetrics.QUEUE_LENGTH, how="max"), "max (otelkit_job_queue_length)"),
        (_FIVE.seen(Metrics.UPTIME, ago="1h"), "max (max_over_time(process_uptime_seconds[5m] offset 1h))"),
        (
            _EACH.now(JobMetrics.QUEUE_LENGTH).only_with(_EACH.now(Metrics.UPTIME), *SERVICE),
            "sum by (service_name, deployment_environment_name) (otelkit_job_queue_length) "
            "and on (service_name, deployment_environment_name) "
            "sum by (service_name, deployment_environment_name) (process_uptime_seconds)",
        ),
        (
            together(_FIVE.increase(Metrics.LLM_COST), _FIVE.increase(Metrics.LLM_UNPRICED)),
            'sum (label_replace(sum (increase(otelkit_llm_cost_USD_total[5m])), "part", "0", "", "") or '
            'label_replace(sum (increase(otelkit_llm_unpriced_total[5m])), "part", "1", "", ""))',
        ),
        (
            _FIVE.happened(JobMetrics.SYNC_FAILURES),
            "sum ((last_over_time(otelkit_sync_failures_total[5m]) unless otelkit_sync_failures_total offset 5m) "
            "and on (job, instance) (process_uptime_seconds offset 5m or "
            "last_over_time(process_uptime_seconds[5m]) <= 300) or increase(otelkit_sync_failures_total[5m]))",
        ),
        (_FIVE.age(JobMetrics.LAST_SUCCESS), "time() - max (otelkit_job_last_success_seconds)"),
        (_FIVE.now(HostMetrics.CPU_UTILIZATION), "sum (system_cpu_utilization_ratio)"),
        (
            _FIVE.only(equals(Core.SERVICE_NAME, 'a"b\\c')).series(Metrics.UPTIME).named("absent"),
            'absent(process_uptime_seconds{service_name="a\\"b\\\\c"})',
        ),
        (
            _FIVE.series(Metrics.LLM_CALLS, differs(Otelkit.OUTCOME, "success"), misses(GenAI.PROVIDER, "a|b")),
            'otelkit_llm_calls_total{otelkit_outcome!="success", gen_ai_provider_name!~"a|b"}',
        ),
        (
            _FIVE.mean(Metrics.RETRIEVAL_SCORE),
            "sum (rate(otelkit_retrieval_score_sum[5m])) / (sum (rate(otelkit_retrieval_score_count[5m])) > 0)",
        ),
        (
            share(_FIVE.rate(Metrics.LLM_UNPRICED), _FIVE.rate(Metrics.LLM_CALLS)) > 0.01,
            "((sum (rate(otelkit_llm_unpriced_total[5m])) or (sum (rate(otelkit_llm_calls_total[5m])) * 0)) / "
            "(sum (rate(otelkit_llm_calls_total[5m])) > 0)) > 0.01",
        ),
        (top(3, _FIVE.rate(Metrics.LLM_COST)), "topk(3, sum (rate(otelkit_llm_cost_USD_total[5m])))"),
    ],
)
def test_a_query_is_written_as_prometheus_reads_it(expr: Expr, text: str) -> None:
    assert str(expr) == text


def test_a_query_knows_which_entries_it_reads_and_what_it_is_kept_apart_by() -> None:
    expr = share(_EACH.rate(Metrics.LLM_UNPRICED), _EACH.rate(Metrics.LLM_CALLS)) * 100 > number(5)
    assert expr.reads == (Metrics.LLM_UNPRICED, Metrics.LLM_CALLS)
    assert expr.by == SERVICE


@pytest.mark.parametrize("attribute", [GenAI.REQUEST_MODEL, Core.USER_ID, "http_route"])
def test_an_attribute_that_the_entry_does_not_carry_cannot_be_asked_for(attribute: str) -> None:
    for ask in (
        lambda: _FIVE.rate(Metrics.HTTP_DURATION, by=(attribute,)),
        lambda: _FIVE.rate(Metrics.HTTP_DURATION, equals(attribute, "x")),
        lambda: _FIVE.only(equals(attribute, "x")).quantile(0.5, Metrics.HTTP_DURATION),
        lambda: _FIVE.now(Metrics.HTTP_ACTIVE, by=(attribute,)),
    ):
        with pytest.raises(ValueError, match=r"does not carry"):
            ask()


def test_a_question_that_does_not_fit_the_instrument_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="ask for its value now"):
        _FIVE.rate(JobMetrics.QUEUE_LENGTH)
    with pytest.raises(ValueError, match="ask for its rate"):
        _FIVE.now(Metrics.LLM_TOKENS)
    with pytest.raises(ValueError, match="not a histogram"):
        _FIVE.quantile(0.5, Metrics.LLM_TOKENS)
    with pytest.raises(ValueError, match="no boundary"):
        _FIVE.within(0.3, Metrics.HTTP_DURATION)
    with pytest.raises(ValueError, match="cannot be by"):
        share(_EACH.rate(Metrics.LLM_UNPRICED), _FIVE.rate(Metrics.LLM_CALLS))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_entry_can_be_asked_for_by_everything_it_carries(entry: MetricDef) -> None:
    ask = _EACH.now if entry.instrument in {Instrument.GAUGE, Instrument.UP_DOWN_COUNTER} else _EACH.rate
    assert ask(entry, by=entry.attributes).by == (*SERVICE, *entry.attributes)
    assert all(label(attribute) in ask(entry, by=entry.attributes).text for attribute in entry.attributes)
