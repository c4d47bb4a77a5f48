"""Embeddings on the wire: numbers or base64, both straight from the engine's buffer."""

import struct
from array import array
from base64 import b64decode
from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from smalt.api.embeddings.vectors import answer
from smalt.engines.protocols import Embeddings
from smalt.schemas.vocabulary import check_answer

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.integers(1, 5).flatmap(lambda size: st.lists(st.lists(FLOATS, min_size=size, max_size=size), min_size=1))


def embeddings(rows: list[list[float]]) -> Embeddings:
    packed = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    return Embeddings(packed, len(rows[0]), 7, None)


@given(ROWS)
def test_numbers_and_base64_are_the_same_vectors(rows: list[list[float]]):
    numbers = orjson.loads(answer(embeddings(rows), model="m", encoding="float"))
    texts = orjson.loads(answer(embeddings(rows), model="m", encoding="base64"))
    for written in (numbers, texts):
        check_answer("CreateEmbeddingResponse", written)
    assert [item["embedding"] for item in numbers["data"]] == rows
    read = [array("f", b64decode(item["embedding"])).tolist() for item in texts["data"]]
    assert read == rows


def test_the_answer_counts_places_and_tokens_and_names_what_answered():
    vectors = embeddings([[1.0, 0.0], [0.0, 1.0]])
    written = orjson.loads(answer(vectors, model='a "model"', encoding="base64"))
    assert [item["index"] for item in written["data"]] == [0, 1]
    assert written["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert written["model"] == 'a "model"'
    assert all(one["object"] == other["object"] == "embedding" for one, other in pairwise(written["data"]))
