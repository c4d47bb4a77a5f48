"""A BERT of one layer with random int8 weights, as an ONNX file of PyTorch's exporter keeps one."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalt.engines.moderation_worker.onnx_graph import new_node

VOCABULARY, WIDTH, HEADS, SIZE, INNER = 60, 32, 4, 8, 64
GRAPH, OPSETS, NODES, CONSTANTS, INPUTS, OUTPUTS = 7, 8, 1, 5, 11, 12
FLOAT, INT8, INT64, BOOL = 1, 3, 7, 9


class OnnxFile:
    """An ONNX file that is put together node by node; a value's name comes back from whatever makes it."""

    def __init__(self, version: int = 17) -> None:
        self.version = version
        self._random = np.random.default_rng(7)
        self._parts: list[bytes] = []
        self._count = 0

    def content(self) -> bytes:
        """The file."""
        return field(GRAPH, b"".join(self._parts)) + field(OPSETS, varint(2, self.version)) + varint(1, 8)

    def edges(self, *edges: tuple[int, str, int, int]) -> None:
        """Inputs and outputs: which of the two, the name, the type and the number of axes."""
        self._parts += [field(side, value(name, kind, axes)) for side, name, kind, axes in edges]

    def int8(self, rows_count: int, columns: int, *, rows: bool = False) -> str:
        """Random weights as int8 and scales, turned into floats."""
        values = self._random.integers(-127, 128, (rows_count, columns)).astype(np.int8)
        shape = (rows_count, 1) if rows else (1, columns)
        scales = (self._random.uniform(0.5, 1.5, shape) / 127 / rows_count**0.5 * 2).astype(np.float32)
        floats = self.node("Cast", [self.constant(values)], to=FLOAT)
        return self.node("Mul", [floats, self.constant(scales)])

    def constant(self, array: NDArray[Any]) -> str:
        """A constant of the file."""
        kinds = {np.dtype(np.float32): FLOAT, np.dtype(np.int8): INT8, np.dtype(np.int64): INT64, np.dtype(bool): BOOL}
        name = self._name()
        dims = b"".join(varint(1, size) for size in array.shape)
        kind = varint(2, kinds[array.dtype])
        self._parts.append(field(CONSTANTS, dims + kind + field(8, name.encode()) + field(9, array.tobytes())))
        return name

    def node(self, op_type: str, inputs: Iterable[str], output: str = "", **attributes: int | list[int]) -> str:
        """A node with one output."""
        name = output or self._name()
        self._parts.append(field(NODES, new_node(op_type, list(inputs), name, **attributes).SerializeToString()))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


class TinyEncoder(OnnxFile):
    """Takes `input_ids`, (1, tokens), and gives `rows`, (1, tokens, width)."""

    def __init__(self, *, version: int = 17, erf_root: float = 2**0.5, keys: Sequence[int] = (0, 2, 1)) -> None:
        super().__init__(version)
        self._erf_root, self._keys = erf_root, list(keys)
        self._build()
        self.edges((INPUTS, "input_ids", INT64, 2), (OUTPUTS, "rows", FLOAT, 3))

    def _build(self) -> None:
        ids = self.node("Gather", [self.int8(VOCABULARY, WIDTH, rows=True), "input_ids"])
        first = self._normalised(ids)
        attended = self._linear(self._attention(first), WIDTH, WIDTH)
        second = self._normalised(self.node("Add", [attended, first]))
        inner = self._linear(self._gelu(self._linear(second, WIDTH, INNER)), INNER, WIDTH)
        self._normalised(self.node("Add", [inner, second]), "rows")

    def _attention(self, rows: str) -> str:
        shape = self.node("Shape", [rows])
        ends = [self.constant(np.array([number], np.int64)) for number in (0, 2)]
        both = self.node("Slice", [shape, *ends])
        split = self.node("Concat", [both, *(self.constant(np.array([n], np.int64)) for n in (-1, SIZE))], axis=0)
        made = [self._linear(rows, WIDTH, WIDTH) for _ in range(3)]
        queries, keys, values = (
            self.node("Transpose", [self.node("Reshape", [one, split])], perm=[0, 2, 1, 3]) for one in made
        )
        root = self.constant(np.array(SIZE**-0.25, np.float32))
        scores = [self.node("Mul", [queries, root]), self.node("Mul", [self._transposed(keys), root])]
        weights = self._softmax(self.node("MatMul", scores))
        heads = self.node("Transpose", [self.node("MatMul", [weights, values])], perm=[0, 2, 1, 3])
        joined = self.node("Concat", [both, self.constant(np.array([-1], np.int64))], axis=0)
        return self.node("Reshape", [heads, joined])

    def _transposed(self, keys: str) -> str:
        by_head = self.constant(np.array([HEADS, -1, SIZE], np.int64))
        turned = self.node("Transpose", [self.node("Reshape", [keys, by_head])], perm=self._keys)
        return self.node("Reshape", [turned, self.constant(np.array([1, HEADS, SIZE, -1], np.int64))])

    def _softmax(self, scores: str) -> str:
        zero = self.constant(np.array(0, np.float32))
        lowest = self.constant(np.array(-3e38, np.float32))
        mask = self.node("Where", [self.constant(np.array([True])), zero, lowest])
        shares = self.node("Softmax", [self.node("Add", [scores, mask])], axis=-1)
        return self.node("Where", [self.node("IsNaN", [shares]), zero, shares])

    def _gelu(self, rows: str) -> str:
        root, one, half = (self.constant(np.array(number, np.float32)) for number in (self._erf_root, 1, 0.5))
        erf = self.node("Erf", [self.node("Div", [rows, root])])
        return self.node("Mul", [rows, self.node("Mul", [half, self.node("Add", [erf, one])])])

    def _linear(self, rows: str, inputs: int, outputs: int) -> str:
        bias = self.constant(self._random.normal(0, 0.1, outputs).astype(np.float32))
        return self.node("Add", [self.node("MatMul", [rows, self.int8(inputs, outputs)]), bias])

    def _normalised(self, rows: str, output: str = "") -> str:
        ones, zeros = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.node("LayerNormalization", [rows, ones, zeros], output, axis=-1)


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf with text, bytes or a message."""
    return number_bytes(number << 3 | 2) + number_bytes(len(content)) + content


def varint(number: int, value: int) -> bytes:
    """A field of protobuf with an integer."""
    return number_bytes(number << 3) + number_bytes(value)


def number_bytes(value: int) -> bytes:
    """An integer in groups of seven bits, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def value(name: str, kind: int, axes: int) -> bytes:
    """An input or output whose sizes are open."""
    shape = b"".join(field(1, field(2, f"{name}{axis}".encode())) for axis in range(axes))
    return field(1, name.encode()) + field(2, field(1, varint(1, kind) + field(2, shape)))
