"""What a retrieval or rerank gave, as attributes: how many, how well, and (opt-in content) which."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from otelkit.model import AttributeValue
from otelkit.semconv.attributes import GenAI, Otelkit

__all__ = ["Document", "document_attributes"]

_MAX_SCORES: Final = 50
_MAX_DOCUMENTS: Final = 100


class Document(NamedTuple):
    """One result: its id and its score, None where not reported."""

    id: str | None = None
    score: float | None = None


def document_attributes(documents: Sequence[Document]) -> dict[str, AttributeValue]:
    """Return result count, scores and their summary (``otelkit.retrieval.*``) and ``gen_ai.retrieval.documents``.

    Scores are the backend's own: whether higher is better, and their scale, differ. Those that are not finite numbers
    are left out.
    """
    found: dict[str, AttributeValue] = {Otelkit.RESULT_COUNT: len(documents)}
    scores = [one.score for one in documents if one.score is not None and math.isfinite(one.score)]
    if scores:
        found[Otelkit.SCORE_MAX] = max(scores)
        found[Otelkit.SCORE_MIN] = min(scores)
        found[Otelkit.SCORE_MEAN] = math.fsum(scores) / len(scores)
        found[Otelkit.SCORES] = tuple(scores[:_MAX_SCORES])
    listed = [
        {key: value for key, value in one._asdict().items() if value is not None} for one in documents[:_MAX_DOCUMENTS]
    ]
    if any(listed):
        found[GenAI.RETRIEVAL_DOCUMENTS] = json.dumps([one for one in listed if one], ensure_ascii=False)
    return found
