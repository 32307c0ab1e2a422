"""Compressed blocks for whatever is only read when one trace or log line is opened.

A block holds the details of up to :data:`BLOCK` neighbours as one list in MessagePack (JSON, in files of the first
version), because neighbours repeat each other. Once enough blocks have been seen a zstd dictionary is trained from them
and kept in the table ``dictionary``; older blocks stay readable by their ``dict_id``, 0 meaning none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import zstandard
from sqlalchemy import Connection, func, select

from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of

__all__ = ["BLOCK", "PayloadReader", "PayloadWriter"]

BLOCK: Final = 64
_LEVEL: Final = 3
_SAMPLES: Final = 600
_SAMPLE_BYTES: Final = 16_384
_DICTIONARY_BYTES: Final = 65_536
_DEEPEST: Final = 64


def _plain(value: object) -> object:
    """Return a value that MessagePack has no form for as one that it has."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) else str(value)


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decode = msgspec.msgpack.decode


def _packed(details: Sequence[object]) -> bytes:
    try:
        return _encode(details)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return _encode(_tame(details))


def _tame(value: object, depth: int = 0) -> object:
    """Return a copy without what cannot be written: lone surrogates, numbers beyond 64 bits, nesting without end."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if value is None or isinstance(value, float | bytes):
        return value
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {str(_tame(key)): _tame(item, depth + 1) for key, item in value.items()}
    return [_tame(item, depth + 1) for item in value] if isinstance(value, Sequence) else str(value)


def _bare(value: object) -> object:
    """Return a value's shape: the dictionary stays when records have gone, and must hold nothing that they said."""
    kind = type(value)
    if kind is str or kind is bytes:
        return ""
    if kind is dict or isinstance(value, Mapping):
        return {key: _bare(item) for key, item in value.items()}  # type: ignore[attr-defined]
    if kind is list or kind is tuple:
        return [_bare(item) for item in value]  # type: ignore[attr-defined]
    return value if kind is bool else None


class PayloadWriter:
    """Packs blocks inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection) -> None:
        self._insert = dialect_of(connection).insert(schema.payload)
        self._next = (connection.execute(select(func.max(schema.payload.c.id))).scalar() or 0) + 1
        self._rows: list[tuple[int, int, bytes]] = []
        self._samples: list[bytes | bytearray | memoryview] = []
        newest = connection.execute(
            select(schema.dictionary.c.id, schema.dictionary.c.data).order_by(schema.dictionary.c.id.desc()).limit(1)
        ).first()
        self._dict_id = 0
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        if newest is not None:
            self._use(newest.id, newest.data)

    def add(self, details: Sequence[object]) -> int:
        """Pack one block and return its id; it is written by :meth:`flush`."""
        raw = _packed(details)
        if not self._dict_id and len(raw) >= 256:
            # A quarter of its neighbours says as much about them as all of them.
            self._samples.append(_packed([_bare(item) for item in details[::4]])[:_SAMPLE_BYTES])
        number = self._next
        self._next += 1
        self._rows.append((number, self._dict_id, self._compressor.compress(raw)))
        return number

    def flush(self, connection: Connection) -> None:
        """Write the blocks, and train the dictionary when there is enough to learn from."""
        self._insert(connection, self._rows)
        self._rows = []
        if not self._dict_id and len(self._samples) >= _SAMPLES:
            self._train(connection)

    def _train(self, connection: Connection) -> None:
        samples, self._samples = self._samples, []
        try:
            data = zstandard.train_dictionary(_DICTIONARY_BYTES, samples, level=_LEVEL).as_bytes()
        except zstandard.ZstdError:  # too alike or too few: plain zstd does, and later samples may do better
            return
        number = zstandard.ZstdCompressionDict(data).dict_id()  # of its own, so that no other is taken for it
        connection.execute(schema.dictionary.insert().values(id=number, data=data))
        self._use(number, data)

    def _use(self, number: int, data: bytes) -> None:
        self._dict_id = number
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=zstandard.ZstdCompressionDict(data))


class PayloadReader:
    """Unpacks blocks; from any thread."""

    def __init__(self) -> None:
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self._lock = threading.Lock()

    def read(self, connection: Connection, numbers: set[int]) -> dict[int, list[Any]]:
        """Return the blocks with these ids; missing ones are left out."""
        blocks: dict[int, list[Any]] = {}
        wanted = sorted(numbers)
        for at in range(0, len(wanted), 1000):
            table = schema.payload.c
            query = select(table.id, table.dict_id, table.zstd).where(table.id.in_(wanted[at : at + 1000]))
            for number, dict_id, data in connection.execute(query):
                raw = self._decompressor(connection, dict_id).decompress(data)
                blocks[number] = json.loads(raw) if raw[:1] == b"[" else _decode(raw)
        return blocks

    def _decompressor(self, connection: Connection, dict_id: int) -> zstandard.ZstdDecompressor:
        if not dict_id:
            return zstandard.ZstdDecompressor()
        with self._lock:
            known = self._dictionaries.get(dict_id)
            if known is None:
                query = select(schema.dictionary.c.data).where(schema.dictionary.c.id == dict_id)
                known = zstandard.ZstdCompressionDict(connection.execute(query).scalar_one())
                self._dictionaries[dict_id] = known
        return zstandard.ZstdDecompressor(dict_data=known)
