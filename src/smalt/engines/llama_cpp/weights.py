"""Reads from a GGUF file's header what must be known before a worker is started: sizes, not tensors."""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from smalt.core.errors import EngineFailed

MAGIC = b"GGUF"
NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
CACHE_ELEMENT_BYTES = 2

WHOLE_EVERY = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4}
"""In these architectures one layer of so many sees the whole context, the others only a window."""


@dataclass(frozen=True)
class Header:
    """The shape of a model, as far as it decides how much memory it needs."""

    architecture: str
    context_length: int
    cache_bytes_per_token: int
    window_bytes: int
    """What one request takes in layers that see only a window of the context."""
    vocabulary: int


def read_header(path: Path) -> Header:
    """Read the header of the GGUF file at `path`; raises `EngineFailed` when it is not one."""
    try:
        described = path.stat()
        return _read(path, described.st_size, described.st_mtime_ns)
    except (OSError, ValueError, struct.error, KeyError, IndexError) as error:
        raise EngineFailed(
            f"The file {path} cannot be read as a GGUF model ({error}). Pull or copy it again."
        ) from None


@lru_cache(maxsize=64)
def _read(path: Path, size: int, changed_at: int) -> Header:
    """Read once for each state of a file; `size` and `changed_at` are there to tell states apart."""
    del size, changed_at
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _header(_Reader(data).values())


def _header(values: Mapping[str, Any]) -> Header:
    architecture = str(values["general.architecture"])

    def value(name: str, otherwise: Any = None) -> Any:
        found = values.get(f"{architecture}.{name}", otherwise)
        if found is None:
            raise ValueError(f"it does not say its {architecture}.{name}")
        return found

    layers = int(value("block_count"))
    heads = _numbers(value("attention.head_count"))
    width = int(value("embedding_length")) // max(1, *heads)
    per_head = int(value("attention.key_length", width)) + int(value("attention.value_length", width))
    key_value_heads = _numbers(value("attention.head_count_kv", heads))
    if len(key_value_heads) == 1:
        key_value_heads *= layers
    bytes_per_token = sum(key_value_heads) * per_head * CACHE_ELEMENT_BYTES
    window = int(_numbers(value("attention.sliding_window", 0))[0])
    # Whole layers are spread evenly, so they take their even share.
    whole_bytes = bytes_per_token // (WHOLE_EVERY.get(architecture, 1) if window else 1)
    return Header(
        architecture=architecture,
        context_length=int(value("context_length")),
        cache_bytes_per_token=max(1, whole_bytes),
        window_bytes=(bytes_per_token - whole_bytes) * window,
        vocabulary=int(values.get("tokenizer.ggml.tokens", values.get(f"{architecture}.vocab_size", 0))),
    )


def _numbers(value: Any) -> tuple[int, ...]:
    """One number for the whole model, or one for each layer."""
    return cast("tuple[int, ...]", value) if isinstance(value, tuple) else (int(value),)


class _Reader:
    """Walks over the key-value part of a GGUF file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def values(self) -> dict[str, Any]:
        """Every value up to the vocabulary, of which only the length is kept."""
        if self._data[:4] != MAGIC:
            raise ValueError("it does not begin with GGUF")
        self._at = 8
        _tensors, count = self._number("<Q"), self._number("<Q")
        values: dict[str, Any] = {}
        for _ in range(count):
            key = self._string()
            kind = self._number("<I")
            if key == "tokenizer.ggml.tokens":
                self._number("<I")
                values[key] = self._number("<Q")
                break
            values[key] = self._value(kind)
        return values

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            return self._number(NUMBERS[kind])
        element, length = self._number("<I"), self._number("<Q")
        return tuple(self._value(element) for _ in range(length))

    def _string(self) -> str:
        length = self._number("<Q")
        if length > len(self._data) - self._at:
            raise ValueError("a text in it is longer than the file")
        text = self._data[self._at : self._at + length].decode("utf-8", "replace")
        self._at += length
        return text

    def _number(self, form: str) -> Any:
        number = struct.unpack_from(form, self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return number
