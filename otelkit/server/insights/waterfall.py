"""The spans of a trace as a tree on one time axis. Pure: no store, no content, times in nanoseconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["LOST", "ROOT", "Placed", "Tree", "critical_path", "tree_of"]

ROOT: Final = -1
LOST: Final = -2  # it names a parent, and that has not arrived


class Placed(NamedTuple):
    """One span, as far as its place is concerned; ``entry`` says that it entered a process, and so another clock."""

    span_id: bytes
    parent_id: bytes
    start: int
    duration: int
    service: str
    entry: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything is by the place of a span in the list that :func:`tree_of` was given.

    ``order`` is depth first by start. ``parents`` are places, :data:`ROOT` or :data:`LOST`. ``children`` of -1 are the
    spans that stand at the top. ``shifts`` are the nanoseconds by which a span is moved so that nothing begins before
    what called it; ``starts`` and ``ends`` are moved already. The time axis begins at ``start`` and is ``length`` long.
    """

    order: list[int]
    depths: list[int]
    parents: list[int]
    children: Mapping[int, list[int]]
    shifts: list[int]
    starts: list[int]
    ends: list[int]
    start: int
    length: int


def tree_of(spans: Sequence[Placed]) -> Tree:
    """Put spans into a tree; loops of parents are cut and shown as roots."""
    parents = _parents(spans)
    children: defaultdict[int, list[int]] = defaultdict(list)
    for at, parent in enumerate(parents):
        children[max(parent, ROOT)].append(at)
    first, _ = _walk(children, len(spans))
    shifts = _shifts(spans, parents, first)
    starts = [span.start + shift for span, shift in zip(spans, shifts, strict=True)]
    for siblings in children.values():
        siblings.sort(key=starts.__getitem__)
    order, depths = _walk(children, len(spans))
    ends = [start + span.duration for start, span in zip(starts, spans, strict=True)]
    start = min(starts, default=0)
    length = max(ends, default=0) - start
    return Tree(order, depths, parents, children, shifts, starts, ends, start, length)


def _parents(spans: Sequence[Placed]) -> list[int]:
    place = {span.span_id: at for at, span in enumerate(spans)}
    parents = []
    for at, span in enumerate(spans):
        parent = place.get(span.parent_id, LOST) if span.parent_id else ROOT
        parents.append(ROOT if parent == at else parent)
    return parents


def _walk(children: Mapping[int, list[int]], count: int) -> tuple[list[int], list[int]]:
    """Return the order depth first and the depths; whoever is in a loop of parents comes last, as a root."""
    order: list[int] = []
    depths = [-1] * count
    for first in (*children.get(ROOT, ()), *range(count)):
        stack = [(first, 0)]
        while stack:
            at, depth = stack.pop()
            if depths[at] < 0:
                depths[at] = depth
                order.append(at)
                stack.extend((child, depth + 1) for child in reversed(children.get(at, ())))
    return order, depths


def _shifts(spans: Sequence[Placed], parents: Sequence[int], order: Sequence[int]) -> list[int]:
    """Return by how much each span must be moved, because clocks of hosts differ and nothing starts before its cause.

    A span that entered a process before it was called is moved to the middle of the call, or to its start where it is
    the longer one; whatever happens below it in the same process is moved along.
    """
    shifts = [0] * len(spans)
    moved = False
    for at in order:
        parent = parents[at]
        if parent < 0:
            continue
        span, above = spans[at], spans[parent]
        if not (span.entry or span.service != above.service):
            shifts[at] = shifts[parent] if moved else 0
            continue
        ahead = above.start + shifts[parent] - span.start
        if ahead > 0:
            shifts[at] = ahead + max(0, above.duration - span.duration) // 2
            moved = True
    return shifts


def critical_path(tree: Tree) -> dict[int, list[tuple[int, int]]]:
    """Return what the end of the trace waited for: by span the stretches (start, end) that it spent itself.

    Seen from the end backwards: of the steps below, the one that ended last was waited for; before it began, the one
    that ended last before that; what is between them is the span's own time. What outlives its parent counts up to the
    parent's end, because nobody waited for the rest.
    """
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    if not tree.order:
        return {}
    stack = [(ROOT, tree.start, tree.start + tree.length)]
    while stack:
        at, low, high = stack.pop()
        cursor = high
        below = [child for child in tree.children.get(at, ()) if tree.starts[child] < high]
        for child in sorted(below, key=lambda child: (min(tree.ends[child], high), tree.starts[child]), reverse=True):
            begin, end = max(low, tree.starts[child]), min(tree.ends[child], high)
            if end > cursor or end <= begin:
                continue
            if cursor > end:
                found[at].append((end, cursor))
            stack.append((child, begin, end))
            cursor = begin
        if cursor > low:
            found[at].append((low, cursor))
    found.pop(ROOT, None)
    return dict(found)
