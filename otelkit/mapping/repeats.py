"""The same statement again and again below one request: what an ORM does that loads rows one by one (N+1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from otelkit.mapping.databases import is_call
from otelkit.model import AttributeValue, Span
from otelkit.semconv.attributes import Database, Otelkit

__all__ = ["RepeatLedger", "is_local_root"]

_REMOTE_PARENT: Final = 0x200
_MOST_TRACES: Final = 2048  # open at once; the oldest goes first
_MOST_STATEMENTS: Final = 128  # different ones of a trace; those that come later are not counted


def is_local_root(span: Span) -> bool:
    """Whether this process's part of the trace ends with this span."""
    return not span.parent_id or bool(span.flags & _REMOTE_PARENT)


class RepeatLedger:
    """Counts statements by trace; feed it every span once, in the order they end.

    Args:
        least: so many times below one request are worth a word.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._open: OrderedDict[bytes, dict[str, tuple[int, str]]] = OrderedDict()

    def observe(self, span: Span) -> Mapping[str, AttributeValue]:
        """What to stamp on ``span``: nothing, except where it is a request with database calls below it."""
        if is_local_root(span):
            return self._closed(self._open.pop(span.trace_id, None)) if self._open else {}
        if not is_call(span):
            return {}
        known = self._open.get(span.trace_id)
        if known is None:
            known = self._open[span.trace_id] = {}
            if len(self._open) > _MOST_TRACES:
                self._open.popitem(last=False)
        attributes = span.attributes
        key = str(attributes.get(Otelkit.DB_FINGERPRINT, ""))
        if key in known or len(known) < _MOST_STATEMENTS:
            count = known.get(key, (0, ""))[0]
            known[key] = (count + 1, str(attributes.get(Database.QUERY_SUMMARY, span.name)))
        return {}

    def _closed(self, known: Mapping[str, tuple[int, str]] | None) -> Mapping[str, AttributeValue]:
        if not known:
            return {}
        stamps: dict[str, AttributeValue] = {Otelkit.DB_CALLS: sum(count for count, _ in known.values())}
        # Commands of a cache have no fingerprint: asking it often is what it is for.
        often = max(((*found, key) for key, found in known.items() if key), default=(0, "", ""))
        if often[0] >= self._least:
            stamps |= {
                Otelkit.DB_REPEATS: often[0],
                Otelkit.DB_REPEATED: often[1],
                Otelkit.DB_REPEATED_FINGERPRINT: often[2],
            }
        return stamps
