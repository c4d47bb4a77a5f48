"""Rewrites the weights of a GGUF file as Q8_0, which llama.cpp reads faster than smaller kinds on a CPU."""

import struct
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from smalt.core.errors import MissingExtra
from smalt.models.gguf_layout import Layout, TensorPlace, aligned, read_layout
from smalt.models.progress import Watch

MOSTLY_Q8_0 = 7
"""What `general.file_type` says of a file whose matrices are Q8_0."""

F32, F16, Q8_0, BF16 = 0, 1, 8, 30
BLOCK = 32
"""Numbers in a row come in blocks of this many, each with its own scale."""


def gguf_q8_0(source: Path, target: Path, watch: Watch) -> None:
    """Write `source` to `target` with every quantised matrix as Q8_0 and everything else byte for byte.

    The result depends on the source alone, so its digest can be pinned. One tensor is in memory at a time. Raises
    `MissingExtra` without numpy and gguf, `GgufError` for another kind of file.
    """
    gguf = _gguf()
    layout = read_layout(source)
    watch.begin(f"rewrite {target.name} as Q8_0", len(layout.tensors))
    with source.open("rb") as given, target.open("wb") as out:
        out.write(_head(given, layout))
        _write_index(gguf, out, layout)
        for done, tensor in enumerate(layout.tensors, start=1):
            _pad(out, layout.alignment)
            out.write(_data(gguf, given, tensor))
            watch.reach(done)
        _pad(out, layout.alignment)


def _gguf() -> Any:
    try:
        return import_module("gguf")
    except ImportError as error:
        raise MissingExtra(error.name or "gguf", extra="local") from error


def _head(given: BinaryIO, layout: Layout) -> bytes:
    """The header and all metadata as they are, but for the word that says how the matrices are quantised."""
    head = bytearray(given.read(layout.head_bytes))
    if layout.file_type_offset is not None:
        struct.pack_into("<I", head, layout.file_type_offset, MOSTLY_Q8_0)
    return bytes(head)


def _write_index(gguf: Any, out: BinaryIO, layout: Layout) -> None:
    """Write each tensor's name, shape, kind and place, in the order of the source."""
    offset = 0
    for tensor in layout.tensors:
        kind = _kind(tensor)
        out.write(struct.pack("<Q", len(tensor.name)) + tensor.name)
        out.write(struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape))
        out.write(struct.pack("<IQ", kind, offset))
        offset += aligned(_bytes(gguf, tensor, kind), layout.alignment)


def _kind(tensor: TensorPlace) -> int:
    """The kind a tensor gets: Q8_0 if it is quantised some other way, else the kind it has."""
    is_plain = tensor.kind in {F32, F16, BF16, Q8_0} or tensor.shape[0] % BLOCK != 0
    return tensor.kind if is_plain else Q8_0


def _data(gguf: Any, given: BinaryIO, tensor: TensorPlace) -> bytes:
    given.seek(tensor.offset)
    data = given.read(_bytes(gguf, tensor, tensor.kind))
    if _kind(tensor) == tensor.kind:
        return data
    numpy, kinds = import_module("numpy"), gguf.GGMLQuantizationType
    rows = numpy.frombuffer(data, numpy.uint8).reshape(tensor.elements // tensor.shape[0], -1)
    return gguf.quants.quantize(gguf.quants.dequantize(rows, kinds(tensor.kind)), kinds.Q8_0).tobytes()


def _bytes(gguf: Any, tensor: TensorPlace, kind: int) -> int:
    numbers, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    return tensor.elements // numbers * size


def _pad(out: BinaryIO, alignment: int) -> None:
    out.write(bytes(aligned(out.tell(), alignment) - out.tell()))
