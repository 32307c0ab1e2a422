"""What otelkit adds to a finished span before anything else looks at it: one shape, counted once, priced, marked.

A span that has a stamp keeps it: the server prices and counts only what comes without.
"""

from __future__ import annotations

from otelkit.mapping import databases
from otelkit.mapping.cost import PriceBook
from otelkit.mapping.counting import CallLedger
from otelkit.mapping.failures import stamp_span
from otelkit.mapping.genai import is_inference, model, normalise, operation, provider, usage
from otelkit.mapping.repeats import RepeatLedger
from otelkit.model import AttributeValue, Span, SpanKind
from otelkit.semconv.attributes import Operation, Otelkit

__all__ = ["Stamper"]


class Stamper:
    """Normalises spans and stamps them; feed it every span once, in the order they end.

    Args:
        prices: what calls cost.
        slow_seconds: server spans longer than this are marked ``otelkit.slow``.
        repeated: a request that runs one statement so many times is marked.
    """

    def __init__(self, prices: PriceBook, *, slow_seconds: float = float("inf"), repeated: int = 10) -> None:
        self._prices = prices
        self._slow = slow_seconds
        self._calls = CallLedger()
        self._repeats = RepeatLedger(repeated)

    def __call__(self, span: Span) -> Span:
        """The span in the conventions' names with its stamps; the same object when there is nothing to add."""
        span = normalise(span)
        if span.events:
            span = stamp_span(span)
        span = databases.normalise(span)  # last: it takes messages of errors away
        stamps: dict[str, AttributeValue] = dict(self._repeats.observe(span))
        if self._calls.observe(span) and Otelkit.DUPLICATE not in span.attributes:
            stamps[Otelkit.DUPLICATE] = True
        elif is_inference(span) or operation(span) == Operation.EMBEDDINGS:
            stamps.update(self._cost(span))
        if span.kind == SpanKind.SERVER and span.seconds > self._slow:
            stamps[Otelkit.SLOW] = True
        return span._replace(attributes={**span.attributes, **stamps}) if stamps else span

    def _cost(self, span: Span) -> dict[str, AttributeValue]:
        if Otelkit.COST_USD in span.attributes:
            return {}
        cost = self._prices.price(provider(span), model(span), usage(span), span.end)
        return {} if cost is None else {Otelkit.COST_USD: cost.usd, Otelkit.COST_SOURCE: cost.source}
