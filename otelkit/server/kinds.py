"""What a span does: the few kinds that the page colours, worked out once at ingest."""

from __future__ import annotations

from typing import Final

__all__ = ["KINDS", "KIND_BITS", "KIND_LABELS"]

KIND_LABELS: Final = {
    "llm": "LLM",
    "retrieval": "Retrieval",
    "tool": "Tools",
    "db": "Database",
    "job": "Jobs",
    "app": "App",
}
KINDS: Final = tuple(KIND_LABELS)
KIND_BITS: Final = {kind: 1 << place for place, kind in enumerate(KINDS)}
