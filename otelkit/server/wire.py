"""How much a request would become, looked at before it is parsed.

Two bytes on the wire are a record of a hundred in memory, so a body that is small enough may hold far too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otelkit.server.encodings import TooLargeError

__all__ = ["check_size"]

_MOST: Final = 200_000  # records, or parts of one
_LARGE: Final = 64 * 1024  # bytes from which a record's own parts are counted
_LENGTH_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
# In all three requests: resources in field 1, scopes in field 2 of those, records in field 2 of these.
_RESOURCES: Final = 1
_INNER: Final = 2


def check_size(body: bytes, *, json: bool) -> None:
    """Raise TooLargeError for a request of more records, or a record of more parts, than is read at once.

    What is malformed is left to the parser, which says so.
    """
    if json:
        if body.count(b"{") > _MOST * 5:
            raise _too_many()
        return
    count = 0
    for resource in _fields(body, 0, len(body), _RESOURCES):
        for scope in _fields(body, *resource, _INNER):
            for start, end in _fields(body, *scope, _INNER):
                count += 1
                if end - start > _LARGE:
                    count += sum(1 for _ in _fields(body, start, end, None))
                if count > _MOST:
                    raise _too_many()


def _too_many() -> TooLargeError:
    return TooLargeError(f"the request holds more than {_MOST} records: send smaller batches")


def _fields(body: bytes, at: int, end: int, wanted: int | None) -> Iterator[tuple[int, int]]:
    """Yield where the length-delimited fields with a number begin and end; None is every number."""
    while at < end:
        tag, at = _varint(body, at, end)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(body, at, end)
            if wanted is None or tag >> 3 == wanted:
                yield at, min(at + length, end)
            at += length
        elif kind == 0:
            _, at = _varint(body, at, end)
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            return


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, end
