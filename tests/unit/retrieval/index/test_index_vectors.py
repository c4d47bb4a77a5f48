"""The codes of vectors, blocks of them, and what a search in them finds."""

import numpy as np
import pytest

from smalt.retrieval.index.worker import block as blocks
from smalt.retrieval.index.worker.block import Block
from smalt.retrieval.index.worker.coding import coder
from smalt.retrieval.index.worker.vectors import Vectors


def unit_rows(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    rows = np.random.RandomState(seed).standard_normal((count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def grouped_rows(count: int, dimensions: int) -> np.ndarray:
    """Rows around a few hundred topics, as texts are."""
    topics = unit_rows(300, dimensions, seed=1)
    rows = topics[np.random.RandomState(2).randint(0, 300, count)] + 0.7 * unit_rows(count, dimensions, seed=3)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(rows: np.ndarray, rows_a_file: int = 10) -> Vectors:
    vectors = Vectors(rows.shape[1])
    keys = np.arange(len(rows), dtype=np.int64)
    vectors.add(keys, (keys // rows_a_file).astype(np.int32), rows)
    return vectors


def recall(vectors: Vectors, rows: np.ndarray, queries: np.ndarray, allowed: np.ndarray | None = None) -> float:
    shares = []
    for query in queries:
        scores = rows @ query
        if allowed is not None:
            scores[~allowed[np.arange(len(rows)) // 10]] = -2
        found, _ = vectors.search(query, 10, allowed)
        shares.append(len(set(found) & set(np.argsort(-scores)[:10])) / 10)
    return float(np.mean(shares))


@pytest.mark.parametrize("dimensions", [1, 3, 64, 384, 1100])
def test_codes_keep_inner_products(dimensions: int) -> None:
    rows = unit_rows(50, dimensions)
    made = coder(dimensions)
    codes = made.new_codes().sa_encode(made.rotate(rows))
    scores = made.scores(codes, made.rotate(rows[:1])[0])
    assert scores == pytest.approx(rows @ rows[0], abs=0.02)


def test_rotating_changes_no_inner_product() -> None:
    rows = unit_rows(20, 1100)
    rotated = coder(1100).rotate(rows)
    assert rotated @ rotated.T == pytest.approx(rows @ rows.T, abs=1e-4)


def test_large_blocks_find_nearly_all_of_the_best() -> None:
    rows = grouped_rows(70_000, 96)
    queries = grouped_rows(70_040, 96)[-40:]
    vectors = filled(rows)
    assert len(vectors.blocks) == 2
    assert recall(vectors, rows, queries) >= 0.97
    half, few = (np.random.RandomState(4).random(7000) < share for share in (0.5, 0.01))
    assert recall(vectors, rows, queries, half) >= 0.97
    assert recall(vectors, rows, queries, few) >= 0.97


def test_a_filter_that_leaves_out_just_what_fits_best_still_gives_the_best_of_the_rest() -> None:
    rows = grouped_rows(20_000, 96)
    vectors = filled(rows)
    for query in rows[:10]:
        cosines = rows @ query
        allowed = np.ones(2000, bool)
        allowed[np.argsort(-cosines.reshape(2000, 10).max(axis=1))[:1000]] = False
        found, _ = vectors.search(query, 10, allowed)
        assert len(found) == 10
        assert allowed[found // 10].all()
        # Many are left that fit alike, so it is how well they fit that counts, not which they are.
        tenth_best = np.sort(cosines[np.repeat(allowed, 10)])[-10]
        assert cosines[found].min() >= tenth_best - 0.01


def test_rows_of_gone_files_are_swept_out() -> None:
    rows = unit_rows(3000, 32)
    vectors = filled(rows)
    alive = np.arange(300) % 2 == 0
    assert vectors.has_dead(alive)
    assert vectors.compact(alive)
    assert len(vectors) == 1500
    assert not vectors.has_dead(alive)
    found, scores = vectors.search(rows[20], 1, None)
    assert found.tolist() == [20]
    assert scores[0] == pytest.approx(1.0, abs=0.02)


def test_a_disowned_row_has_no_number() -> None:
    rows = unit_rows(4, 32)
    vectors = Vectors(32)
    vectors.add(np.array([1 << 20, 1 << 20 | 1, 2 << 20, 3 << 20]), np.array([1, 1, 2, 3], np.int32), rows)
    changes = vectors.blocks[0].changes
    vectors.disown([1])
    assert vectors.blocks[0].keys.tolist() == [-1, -1, 2 << 20, 3 << 20]
    assert vectors.blocks[0].owners.tolist() == [0, 0, 2, 3]
    assert vectors.blocks[0].changes == changes + 1
    vectors.disown([1])
    assert vectors.blocks[0].changes == changes + 1


@pytest.mark.parametrize("count", [0, 5, blocks.SKETCH_FROM + 7])
def test_a_block_is_the_same_after_it_was_written_and_read(count: int) -> None:
    rows = unit_rows(count, 32)
    vectors = filled(rows)
    block = vectors.blocks[0] if count else Block(coder(32))
    read = Block.load(coder(32), memoryview(b"".join(block.dump())))
    assert read.keys.tolist() == block.keys.tolist()
    assert (read.codes == block.codes).all()
    for query in rows[:5]:
        rotated = coder(32).rotate(query[None])[0]
        one, other = (b.search(rotated, 3, None) for b in (read, block))
        assert sorted(one.rows.tolist()) == sorted(other.rows.tolist())
