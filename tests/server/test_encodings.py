"""Compressed bodies: what is read, what is refused, and that nothing is unpacked beyond the limit."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from otelkit.errors import DecodeError
from otelkit.server.encodings import ENCODINGS, TooLargeError, decompress


def _streamed(data: bytes) -> bytes:
    """As a client writes that does not know the size before, such as the Collector."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


def _bare_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


WRITERS = {
    "identity": (bytes,),
    "gzip": (gzip.compress, lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    "deflate": (zlib.compress, _bare_deflate),
    "zstd": (zstandard.ZstdCompressor().compress, _streamed),
}
CASES = [(encoding, write) for encoding, writers in WRITERS.items() for write in writers]


@pytest.mark.parametrize(("encoding", "write"), CASES)
def test_what_was_written_is_read(encoding: str, write) -> None:  # type: ignore[no-untyped-def]
    data = b"telemetry " * 500
    assert decompress(write(data), encoding, len(data)) == data
    with pytest.raises(TooLargeError):
        decompress(write(data), encoding, len(data) - 1)


@pytest.mark.parametrize(("encoding", "write"), [case for case in CASES if case[0] != "identity"])
def test_a_body_that_ends_too_early_or_goes_on_is_refused(encoding: str, write) -> None:  # type: ignore[no-untyped-def]
    body = write(b"telemetry " * 500)
    for cut in (len(body) - 1, len(body) // 2):
        with pytest.raises(DecodeError):
            decompress(body[:cut], encoding, 10_000)
    with pytest.raises(DecodeError):
        decompress(body + b"more", encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_bombs_are_not_unpacked(encoding: str) -> None:
    for write in WRITERS[encoding]:
        with pytest.raises(TooLargeError):
            decompress(write(bytes(50_000_000)), encoding, 1_000_000)


@given(st.binary(max_size=400))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    for encoding in ENCODINGS:
        try:
            assert len(decompress(noise, encoding, 1000)) <= 1000
        except (DecodeError, TooLargeError):
            continue
