"""Recorded series hold what they say, evaluated by Prometheus' own program on the committed file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otelkit.provision.dashboards import boards
from otelkit.provision.prometheus.recording import RECORDED, Recorded
from otelkit.provision.promql import Scope, equals, share
from otelkit.semconv.attributes import Core, GenAI
from otelkit.semconv.metrics import Metrics
from tests.provision.evaluation import Evaluation, evaluate

_ENTRIES = [entry for entry in vars(RECORDED).values() if isinstance(entry, Recorded)]
_SHOP = 'service_name="shop", deployment_environment_name="prod"'
_HTTP = Metrics.HTTP_DURATION.prometheus_name
_TOKENS = f"{Metrics.LLM_TOKENS.prometheus_name}{{{_SHOP}, gen_ai_request_model="
# A minute apart, from two workers where there are two.
_SERIES = {
    f'{_HTTP}_count{{{_SHOP}, instance="a", http_response_status_code="200"}}': "0+57x30",
    f'{_HTTP}_count{{{_SHOP}, instance="b", http_response_status_code="200"}}': "0+60x30",
    f'{_HTTP}_count{{{_SHOP}, instance="b", http_response_status_code="503"}}': "0+3x30",
    f'{_HTTP}_count{{service_name="other", instance="c", http_response_status_code="503"}}': "0+600x30",
    f'{_HTTP}_bucket{{{_SHOP}, instance="a", le="0.1"}}': "0+50x30",
    f'{_HTTP}_bucket{{{_SHOP}, instance="a", le="1.0"}}': "0+100x30",
    f'{_HTTP}_bucket{{{_SHOP}, instance="a", le="+Inf"}}': "0+100x30",
    f'{_TOKENS}"gpt", gen_ai_token_type="input"}}': "0+100x30",
    f'{_TOKENS}"gpt", gen_ai_token_type="cache_read"}}': "0+90x30",
    f'{_TOKENS}"gpt", gen_ai_token_type="output"}}': "0+20x30",
    f'{_TOKENS}"mistral", gen_ai_token_type="output"}}': "0+1x30",
}
_OF_SHOP = Scope(where=(equals(Core.SERVICE_NAME, "shop"),))


@pytest.mark.stack
def test_requests_errors_and_quantiles_of_a_service_over_all_its_workers(tmp_path: Path) -> None:
    failed, asked = RECORDED.REQUESTS_FAILED.now(_OF_SHOP), RECORDED.REQUESTS.now(_OF_SHOP)
    expected = {
        asked.text: 2.0,
        share(failed, asked).text: 0.025,
        RECORDED.REQUEST_SECONDS.quantile(_OF_SHOP, 0.5).text: 0.1,
        RECORDED.REQUEST_SECONDS.quantile(_OF_SHOP, 0.75).text: 0.55,
    }
    evaluate(tmp_path, Evaluation(_SERIES, "30m", expected))


@pytest.mark.stack
def test_tokens_of_an_hour_are_those_that_add_up(tmp_path: Path) -> None:
    of_gpt = _OF_SHOP.only(equals(GenAI.REQUEST_MODEL, "gpt"))
    expected = {RECORDED.TOKENS_HOUR.now(_OF_SHOP).text: 3630.0, RECORDED.TOKENS_DAY.now(of_gpt).text: 3600.0}
    evaluate(tmp_path, Evaluation(_SERIES, "30m", expected))


def test_names_say_level_metric_and_operations() -> None:
    assert all(re.fullmatch(r"[a-z_]+:[a-zA-Z_]+:[a-z]+\d+[mhd]", entry.name) for entry in _ENTRIES)
    assert len({entry.name for entry in _ENTRIES}) == len(_ENTRIES)


def test_everything_that_is_recorded_is_asked_for() -> None:
    asked = " ".join(query.text for query in boards.queries())
    assert [entry.name for entry in _ENTRIES if entry.name not in asked] == []


def test_what_is_recorded_still_knows_the_metric_it_stands_on() -> None:
    assert RECORDED.REQUESTS.now(_OF_SHOP).reads == (Metrics.HTTP_DURATION,)
    with pytest.raises(ValueError, match="does not carry"):
        RECORDED.REQUESTS.now(_OF_SHOP, by=(Core.HTTP_ROUTE,))
