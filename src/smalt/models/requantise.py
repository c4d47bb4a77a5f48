"""Rewrites the weights of a GGUF file as Q8_0, which llama.cpp reads faster than smaller kinds on a CPU."""

import struct
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from smalt.core.errors import MissingExtra
from smalt.models.progress import Watch

MOSTLY_Q8_0 = 7
"""What `general.file_type` says of a file whose matrices are Q8_0."""

BLOCK = 32
"""Numbers in a row come in blocks of this many, each with its own scale."""


def gguf_q8_0(source: Path, target: Path, watch: Watch) -> None:
    """Write `source` to `target` with every quantised matrix as Q8_0 and everything else byte for byte.

    The result depends on the source alone, so its digest can be pinned. One tensor is in memory at a time. Raises
    `MissingExtra` without numpy and gguf.
    """
    gguf = _gguf()
    reader = gguf.GGUFReader(source, "r")
    kinds = [_kind(gguf, tensor) for tensor in reader.tensors]
    watch.begin(f"rewrite {target.name} as Q8_0", len(kinds))
    with target.open("wb") as out:
        out.write(_head(source, reader))
        _write_index(out, reader, kinds)
        for done, (tensor, kind) in enumerate(zip(reader.tensors, kinds, strict=True), start=1):
            _pad(out, reader.alignment)
            out.write(_data(gguf, tensor, kind).tobytes())
            watch.reach(done)
        _pad(out, reader.alignment)


def _gguf() -> Any:
    try:
        return import_module("gguf")
    except ImportError as error:
        raise MissingExtra(error.name or "gguf", extra="local") from error


def _kind(gguf: Any, tensor: Any) -> Any:
    """The kind a tensor gets: Q8_0 if it is quantised some other way, else the kind it has."""
    kinds = gguf.GGMLQuantizationType
    is_plain = tensor.tensor_type in {kinds.F32, kinds.F16, kinds.BF16, kinds.Q8_0}
    return tensor.tensor_type if is_plain or int(tensor.shape[0]) % BLOCK else kinds.Q8_0


def _data(gguf: Any, tensor: Any, kind: Any) -> Any:
    if kind == tensor.tensor_type:
        return tensor.data
    return gguf.quants.quantize(gguf.quants.dequantize(tensor.data, tensor.tensor_type), kind)


def _head(source: Path, reader: Any) -> bytes:
    """The header and all metadata as they are, but for the word that says how the matrices are quantised."""
    with source.open("rb") as file:
        head = bytearray(file.read(reader.tensors[0].field.offset))
    file_type = reader.fields.get("general.file_type")
    if file_type is not None:
        offset = file_type.offset + sum(part.nbytes for part in file_type.parts[:-1])
        struct.pack_into("<I", head, offset, MOSTLY_Q8_0)
    return bytes(head)


def _write_index(out: BinaryIO, reader: Any, kinds: list[Any]) -> None:
    """Write each tensor's name, shape, kind and place, in the order of the source."""
    offset = 0
    for tensor, kind in zip(reader.tensors, kinds, strict=True):
        name = tensor.name.encode()
        shape = [int(size) for size in tensor.shape]
        out.write(struct.pack("<Q", len(name)) + name + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        out.write(struct.pack("<IQ", int(kind), offset))
        offset += _aligned(_bytes(tensor, kind), reader.alignment)


def _bytes(tensor: Any, kind: Any) -> int:
    if kind == tensor.tensor_type:
        return int(tensor.n_bytes)
    return int(tensor.n_elements) // BLOCK * (BLOCK + 2)


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _pad(out: BinaryIO, alignment: int) -> None:
    out.write(bytes(_aligned(out.tell(), alignment) - out.tell()))
