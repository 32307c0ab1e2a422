"""``prometheus/rules/recording.yaml``: what several panels ask for again and again, worked out once.

Names are Prometheus' own custom: level, metric, operations. What is recorded is an entry like any other, so that the
queries of dashboards are made of it in the same way, and still know the metrics that it stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from otelkit.provision.documents import as_yaml
from otelkit.provision.promql import SERVICE, Expr, Match, Scope, matches
from otelkit.semconv.attributes import Core, GenAI
from otelkit.semconv.metrics import Instrument, MetricDef, Metrics

__all__ = ["FAILED", "RECORDED", "TOKENS", "Recorded", "files"]

FAILED: Final = matches(Core.HTTP_STATUS, "5..")
"""Requests that the service could not answer."""

TOKENS: Final = matches(GenAI.TOKEN_TYPE, "input|output")
"""The types of tokens that add up: the others are parts of these."""

_SAYS: Final = "What dashboards ask for again and again, worked out once."
_OFTEN: Final = "15s"
_SELDOM: Final = "1m"  # sums over an hour or a day
_MODEL: Final = (*SERVICE, GenAI.REQUEST_MODEL)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A series that Prometheus works out by itself: its ``name``, what it is, and how often."""

    name: str
    expr: Expr
    every: str = _OFTEN

    def now(self, scope: Scope, *where: Match, by: Iterable[str] = (), how: str = "sum") -> Expr:
        """Return its value now, of the scope's series; its window is the rule's and not the scope's."""
        return replace(scope.now(self._entry, *where, by=by, how=how), reads=self.expr.reads)

    def quantile(self, scope: Scope, quantile: float, *where: Match) -> Expr:
        """Return a quantile of recorded buckets."""
        buckets = self.now(scope, *where, by=self.expr.by[-1:])
        return Expr(f"histogram_quantile({quantile:.12g}, {buckets.text})", (), buckets.reads)

    @property
    def _entry(self) -> MetricDef:
        return MetricDef(self.name, Instrument.GAUGE, "", "", self.expr.by, scraped_as=self.name)


def _over(window: str, metric: MetricDef, *where: Match) -> Expr:
    return Scope(window, by=_MODEL).happened(metric, *where)


class RECORDED:
    """All of them."""

    REQUESTS: Final = Recorded("service:http_requests:rate5m", Scope("5m", by=SERVICE).rate(Metrics.HTTP_DURATION))
    REQUESTS_FAILED: Final = Recorded(
        "service:http_requests_failed:rate5m", Scope("5m", by=SERVICE).rate(Metrics.HTTP_DURATION, FAILED)
    )
    REQUEST_SECONDS: Final = Recorded(
        "service:http_request_duration_seconds_bucket:rate5m", Scope("5m", by=SERVICE).buckets(Metrics.HTTP_DURATION)
    )
    TOKENS_HOUR: Final = Recorded(
        "service_model:llm_tokens:increase1h", _over("1h", Metrics.LLM_TOKENS, TOKENS), _SELDOM
    )
    TOKENS_DAY: Final = Recorded(
        "service_model:llm_tokens:increase1d", _over("1d", Metrics.LLM_TOKENS, TOKENS), _SELDOM
    )
    COST_HOUR: Final = Recorded("service_model:llm_cost_USD:increase1h", _over("1h", Metrics.LLM_COST), _SELDOM)
    COST_DAY: Final = Recorded("service_model:llm_cost_USD:increase1d", _over("1d", Metrics.LLM_COST), _SELDOM)


def files() -> Mapping[str, str]:
    """Return the rules, in a group for each interval."""
    entries = [entry for entry in vars(RECORDED).values() if isinstance(entry, Recorded)]
    groups: list[Mapping[str, Any]] = [
        {
            "name": f"otelkit-recording-{interval}",
            "interval": interval,
            "rules": [{"record": entry.name, "expr": entry.expr.text} for entry in entries if entry.every == interval],
        }
        for interval in (_OFTEN, _SELDOM)
    ]
    return {"prometheus/rules/recording.yaml": as_yaml({"groups": groups}, says=_SAYS)}
