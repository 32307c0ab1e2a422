"""Answers as JSON, errors included."""

from __future__ import annotations

import base64
import json
import math
from typing import Any, TypeVar

from starlette.responses import Response

__all__ = ["Json", "NotFoundError", "error_response", "found", "json_response"]

Json = dict[str, Any]
T = TypeVar("T")


class NotFoundError(Exception):
    """Nothing of this id."""


def found(answer: T | None, what: str) -> T:
    """Return the answer; raise :class:`NotFoundError` where there is none."""
    if answer is None:
        raise NotFoundError(f"there is no such {what}")
    return answer


def error_response(message: str, status: int) -> Response:
    """Return an error that no parameter is to blame for."""
    return json_response({"error": {"parameter": None, "message": message, "allowed": None}}, status)


def json_response(content: Json, status: int = 200) -> Response:
    """Return JSON that every parser accepts: numbers that JSON lacks become texts."""
    try:
        text = _encode(content)
    except ValueError:
        text = _encode(_finite(content))
    headers = {"Cache-Control": "no-store"}
    return Response(text.encode("utf-8", "replace"), status, headers, media_type="application/json")


def _binary(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} is not JSON")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_binary).encode


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
