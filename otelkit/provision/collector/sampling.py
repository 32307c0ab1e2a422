"""Which traces a gateway keeps whole: every failed, slow and expensive one, and a share of the others.

A trace is decided shortly after its root span has come; without a root (a long agent run, whose steps are exported as
they end) after ``decision_wait``. Spans that come later follow the decision, which is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otelkit.provision.collector.components import Component, Kind
from otelkit.provision.collector.options import Options, seconds
from otelkit.semconv.attributes import GenAI, Otelkit

__all__ = ["tail_sampling"]

_REMEMBERED = 10  # times as many decisions as traces are held


def tail_sampling(options: Options) -> Component:
    """Decide on whole traces."""
    return Component(
        Kind.PROCESSOR,
        "tail_sampling",
        {
            "decision_wait": options.decision_wait,
            "decision_wait_after_root_received": options.root_wait,
            "num_traces": options.traces_held,
            # Wait instead of throwing out the oldest undecided one: senders are refused and try again.
            "block_on_overflow": True,
            "decision_cache": {
                "sampled_cache_size": _REMEMBERED * options.traces_held,
                "non_sampled_cache_size": _REMEMBERED * options.traces_held,
            },
            "policies": [
                {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
                {"name": "slow", "type": "latency", "latency": {"threshold_ms": round(seconds(options.slow) * 1000)}},
                {"name": "expensive", "type": "ottl_condition", "ottl_condition": _expensive(options)},
                {"name": "a share", "type": "probabilistic", "probabilistic": {"sampling_percentage": options.keep}},
            ],
        },
    )


def _expensive(options: Options) -> Mapping[str, Any]:
    """By the cost the SDK stamps, a number in dollars: the policy for numeric attributes reads whole numbers only."""
    cost, tokens = (f'span.attributes["{key}"]' for key in (Otelkit.COST_USD, GenAI.OUTPUT_TOKENS))
    return {
        "error_mode": "ignore",
        "span": [
            f"{cost} != nil and {cost} >= {options.expensive!r}",
            f"{cost} == nil and {tokens} != nil and {tokens} >= {options.output_tokens}",
        ],
    }
