"""Cursors: where a list goes on, as an opaque text."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

__all__ = ["decode_cursor", "encode_cursor"]


def encode_cursor(*place: float | str) -> str:
    """Return the text for the place after which the next page begins."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode_cursor(text: str, *types: type) -> tuple[Any, ...]:
    """Return the place, whose parts have these types; raise ValueError for what :func:`encode_cursor` did not make."""
    try:
        place = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as error:
        raise ValueError("not a cursor of this list") from error
    fits = isinstance(place, list) and len(place) == len(types) and all(map(_fits, place, types))
    if not fits:
        raise ValueError("not a cursor of this list")
    return tuple(place)


def _fits(part: object, wanted: type) -> bool:
    if type(part) is int:
        return wanted in (int, float) and abs(part) < 2**63
    if type(part) is float:
        return wanted is float and math.isfinite(part)
    return type(part) is str and wanted is str and len(part) <= 1000
