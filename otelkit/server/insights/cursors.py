"""Cursors: where a list goes on, as an opaque text."""

from __future__ import annotations

import base64
import json

__all__ = ["decode_cursor", "encode_cursor"]


def encode_cursor(*place: int) -> str:
    """Return the text for the place after which the next page begins."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode_cursor(text: str, length: int) -> tuple[int, ...]:
    """Return the place; raise ValueError for what :func:`encode_cursor` did not make."""
    try:
        place = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as error:
        raise ValueError("not a cursor of this list") from error
    if (
        not isinstance(place, list)
        or len(place) != length
        or not all(type(part) is int and abs(part) < 2**63 for part in place)
    ):
        raise ValueError("not a cursor of this list")
    return tuple(place)
