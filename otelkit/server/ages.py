"""How old records may be: what retention has deleted, or would at once, must not be counted a second time."""

from __future__ import annotations

from typing import Any

from otelkit.mapping.otlp import Decoded

__all__ = ["without_old"]


def without_old(signal: str, decoded: Decoded[Any], floor: int) -> Decoded[Any]:
    """Return the records that ended at ``floor`` (nanoseconds; 0 is no limit) or later; the others are rejected."""
    if not floor:
        return decoded
    fresh = [record for record in decoded.records if _when(signal, record, floor) >= floor]
    old = len(decoded.records) - len(fresh)
    return Decoded(fresh, decoded.rejected | {"too_old": old}) if old else decoded


def _when(signal: str, record: Any, missing: int) -> int:
    """Return a record's time in nanoseconds, ``missing`` where it has none."""
    if signal == "spans":
        return int(record.end)
    return int(record.time or (record.observed if signal == "logs" else 0) or missing)
