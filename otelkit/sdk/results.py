"""Reading retrieval results: how many, and how similar, whatever shape a retriever gives back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otelkit.semconv.attributes import Otelkit

__all__ = ["Results", "read_results"]

_SCORE_NAMES: Final = ("score", "similarity", "relevance_score", "relevance", "rerank_score")
_ID_NAMES: Final = ("id", "doc_id", "document_id", "node_id", "chunk_id", "key")
_LIST_NAMES: Final = ("results", "documents", "matches", "hits", "points", "nodes", "items")
_INNER_NAMES: Final = ("document", "node", "doc")
_MOST: Final = 50  # scores and ids kept of one retrieval


class Results(NamedTuple):
    """What a retrieval found: scores are None where the retriever gives none."""

    total: int
    ids: tuple[str | None, ...]
    scores: tuple[float | None, ...]

    def attributes(self) -> dict[str, int | float | list[float]]:
        """Numbers only: count, and the scores' distribution where there are scores."""
        known = [score for score in self.scores if score is not None]
        found: dict[str, int | float | list[float]] = {Otelkit.RESULT_COUNT: self.total}
        if known:
            found[Otelkit.SCORES] = known
            found[Otelkit.SCORE_MAX] = max(known)
            found[Otelkit.SCORE_MIN] = min(known)
            found[Otelkit.SCORE_MEAN] = sum(known) / len(known)
        return found

    def documents(self) -> list[dict[str, str | float | None]]:
        """The convention's ``[{id, score}]``: content, for those who opted in."""
        return [{"id": id_, "score": score} for id_, score in zip(self.ids, self.scores, strict=True)]


def read_results(value: Any, scores: Iterable[float] | None = None) -> Results | None:
    """Read documents, (document, score) pairs, dicts or objects; None where ``value`` is no list of results."""
    items = _items(value)
    if items is None:
        return None
    given = list(scores) if scores is not None else []
    kept = items[:_MOST]
    read = [_score(item) for item in kept] if not given else [_number(score) for score in given[: len(kept)]]
    read += [None] * (len(kept) - len(read))
    return Results(len(items), tuple(_id(item) for item in kept), tuple(read))


def _items(value: Any) -> Sequence[Any] | None:
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return value
    for name in _LIST_NAMES:
        inner = _get(value, name)
        if isinstance(inner, (list, tuple)):
            return inner
    return None


def _get(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _score(item: Any) -> float | None:
    if isinstance(item, tuple) and not hasattr(item, "_fields"):
        return _number(item[-1]) if len(item) > 1 else None
    for name in _SCORE_NAMES:
        score = _number(_get(item, name))
        if score is not None:
            return score
    metadata = _get(item, "metadata")
    return _score(metadata) if isinstance(metadata, Mapping) else None


def _id(item: Any) -> str | None:
    if isinstance(item, tuple) and item and not hasattr(item, "_fields"):
        return _id(item[0])
    for name in _ID_NAMES:
        value = _get(item, name)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
    for name in _INNER_NAMES:
        inner = _get(item, name)
        if inner is not None and not isinstance(inner, str):
            return _id(inner)
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    number = float(value)  # numpy scalars too
    return number if math.isfinite(number) else None
