"""Each model call once, however many instrumentations saw it."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import Final, NamedTuple

from otelkit.mapping.genai import Usage, is_inference, model, operation, usage
from otelkit.model import Span
from otelkit.semconv.attributes import GenAI, Operation, Otelkit

__all__ = ["CallLedger", "is_counted"]

_MAX_DEPTH: Final = 64
_MAX_IDS: Final = 4_096
_MAX_BESIDE: Final = 64  # counted calls of a trace, the latest, among which one beside is looked for
_NESTS: Final = "otelkit"  # the scope of steps that are always current: what they contain is below them, never beside


def is_counted(span: Span) -> bool:
    """Whether the span's tokens and cost count: a model call or an embedding, and not marked as seen twice."""
    if not is_inference(span) and operation(span) != Operation.EMBEDDINGS:
        return False
    return span.attributes.get(Otelkit.DUPLICATE) is not True


class _Call(NamedTuple):
    """What is compared of a counted call."""

    start: int
    end: int
    response_id: str
    operation: str
    model: str
    tokens: Usage
    scope: str


class _Trace:
    """What is remembered of one trace: who is whose parent, and the counted calls."""

    __slots__ = ("below", "calls", "claims", "parents")

    def __init__(self) -> None:
        self.claims: dict[bytes, dict[str, _Call]] = {}  # counted call → by scope, the record of it from beside
        self.parents: OrderedDict[bytes, bytes] = OrderedDict()
        self.calls: dict[bytes, _Call] = {}
        # Calls already counted at or below a span, so that an outer one finds them through any number of steps.
        self.below: OrderedDict[bytes, list[bytes]] = OrderedDict()

    def forget(self, limit: int) -> None:
        """Keep at most ``limit`` spans, and as many lists of as many calls."""
        while len(self.parents) > limit:
            span_id, _ = self.parents.popitem(last=False)
            self.calls.pop(span_id, None)
            self.claims.pop(span_id, None)
        while len(self.below) > limit:
            self.below.popitem(last=False)


class CallLedger:
    """Finds calls that two instrumentations recorded as ancestor and descendant.

    Of inference (or embedding) spans in one trace that are ancestor and descendant, overlap in time and share the
    response id (or, where one has none, model and tokens), one counts. Spans of other kinds between the two are
    walked through; to know them, feed it **every** finished, normalised span, in the order in which they end. Children
    end first, so the innermost counts and the others are duplicates. Where an outer span arrives first all the same
    (another process, a detached stream), it has been counted, so the inner one is the duplicate: once in either order.

    Some instrumentations never make their spans current (LangChain's callbacks), so the client's span lies beside
    theirs or in another trace. Spans of different scopes that overlap and share the response id are one call wherever
    they are; where one has no id, they are in one trace, one contains the other, and model and tokens are equal.

    Deterministic: no clock, no I/O. Memory is bounded by ``traces`` (the longest untouched is forgotten) times
    ``spans`` of each trace (the oldest is forgotten); what is forgotten can no longer be recognised. Not thread-safe.
    """

    def __init__(self, *, traces: int = 2_000, spans: int = 500) -> None:
        self._max_traces = traces
        self._max_spans = spans
        self._traces: OrderedDict[bytes, _Trace] = OrderedDict()
        self._ids: OrderedDict[str, _Call] = OrderedDict()

    def observe(self, span: Span) -> bool:
        """Take note of a finished span; True when it is another record of a call already counted."""
        trace = self._trace(span.trace_id)
        if span.span_id in trace.parents:
            return False  # the same span once more, as after a retry: not for this ledger to judge
        trace.parents[span.span_id] = span.parent_id
        duplicate = False
        if span.attributes.get(Otelkit.DUPLICATE) is True:
            duplicate = True
        elif call := _call(span):
            duplicate = self._known(trace, span.span_id, call) or self._has_id(call) or _is_beside(trace, call)
            if not duplicate:
                trace.calls[span.span_id] = call
                self._remember_id(call)
                trace.below.setdefault(span.span_id, []).append(span.span_id)
        self._hand_up(trace, span)
        trace.forget(self._max_spans)
        return duplicate

    def _trace(self, trace_id: bytes) -> _Trace:
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace()
            if len(self._traces) > self._max_traces:
                self._traces.popitem(last=False)
        else:
            self._traces.move_to_end(trace_id)
        return trace

    @staticmethod
    def _known(trace: _Trace, span_id: bytes, call: _Call) -> bool:
        below = trace.below.get(span_id, ())
        if any(_same_call(call, trace.calls[other]) for other in below if other in trace.calls):
            return True
        above = trace.parents.get(span_id, b"")
        for _ in range(_MAX_DEPTH):
            outer = trace.calls.get(above)
            if outer is not None and _same_call(call, outer):
                return True
            if not above:
                return False
            above = trace.parents.get(above, b"")
        return False

    def _has_id(self, call: _Call) -> bool:
        """Whether another instrumentation's call with this response id has been counted, in whatever trace."""
        other = self._ids.get(call.response_id) if call.response_id else None
        return other is not None and call.scope != other.scope and _same_call(call, other)

    def _remember_id(self, call: _Call) -> None:
        if call.response_id:
            self._ids[call.response_id] = call
            if len(self._ids) > _MAX_IDS:
                self._ids.popitem(last=False)

    def _hand_up(self, trace: _Trace, span: Span) -> None:
        """Tell the parents, as far as they are known or about to end, which calls were counted below them."""
        calls = trace.below.pop(span.span_id, [])
        above = span.parent_id
        for _ in range(_MAX_DEPTH):
            if not calls or not above:
                return
            if above not in trace.parents:  # still open: it will ask when it ends
                waiting = trace.below.setdefault(above, [])
                waiting.extend(calls)
                del waiting[: -self._max_spans]
                return
            above = trace.parents[above]


