"""What the store keeps of one span, worked out before the transaction begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from otelkit.mapping.failures import Failure
from otelkit.model import AttributeValue, Span, StatusCode
from otelkit.semconv.attributes import Operation
from otelkit.server.storage.found import Found
from otelkit.server.text import Who

__all__ = ["Candidate", "SeriesKey", "SpanFact", "Tokens"]


class SeriesKey(NamedTuple):
    """What all calls of one step share, in the order of ``schema.SERIES_KEY``; empty where nothing applies."""

    service: str
    environment: str
    name: str
    kind: str
    step: str
    operation: str
    provider: str
    model: str
    tool: str
    route: str
    entry: int


class Tokens(NamedTuple):
    """Token counts of one call; None where not reported."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Candidate(NamedTuple):
    """A text that may stand for its whole trace: the one with the lowest (rank, order) that is not empty does.

    ``read`` turns ``value`` into the text; most candidates are beaten before anybody asks.
    """

    rank: int
    order: int
    value: AttributeValue
    read: Callable[[AttributeValue], str]


@dataclass(slots=True)
class SpanFact:
    """One span, normalised and redacted, with what is derived from it alone.

    ``inference`` says that it is a call to a model whose tokens and cost count, embeddings included. ``found`` is
    None for whatever is no retrieval, ``failures`` are its exceptions. ``duplicate`` is set when another span counts
    the call. ``payload`` and ``place`` say where its details are stored.
    """

    span: Span
    key: SeriesKey
    start: int
    duration: int
    error: bool
    error_text: str | None
    inference: bool
    tokens: Tokens
    cost: float | None
    first_token: int | None
    found: Found | None
    who: Who
    input: Candidate | None
    output: Candidate | None
    failures: tuple[Failure, ...] = ()
    duplicate: bool = False
    trace: int = 0
    series: int = 0
    payload: int = 0
    place: int = 0

    @property
    def end(self) -> int:
        return self.start + self.duration

    @property
    def status(self) -> int:
        return StatusCode.ERROR if self.error else StatusCode.UNSET

    @property
    def llm_call(self) -> bool:
        """Whether people would call it an LLM call: embeddings are none."""
        return self.inference and self.key.operation in Operation.INFERENCE

    @property
    def reported(self) -> bool:
        """Whether token counts came with the call."""
        return self.tokens.input is not None or self.tokens.output is not None

    @property
    def unreported(self) -> bool:
        """Whether a call that succeeded says nothing of its tokens; one that failed has none to report."""
        return self.inference and not self.reported and not self.error

    @property
    def unpriced(self) -> bool:
        """Whether tokens are known and their price is not."""
        return self.inference and self.reported and self.cost is None
