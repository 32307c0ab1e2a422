"""What one finished span adds to the metrics."""

from __future__ import annotations

import pytest

from otelkit.mapping.metrics import llm
from otelkit.model import AttributeValue, Span, SpanKind
from otelkit.semconv.metrics import Metrics


def chat(finish_reasons: AttributeValue) -> Span:
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.finish_reasons": finish_reasons,
    }
    return Span(bytes(16), bytes(8), b"", "chat gpt-4o-mini", SpanKind.CLIENT, 0, 1, attributes=attributes)


@pytest.mark.parametrize(
    ("given", "label"),
    [
        (("stop",), "stop"),
        (("stop", "stop"), "stop"),
        (("tool_calls", "length", "tool_calls"), "length,tool_calls"),
        ((None, "stop", ""), "stop"),
        ((), None),
        (None, None),
    ],
)
def test_a_call_is_one_call_however_many_answers_it_gave(given: AttributeValue, label: str | None) -> None:
    (calls,) = [one for one in llm(chat(given)) if one.metric is Metrics.LLM_CALLS]
    assert calls.value == 1
    assert calls.attributes.get("gen_ai.response.finish_reasons") == label
