"""What the stand-in for OpenAI's API was asked and what it counted: the truth that telemetry is compared with."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass, replace

MOST_ENTRIES = 100_000
"""Entries kept; the oldest go first, so that a stand-in that stays up for days stays small."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request as the stand-in saw it. Counts are tokens; a request refused with an error used none."""

    sequence: int
    """Position in the order of arrival, from 1."""
    operation: str
    """`chat` or `embeddings`."""
    model: str
    """The model asked for; empty where the body named none."""
    response_model: str = ""
    """The dated model that answered, as the real API reports it."""
    response_id: str = ""
    status: int = 200
    """The HTTP status. A stream that was cut still has 200: its header was sent before."""
    error: str | None = None
    """The error's code (or its type where it has none), for instance `rate_limit_exceeded`."""
    stream: bool = False
    usage_reported: bool = False
    """Whether the client was told the counts below (a stream without `include_usage` is not)."""
    ended: str = "complete"
    """`complete`, `cut` (by the stand-in, on request) or `closed` (by the client, before the end)."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Includes the reasoning tokens; of a stream that did not complete, what was produced until then."""
    cached_tokens: int = 0
    """The part of the prompt tokens that was read from the prompt cache."""
    reasoning_tokens: int = 0
    finish_reasons: tuple[str, ...] = ()

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class Ledger:
    """The requests in order of arrival. An entry is in it before the client has seen the end of its answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals = 0
        self._entries: deque[LedgerEntry] = deque(maxlen=MOST_ENTRIES)

    def arrive(self) -> int:
        """The sequence number of a request that has just come in."""
        with self._lock:
            self._arrivals += 1
            return self._arrivals

    def write(self, entry: LedgerEntry) -> None:
        """Add the entry of a request that is over."""
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries by sequence."""
        with self._lock:
            found = tuple(self._entries)
        return tuple(sorted(found, key=lambda entry: entry.sequence))

    def as_json(self) -> dict[str, object]:
        """The body of `GET /ledger`: `{"entries": [...]}`."""
        return {"entries": [asdict(entry) | {"total_tokens": entry.total_tokens} for entry in self.entries()]}


@dataclass(slots=True)
class OpenEntry:
    """An entry in the making. It is written exactly once: whatever happens first ends it."""

    ledger: Ledger
    entry: LedgerEntry
    written: bool = False

    def update(self, **changes: object) -> None:
        """Change fields of the entry that is not written yet."""
        self.entry = replace(self.entry, **changes)  # type: ignore[arg-type]  # field names are the caller's, checked by replace

    def write(self, **changes: object) -> None:
        """Write the entry with these last changes; a second call does nothing."""
        if self.written:
            return
        self.written = True
        self.update(**changes)
        self.ledger.write(self.entry)
