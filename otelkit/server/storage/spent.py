"""Where a trace's time went: each instant counted once, at the innermost span."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["Interval", "charged_kinds", "self_times"]

# Kinds whose unnamed inner work (an HTTP request, a helper) is part of what they are waited for.
_CHARGED: Final = frozenset({"tool", "retrieval", "llm"})
_DEEPEST: Final = 64


class Interval(NamedTuple):
    """One span, as far as time is concerned (nanoseconds)."""

    span_id: bytes
    parent_id: bytes
    start: int
    end: int
    kind: str


def self_times(spans: Sequence[Interval]) -> list[int]:
    """Return for each span the time that none of its children took, in the order given.

    Where siblings overlap, the one that started first is charged; what outlives its parent is charged to nobody; spans
    whose parent is not among ``spans`` are roots. A loop of parents gets zeros.
    """
    place = {span.span_id: at for at, span in enumerate(spans)}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for at, span in enumerate(spans):
        parent = place.get(span.parent_id, -1) if span.parent_id else -1
        children[-1 if parent == at else parent].append(at)
    for siblings in children.values():
        siblings.sort(key=lambda at: (spans[at].start, spans[at].end))
    spent = [0] * len(spans)
    roots = children.get(-1, [])
    stack: list[tuple[int, int, int]] = []
    cursor = 0
    for at in roots:
        low, cursor = max(cursor, spans[at].start), max(cursor, spans[at].end)
        if cursor > low:
            stack.append((at, low, cursor))
    while stack:
        at, low, high = stack.pop()
        own = 0
        for child in children.get(at, ()):
            begin, finish = max(low, spans[child].start), min(high, spans[child].end)
            if finish > begin:
                own += begin - low
                stack.append((child, begin, finish))
                low = finish
        spent[at] = own + high - low
    return spent


def charged_kinds(spans: Sequence[Interval]) -> list[str]:
    """Return for each span the kind its time is charged to, in the order given.

    That is its own, except for what has none (``app``) below a tool, retrieval or model call: the request that a tool
    sends is the tool's time.
    """
    by_id = {span.span_id: span for span in spans}
    charged = []
    for span in spans:
        above: Interval | None = span
        for _ in range(_DEEPEST):
            if above is None or above.kind != "app":
                break
            above = by_id.get(above.parent_id)
        charged.append(above.kind if above is not None and above.kind in _CHARGED else span.kind)
    return charged
