"""Faults on request: how a client or a test asks the stand-in for OpenAI's API to misbehave, always in the same way.

A fault is `KIND` or `KIND=NUMBER`, asked for by one of (the first found counts):
- the request header `x-stand-in-fault: rate_limit=1`
- the body's `metadata: {"fault": "rate_limit=1"}`
- the text `[[fault:rate_limit=1]]` anywhere in the last user message (or the input, for embeddings)
- the server's own `every={"rate_limit": 17}`: every 17th request gets `rate_limit=1`

| kind | what happens | number |
|---|---|---|
| `rate_limit` | 429 with `Retry-After` | of identical requests to refuse before one succeeds; default all |
| `server_error` | 500 | the same |
| `slow_first_token` | the answer starts late | seconds, default 2 |
| `cut` | a stream's connection closes in the middle | chunks sent before that, default 5 |
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("rate_limit", "server_error", "slow_first_token", "cut")
HEADER = "x-stand-in-fault"
SLOW_SECONDS = 2.0
CUT_AFTER = 5

_MARKER = re.compile(r"\[\[fault:([a-z_]+(?:=[\d.]+)?)\]\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave and how much of it (see the module's table)."""

    kind: str
    amount: float | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `KIND` or `KIND=NUMBER`. Raises ValueError that names the kinds there are."""
        kind, _, amount = text.strip().partition("=")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}: use one of {', '.join(KINDS)}")
        return cls(kind, float(amount) if amount else None)


class Faults:
    """Decides which fault, if any, a request meets."""

    def __init__(self, every: Mapping[str, int] | None = None) -> None:
        self._every = {Fault.parse(kind).kind: gap for kind, gap in (every or {}).items()}
        if any(gap < 1 for gap in self._every.values()):
            raise ValueError("every: give a number of requests from 1 up for each kind of fault")
        self._refused: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def choose(self, *, header: str | None, metadata: Mapping[str, object], text: str, sequence: int) -> Fault | None:
        """The fault asked for, or the one whose turn it is. Raises ValueError for an unknown kind."""
        marker = _MARKER.search(text)
        asked = header or metadata.get("fault") or (marker and marker.group(1))
        if asked:
            return Fault.parse(str(asked))
        for kind, gap in self._every.items():
            if sequence % gap == 0:
                return Fault(kind, 1 if kind in ("rate_limit", "server_error") else None)
        return None

    def refuses(self, fault: Fault | None, kind: str, digest: str) -> bool:
        """Whether this request is refused with that kind of fault; counts refusals of identical requests."""
        if fault is None or fault.kind != kind:
            return False
        if fault.amount is None:
            return True
        with self._lock:
            if self._refused[kind, digest] < fault.amount:
                self._refused[kind, digest] += 1
                return True
            del self._refused[kind, digest]
            return False
