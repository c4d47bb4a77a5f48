"""The graph of an ONNX file, to be rewritten: the few messages of the format that this takes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

# Their classes are made at run time, here and in protobuf.
Node = Any
pb: Any = descriptor_pb2
pool: Any = descriptor_pool
factory: Any = message_factory

MICROSOFT: Final = "com.microsoft"
"""The domain of onnxruntime's own operators."""

DTYPES: Final = {1: np.float32, 3: np.int8, 7: np.int64}
"""The element types of tensors that are read or made here."""

_INT64, _FLOAT, _INT32, _STRING, _BYTES = 3, 2, 5, 9, 12
_REPEATED: Final = 3

# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; protobuf keeps the fields that are not named here.
_MESSAGES: Final[dict[str, dict[str, tuple[int, int | str, bool]]]] = {
    "Model": {"graph": (7, "Graph", False), "opset_import": (8, "Opset", True)},
    "Opset": {"domain": (1, _STRING, False), "version": (2, _INT64, False)},
    "Graph": {
        "node": (1, "Node", True),
        "initializer": (5, "Tensor", True),
        "input": (11, "Value", True),
        "output": (12, "Value", True),
    },
    "Value": {"name": (1, _STRING, False)},
    "Node": {
        "input": (1, _STRING, True),
        "output": (2, _STRING, True),
        "op_type": (4, _STRING, False),
        "attribute": (5, "Attribute", True),
        "domain": (7, _STRING, False),
    },
    "Attribute": {
        "name": (1, _STRING, False),
        "f": (2, _FLOAT, False),
        "i": (3, _INT64, False),
        "ints": (8, _INT64, True),
        "type": (20, _INT32, False),
    },
    "Tensor": {
        "dims": (1, _INT64, True),
        "data_type": (2, _INT32, False),
        "name": (8, _STRING, False),
        "raw_data": (9, _BYTES, False),
        "data_location": (14, _INT32, False),
    },
}


def _classes() -> dict[str, Any]:
    """The messages' classes, in a pool of their own: a process may have the package onnx too."""
    file = pb.FileDescriptorProto(name="graph.proto", package="graph", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, is_repeated) in fields.items():
            one = message.field.add(name=field, number=number, label=_REPEATED if is_repeated else 1)
            if isinstance(kind, str):
                one.type, one.type_name = 11, f".graph.{kind}"
            else:
                one.type = kind
    own = pool.DescriptorPool()
    own.Add(file)
    return {name: factory.GetMessageClass(own.FindMessageTypeByName(f"graph.{name}")) for name in _MESSAGES}


_CLASSES: Final = _classes()

Rule = Callable[["Graph", Node], Sequence[Node] | None]
"""The nodes that compute a node's output in another way; None where the rule does not fit."""


class Graph:
    """A model's nodes and constants, by the names of the values."""

    def __init__(self, content: bytes) -> None:
        self._model: Any = _CLASSES["Model"].FromString(content)
        self._graph: Any = self._model.graph
        self._constants: dict[str, Any] = {one.name: one for one in self._graph.initializer}
        self._producers: dict[str, Node] = {name: node for node in self._graph.node for name in node.output}

    @classmethod
    def read(cls, path: str) -> Self:
        """Read a file; raises ValueError where it is no ONNX model, or one with its weights in another file."""
        try:
            graph = cls(Path(path).read_bytes())
        except DecodeError as error:
            raise ValueError(f"{path} is no ONNX model: {error}") from error
        if any(one.data_location for one in graph._graph.initializer):
            raise ValueError(f"{path} has its weights in another file")
        return graph

    def version(self) -> int:
        """The version of the standard operators."""
        return next((one.version for one in self._model.opset_import if not one.domain), 1)

    def outputs_of(self, op_type: str) -> list[str]:
        """The first output of every node of an operator, in the order of the nodes."""
        return [node.output[0] for node in self._graph.node if node.op_type == op_type]

    def producer(self, name: str, op_type: str) -> Node | None:
        """The node with this output, if it is of this operator."""
        node = self._producers.get(name)
        return node if node is not None and node.op_type == op_type else None

    def constant(self, name: str) -> NDArray[Any] | None:
        """A constant's value, if the file has it in a type and form that is known here."""
        one = self._constants.get(name)
        if one is None or one.data_type not in DTYPES or (not one.raw_data and 0 not in one.dims):
            return None
        return np.frombuffer(one.raw_data, DTYPES[one.data_type]).reshape(tuple(one.dims))

    def scalar(self, name: str) -> float | None:
        """The value of a constant with one element."""
        value = self.constant(name)
        return float(value.reshape(())) if value is not None and value.size == 1 else None

    def add_constant(self, name: str, value: NDArray[Any]) -> str:
        """Keep a new constant, and give its name back."""
        kind = next(number for number, dtype in DTYPES.items() if np.dtype(dtype) == value.dtype)
        one = self._graph.initializer.add(name=name, data_type=kind, dims=value.shape, raw_data=value.tobytes())
        self._constants[name] = one
        return name

    def rewrite(self, rules: Iterable[Rule]) -> int:
        """Apply the first rule that fits to each node of the graph as it was; say how many were rewritten."""
        every, rewritten = tuple(rules), 0
        nodes: list[Node] = []
        for node in self._graph.node:
            new = next((found for rule in every if (found := rule(self, node)) is not None), None)
            rewritten += new is not None
            nodes += [node] if new is None else new
        self._keep(nodes)
        if rewritten and not any(one.domain == MICROSOFT for one in self._model.opset_import):
            self._model.opset_import.add(domain=MICROSOFT, version=1)
        return rewritten

    def add_outputs(self, names: Iterable[str]) -> None:
        """Give further values out, after those that the graph gives already."""
        known = {one.name for one in self._graph.output}
        for name in names:
            if name not in known:
                self._graph.output.add(name=name)

    def serialized(self) -> bytes:
        """The model as a file has it."""
        return self._model.SerializeToString()

    def _keep(self, nodes: Sequence[Node]) -> None:
        """Leave only what the outputs need."""
        needed: set[str] = {one.name for one in self._graph.output}
        kept: list[bytes] = []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                kept.append(node.SerializeToString())
                needed.update(node.input)
        del self._graph.node[:]
        for content in reversed(kept):
            self._graph.node.add().ParseFromString(content)
        # In place, for most of a file is constants.
        for place in reversed(range(len(self._graph.initializer))):
            if self._graph.initializer[place].name not in needed:
                del self._graph.initializer[place]


def new_node(
    op_type: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: float | list[int]
) -> Node:
    """A node with one output."""
    node = _CLASSES["Node"](op_type=op_type, input=inputs, output=[output], domain=domain)
    for name, value in attributes.items():
        if isinstance(value, float):
            node.attribute.add(name=name, type=1, f=value)
        elif isinstance(value, int):
            node.attribute.add(name=name, type=2, i=value)
        else:
            node.attribute.add(name=name, type=7, ints=value)
    return node


def integers(node: Node, attribute: str) -> list[int]:
    """A node's attribute that is a list of integers; empty where it has none."""
    return [number for one in node.attribute if one.name == attribute for number in one.ints]
