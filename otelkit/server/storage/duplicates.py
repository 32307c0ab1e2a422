"""Each model call counts once, also where two instrumentations saw it or an outer span restates it.

Of two inference spans in one trace that are ancestor and descendant, overlap in time and share the response id (or,
where one of the ids is not known, model and tokens), the innermost counts. Unlike the SDK's ledger this looks at the
whole trace as far as it has arrived, so the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from otelkit.semconv.attributes import GenAI
from otelkit.server.storage.facts import SpanFact

__all__ = ["Call", "restating"]

_DEEPEST: Final = 200


class Call(NamedTuple):
    """A span, as far as counting is concerned; ``counts`` is False for what is not an inference call."""

    span_id: bytes
    parent_id: bytes
    start: int
    end: int
    counts: bool
    model: str
    tokens: tuple[int | None, int | None]
    response_id: str

    @classmethod
    def of(cls, fact: SpanFact) -> Call:
        span, tokens = fact.span, fact.tokens
        response_id = span.attributes.get(GenAI.RESPONSE_ID) if fact.inference else None
        return cls(
            span.span_id,
            span.parent_id,
            fact.start,
            fact.end,
            fact.inference,
            fact.key.model,
            (tokens.input, tokens.output),
            response_id if isinstance(response_id, str) else "",
        )

    def same(self, other: Call) -> bool:
        """Whether both describe one call."""
        if self.start > other.end or other.start > self.end:
            return False
        if self.response_id and other.response_id:
            return self.response_id == other.response_id
        return self.model == other.model and self.tokens == other.tokens and self.tokens != (None, None)


def restating(calls: Sequence[Call]) -> set[bytes]:
    """Return the ids of the spans that only restate a call of one of their descendants."""
    by_id = {call.span_id: call for call in calls}
    outer: set[bytes] = set()
    for call in calls:
        if not call.counts:
            continue
        above = by_id.get(call.parent_id)
        for _ in range(_DEEPEST):
            if above is None or above is call:
                break
            if above.counts and above.same(call):
                outer.add(above.span_id)
            above = by_id.get(above.parent_id)
    return outer
