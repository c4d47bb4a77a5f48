"""Rules that make an encoder with int8 weights compute in int8, for one text at a time without padding.

A file that keeps its weights as int8 with a scale for each column turns them into floats before each use; four times
the bytes have to come from memory then, and the processor's instructions for int8 lie idle.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from smalt.engines.moderation_worker.onnx_graph import MICROSOFT, Graph, Node, Rule, integers, new_node

HEADS_FIRST: Final = [0, 2, 1, 3]
"""From (batch, tokens, heads, size) to (batch, heads, tokens, size), and back."""

LEAST_PEAK: Final = np.float32(1e-6)
"""What a row of zeros is divided by."""

REDUCE_AXES_INPUT: Final = 18
"""From this version on, ReduceMax takes its axes as an input."""

Weights = tuple[str, NDArray[Any], NDArray[Any]]
"""The name of an int8 constant, its values and its scales."""


def embedding_rows(graph: Graph, node: Node) -> list[Node] | None:
    """Gather the rows of an int8 table, and make floats of those alone."""
    found = _weights(graph, node.input[0]) if node.op_type == "Gather" else None
    if found is None or found[1].ndim != 2 or found[2].shape != (len(found[1]), 1) or _axis(node):  # noqa: PLR2004 a table
        return None
    name, _, scales = found
    ids, output = node.input[1], node.output[0]
    kept = graph.add_constant(f"{output}/scales", scales.astype(np.float32))
    return [
        new_node("Gather", [name, ids], f"{output}/rows"),
        new_node("Gather", [kept, ids], f"{output}/row_scales"),
        new_node("Cast", [f"{output}/rows"], f"{output}/floats", to=1),
        new_node("Mul", [f"{output}/floats", f"{output}/row_scales"], output),
    ]


def linear(graph: Graph, node: Node) -> list[Node] | None:
    """Multiply with int8 weights as they are; what is multiplied is quantised when it is known."""
    product = graph.producer(node.output[0], "MatMul")
    found = _weights(graph, product.input[1]) if product is not None else None
    if product is None or found is None or found[1].ndim != 2 or found[2].size != found[1].shape[1]:  # noqa: PLR2004
        return None
    name, values, scales = found
    output = node.output[0]
    kept = graph.add_constant(f"{output}/scales", scales.astype(np.float32).reshape(-1))
    if values.shape[0] == values.shape[1]:
        return [_integer_product(product.input[0], name, kept, output)]
    # In the feed-forward network a few tokens are much larger than all others, and would cost them their precision:
    # there every row is quantised as parts of its own peak.
    peaks, parts = f"{output}/peaks", f"{output}/parts"
    return [
        *_row_peaks(graph, product.input[0], peaks),
        new_node("Div", [product.input[0], peaks], parts),
        _integer_product(parts, name, kept, f"{output}/product"),
        new_node("Mul", [f"{output}/product", peaks], output),
    ]


def gelu(graph: Graph, node: Node) -> list[Node] | None:
    """One operator for x * (0.5 * (1 + erf(x / sqrt(2))))."""
    if node.op_type != "Mul":
        return None
    for value, gate in (node.input, reversed(node.input)):
        half, half_gate = _scaled(graph, gate, "Mul")
        one, erf = _scaled(graph, half_gate, "Add")
        root, inner = _scaled(graph, _before(graph, erf, "Erf"), "Div")
        if inner == value and np.allclose((half, one, root), (0.5, 1, np.sqrt(2)), atol=1e-5):
            return [new_node("Gelu", [value], node.output[0], MICROSOFT)]
    return None


def attention(graph: Graph, node: Node) -> list[Node] | None:
    """One operator from the queries, keys and values to what they attend to; the mask, which hides nothing, goes."""
    heads = graph.producer(_before(graph, node.output[0], "Reshape"), "Transpose")
    product = graph.producer(heads.input[0], "MatMul") if heads is not None else None
    if heads is None or product is None or integers(heads, "perm") != HEADS_FIRST:
        return None
    scores = graph.producer(_masked(graph, product.input[0]), "MatMul")
    if scores is None:
        return None
    query_scale, queries = _scaled(graph, scores.input[0], "Mul")
    key_scale, keys = _scaled(graph, scores.input[1], "Mul")
    sources = (_split(graph, queries), _split(graph, _untransposed(graph, keys)), _split(graph, product.input[1]))
    width, size = _width(graph, sources[0][0]), sources[0][1]
    if not all(name for name, _ in sources) or not size or not width or width % size:
        return None
    names = [name for name, _ in sources]
    count, scale = width // size, query_scale * key_scale
    return [new_node("MultiHeadAttention", names, node.output[0], MICROSOFT, num_heads=count, scale=scale)]


RULES: Final[tuple[Rule, ...]] = (embedding_rows, linear, gelu, attention)


def _weights(graph: Graph, name: str) -> Weights | None:
    """What is behind floats that are made of an int8 constant and its scales."""
    product = graph.producer(name, "Mul")
    cast = graph.producer(product.input[0], "Cast") if product is not None else None
    if product is None or cast is None:
        return None
    values, scales = graph.constant(cast.input[0]), graph.constant(product.input[1])
    if values is None or scales is None or values.dtype != np.int8:
        return None
    return cast.input[0], values, scales


def _axis(node: Node) -> int:
    return next((one.i for one in node.attribute if one.name == "axis"), 0)


def _integer_product(rows: str, weights: str, scales: str, output: str) -> Node:
    return new_node("DynamicQuantizeMatMul", [rows, weights, scales], output, MICROSOFT)


def _row_peaks(graph: Graph, rows: str, output: str) -> list[Node]:
    """The largest absolute value of every row, in a column."""
    least = graph.add_constant(f"{output}/least", np.full(1, LEAST_PEAK))
    sizes, highest = f"{output}/sizes", f"{output}/highest"
    if graph.version() < REDUCE_AXES_INPUT:
        reduced = new_node("ReduceMax", [sizes], highest, keepdims=1, axes=[-1])
    else:
        axes = graph.add_constant(f"{output}/axes", np.full(1, -1, np.int64))
        reduced = new_node("ReduceMax", [sizes, axes], highest, keepdims=1)
    return [new_node("Abs", [rows], sizes), reduced, new_node("Max", [highest, least], output)]


def _before(graph: Graph, name: str, op_type: str) -> str:
    """What a value was made of by this operator; empty where it was not."""
    node = graph.producer(name, op_type)
    return node.input[0] if node is not None else ""


def _scaled(graph: Graph, name: str, op_type: str) -> tuple[float, str]:
    """The constant and the other operand of an operator with two; (0, "") where there is none."""
    node = graph.producer(name, op_type)
    if node is None:
        return 0.0, ""
    places = (1,) if op_type == "Div" else (0, 1)
    found = ((graph.scalar(node.input[place]), node.input[1 - place]) for place in places)
    return next(((value, other) for value, other in found if value is not None), (0.0, ""))


def _masked(graph: Graph, name: str) -> str:
    """The scores behind softmax(scores + mask), where a row without a number becomes zeros."""
    where = graph.producer(name, "Where")
    softmax = graph.producer(where.input[2], "Softmax") if where is not None else None
    if where is None or softmax is None or _before(graph, where.input[0], "IsNaN") != where.input[2]:
        return ""
    added = graph.producer(softmax.input[0], "Add")
    mask = graph.producer(added.input[1], "Where") if added is not None else None
    return added.input[0] if added is not None and mask is not None and graph.scalar(mask.input[1]) == 0 else ""


def _untransposed(graph: Graph, name: str) -> str:
    """The keys before (batch, heads, tokens, size) became (batch, heads, size, tokens)."""
    node = graph.producer(_before(graph, name, "Reshape"), "Transpose")
    if node is None or integers(node, "perm") != [0, 2, 1]:
        return ""
    return _before(graph, node.input[0], "Reshape")


def _split(graph: Graph, name: str) -> tuple[str, int]:
    """The rows that were split into heads, and a head's size; ("", 0) where it is something else."""
    node = graph.producer(name, "Transpose")
    reshape = graph.producer(node.input[0], "Reshape") if node is not None else None
    if node is None or reshape is None or integers(node, "perm") != HEADS_FIRST:
        return "", 0
    shape = graph.producer(reshape.input[1], "Concat")
    size = graph.scalar(shape.input[-1]) if shape is not None else None
    return (reshape.input[0], int(size)) if size is not None else ("", 0)


def _width(graph: Graph, name: str) -> int:
    """How many columns a linear layer's rows have: as many as its bias."""
    node = graph.producer(name, "Add")
    biases = [graph.constant(one) for one in node.input] if node is not None else []
    return next((one.size for one in biases if one is not None and one.ndim == 1), 0)
