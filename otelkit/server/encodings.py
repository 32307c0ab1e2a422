"""Request bodies as they were before they were compressed, and never larger than is allowed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import zstandard

from otelkit.errors import DecodeError, OtelkitError

__all__ = ["ENCODINGS", "TooLargeError", "decompress"]

_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15
_SLICE: Final = 256  # bytes that can say no more than 8 MiB
_WINDOW: Final = 8 * 1024 * 1024  # what RFC 8878 asks every decoder to support, and what encoders keep to


class TooLargeError(OtelkitError):
    """A body is larger than the server reads, compressed or not."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the plain body; ``encoding`` is one of :data:`ENCODINGS`, ``limit`` is in bytes.

    Raises:
        DecodeError: the body is not what ``encoding`` says, or ends too early.
        TooLargeError: it is larger than ``limit``; no more than that is unpacked.
    """
    return _READERS[encoding](body, limit)


def _identity(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes")
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, _GZIP, "gzip")


def _deflate(body: bytes, limit: int) -> bytes:
    # HTTP's deflate is zlib's format; some clients leave its header out.
    headed = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _inflate(body, limit, _ZLIB if headed else _BARE, "deflate")


def _inflate(body: bytes, limit: int, wbits: int, name: str) -> bytes:
    out, rest = bytearray(), body
    try:
        while rest:  # gzip allows several members one after the other
            stream = zlib.decompressobj(wbits=wbits)
            out += stream.decompress(rest, limit + 1 - len(out))
            if len(out) > limit:
                raise _too_large(limit)
            if not stream.eof:
                raise DecodeError(f"the {name} body ends too early")
            rest = stream.unused_data
    except zlib.error as error:
        raise DecodeError(f"the body is not {name}: {error}") from error
    return bytes(out)


def _zstd(body: bytes, limit: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    stream, out = reader.decompressobj(), bytearray()
    try:
        for at in range(0, len(body), _SLICE):
            rest = body[at : at + _SLICE]
            while rest:
                if stream.eof:  # several frames one after the other are allowed, too
                    stream = reader.decompressobj()
                out += stream.decompress(rest)
                rest = stream.unused_data
                if len(out) > limit:
                    raise _too_large(limit)
    except zstandard.ZstdError as error:
        raise DecodeError(f"the body is not zstd: {error}") from error
    if body and not stream.eof:
        raise DecodeError("the zstd body ends too early")
    return bytes(out)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {limit} bytes when decompressed")


_READERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "identity": _identity,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
ENCODINGS: Final = tuple(_READERS)