def _call(span: Span) -> _Call | None:
    if not is_inference(span) and operation(span) != Operation.EMBEDDINGS:
        return None
    response_id = span.attributes.get(GenAI.RESPONSE_ID)
    return _Call(
        span.start,
        span.end,
        response_id if isinstance(response_id, str) else "",
        operation(span),
        model(span),
        usage(span),
        span.scope.name,
    )


def _is_beside(trace: _Trace, call: _Call, tried: set[bytes] | None = None) -> bool:
    """Whether a counted call is this one, recorded again from beside.

    Of calls that look alike, each scope claims each counted one once; where the only fitting one is taken, its claimant
    moves on to another that fits it too (a maximum matching, so that equal calls at once stay as many as they are).
    """
    if call.scope in ("", _NESTS):
        return False
    tried = set() if tried is None else tried
    for span_id, other in islice(reversed(trace.calls.items()), _MAX_BESIDE):
        if span_id in tried or not _looks_alike(call, other):
            continue
        tried.add(span_id)
        claims = trace.claims.setdefault(span_id, {})
        if call.scope not in claims or _is_beside(trace, claims[call.scope], tried):
            claims[call.scope] = call
            return True
    return False


def _looks_alike(call: _Call, other: _Call) -> bool:
    return (
        other.scope not in ("", _NESTS, call.scope)
        and not (call.response_id and other.response_id)
        and (call.tokens.input, call.tokens.output) == (other.tokens.input, other.tokens.output)
        and (_contains(call, other) or _contains(other, call))
        and _same_call(call, other)
    )


def _contains(outer: _Call, inner: _Call) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _same_call(one: _Call, other: _Call) -> bool:
    if one.start > other.end or other.start > one.end:
        return False
    if one.response_id and other.response_id:
        return one.response_id == other.response_id
    if (one.operation == Operation.EMBEDDINGS) != (other.operation == Operation.EMBEDDINGS):
        return False
    return bool(one.model) and _same_model(one.model, other.model) and _same_tokens(one.tokens, other.tokens)


def _same_model(one: str, other: str) -> bool:
    """Equal, or one is the other's dated snapshot: not every instrumentation records the model that answered."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return longer == shorter or (
        bool(shorter) and longer.startswith(shorter + "-") and longer[len(shorter) + 1].isdigit()
    )


def _same_tokens(one: Usage, other: Usage) -> bool:
    """Equal where both report; a silent span of the pair is the same call seen with less detail."""
    pairs = ((one.input, other.input), (one.output, other.output))
    return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)
