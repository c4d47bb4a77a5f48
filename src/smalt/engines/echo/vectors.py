"""Makes vectors from hashes: unlike for unlike texts, and always the same for the same."""

import math
import sys
from array import array
from collections.abc import Sequence
from hashlib import sha256
from random import Random

from smalt.core.errors import InvalidRequest
from smalt.engines.echo.words import tokens_of
from smalt.engines.protocols import Embeddings


def vectors(
    inputs: Sequence[str | Sequence[int]], size: int, dimensions: int | None = None, *, model: str
) -> Embeddings:
    """A unit vector of `size` numbers for each input, cut to `dimensions` when given."""
    wanted = size if dimensions is None else dimensions
    if wanted > size:
        raise InvalidRequest(
            f"Invalid 'dimensions': this model's embeddings have {size} numbers, and {wanted} were asked for.",
            param="dimensions",
            code="invalid_value",
        )
    rows = b"".join(_row(text, size, wanted) for text in inputs)
    tokens = sum(len(tokens_of(text)) if isinstance(text, str) else len(text) for text in inputs)
    return Embeddings(rows, wanted, tokens, model)


def _row(text: str | Sequence[int], size: int, dimensions: int) -> bytes:
    words = text if isinstance(text, str) else " ".join(map(str, text))
    draw = Random(sha256(words.encode()).digest())  # noqa: S311 - repeatable on purpose
    numbers = [draw.gauss(0, 1) for _ in range(size)][:dimensions]
    length = math.hypot(*numbers)
    row = array("f", [number / length for number in numbers])
    if sys.byteorder == "big":
        row.byteswap()
    return row.tobytes()
