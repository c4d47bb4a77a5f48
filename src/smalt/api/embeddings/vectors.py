"""Writes embeddings as JSON bytes, straight from the engine's buffer."""

import sys
from array import array
from base64 import b64encode
from collections.abc import Iterator
from typing import Literal

import orjson

from smalt.engines.protocols import Embeddings

FLOAT_BYTES = 4


def answer(vectors: Embeddings, *, model: str, encoding: Literal["float", "base64"]) -> bytes:
    """The whole answer; base64 is each row's little-endian bytes as they are."""
    written = _texts(vectors) if encoding == "base64" else _numbers(vectors)
    items = b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, vector) for index, vector in enumerate(written)
    )
    tokens = vectors.prompt_tokens
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        items,
        orjson.dumps(vectors.model or model),
        tokens,
        tokens,
    )


def _rows(vectors: Embeddings) -> Iterator[memoryview]:
    size = vectors.dimensions * FLOAT_BYTES
    buffer = memoryview(vectors.rows)
    return (buffer[start : start + size] for start in range(0, len(buffer), size))


def _texts(vectors: Embeddings) -> Iterator[bytes]:
    return (b'"%b"' % b64encode(row) for row in _rows(vectors))


def _numbers(vectors: Embeddings) -> Iterator[bytes]:
    for row in _rows(vectors):
        numbers = array("f", bytes(row))
        if sys.byteorder == "big":
            numbers.byteswap()
        yield orjson.dumps(numbers.tolist())
