"""Snapshots of vectors: read as written, or refused."""

from pathlib import Path

import numpy as np
import pytest

from smalt.retrieval.index.worker.snapshots import BrokenSnapshot, SnapshotFolder
from smalt.retrieval.index.worker.vectors import Vectors


def some_vectors(count: int = 10) -> Vectors:
    rows = np.random.RandomState(0).standard_normal((count, 32)).astype(np.float32)
    vectors = Vectors(32)
    vectors.add(
        np.arange(count, dtype=np.int64), np.ones(count, np.int32), rows / np.linalg.norm(rows, axis=1)[:, None]
    )
    return vectors


def blocks_of(vectors: Vectors) -> list:
    return [(vectors.dimensions, block) for block in vectors.blocks]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    vectors = some_vectors()
    SnapshotFolder(tmp_path / "s").write(7, {1: 11, 2: 22}, blocks_of(vectors))
    read = SnapshotFolder(tmp_path / "s").read()
    assert read
    assert (read.version, dict(read.contents)) == (7, {1: 11, 2: 22})
    assert (read.blocks[32][0].codes == vectors.blocks[0].codes).all()


def test_there_is_none_in_a_new_folder(tmp_path: Path) -> None:
    assert SnapshotFolder(tmp_path / "s").read() is None


def test_only_blocks_that_changed_are_written_again(tmp_path: Path) -> None:
    folder, vectors = SnapshotFolder(tmp_path / "s"), some_vectors()
    folder.write(1, {}, blocks_of(vectors))
    (first,) = (tmp_path / "s").glob("*.block")
    folder.write(2, {}, blocks_of(vectors))
    assert list((tmp_path / "s").glob("*.block")) == [first]
    vectors.disown([0])
    folder.write(3, {}, blocks_of(vectors))
    (second,) = (tmp_path / "s").glob("*.block")
    assert second != first


def test_what_a_crash_left_is_removed_with_the_next_snapshot(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "half.block.new").write_bytes(b"half")
    SnapshotFolder(tmp_path / "s").write(1, {}, blocks_of(some_vectors()))
    assert not (tmp_path / "s" / "half.block.new").exists()


@pytest.mark.parametrize("pattern", ["manifest.json", "*.block"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.99])
def test_one_wrong_bit_is_noticed(tmp_path: Path, pattern: str, place: float) -> None:
    SnapshotFolder(tmp_path / "s").write(1, {1: 11}, blocks_of(some_vectors()))
    (path,) = (tmp_path / "s").glob(pattern)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(BrokenSnapshot):
        SnapshotFolder(tmp_path / "s").read()


def test_a_missing_block_is_noticed(tmp_path: Path) -> None:
    SnapshotFolder(tmp_path / "s").write(1, {1: 11}, blocks_of(some_vectors()))
    next((tmp_path / "s").glob("*.block")).unlink()
    with pytest.raises(BrokenSnapshot):
        SnapshotFolder(tmp_path / "s").read()
