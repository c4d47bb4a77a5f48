"""One vector store that is open: follows the database, and searches."""

import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from smalt.core.errors import Unavailable
from smalt.retrieval.index.fusion import candidates, fuse, one_sided
from smalt.retrieval.index.worker.coding import Floats
from smalt.retrieval.index.worker.feeding import Source
from smalt.retrieval.index.worker.file_table import FileTable, Truths
from smalt.retrieval.index.worker.snapshots import BrokenSnapshot, SnapshotFolder
from smalt.retrieval.index.worker.texts import FORMAT, AllowedFiles, TextIndex
from smalt.retrieval.index.worker.vectors import Vectors
from smalt.retrieval.protocols import POSITION_BITS, Hit, IndexQuery
from smalt.store.index_feed import Feed, IndexedFile, VectorRow

logger = logging.getLogger(__name__)

CHUNKS_AT_ONCE = 4096
FILES_AT_ONCE = 256
TRUSTED_SECONDS = 12 * 3600.0
"""After so long without a look, everything is compared with the database instead of what changed since."""

TEXT_BYTES = 64 * 2**20
"""About what an open text index takes beside the pages of its files that the system may drop."""


class StoreGone(Exception):
    """The vector store is not there any more."""


class OpenStore:
    """The vectors, words and files of a vector store, as they were at `version`."""

    def __init__(self, number: int, folder: Path, source: Source) -> None:
        self.number = number
        self.version = -1
        self.is_unsaved = False
        self._folder = folder
        self._source = source
        self._snapshots = SnapshotFolder(folder / "vectors")
        self._files = FileTable()
        self._vectors: dict[int, Vectors] = {}
        # Files that there are or were rows of.
        self._once: set[int] = set()
        self._looked_at = 0.0
        self._texts = TextIndex(folder / f"text-{FORMAT}")
        self._texts_contents = self._texts.contents()
        self._load()

    @property
    def memory_bytes(self) -> int:
        """About what it takes."""
        return TEXT_BYTES + sum(vectors.memory_bytes for vectors in self._vectors.values())

    def catch_up(self, at_least_version: int = 0) -> None:
        """Follow the database to what it says now; raises `StoreGone`, or `Unavailable` when it is behind."""
        feed = self._source.changes(self.number, self.version) if self._is_fresh() else None
        if feed is None:
            feed = self._source.everything(self.number)
            if feed is None:
                raise StoreGone
            feed = Feed(feed.version, feed.files, self._superfluous(feed))
        if feed.files or feed.removed:
            self._apply(feed)
        self.version = feed.version
        self._looked_at = time.time()
        if self.version < at_least_version:
            raise Unavailable("The database that searches read is behind the one that was written. Try again shortly.")

    def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits."""
        allowed = self._allowed(query)
        wanted = query.limit if query.mode != "hybrid" else candidates(query.limit)
        by_vector = self._by_vector(query, wanted, allowed) if query.mode != "text" else {}
        by_text = self._by_text(query, wanted, allowed) if query.mode != "semantic" else {}
        if query.mode != "hybrid":
            is_vector = query.mode == "semantic"
            return one_sided(by_vector if is_vector else by_text, is_vector=is_vector, limit=query.limit)
        weights = {"vector_weight": query.vector_weight, "text_weight": query.text_weight}
        return fuse(by_vector, by_text, **weights, limit=query.limit)

    def save(self) -> None:
        """Write a snapshot of the vectors; the words are on disk already."""
        blocks = [(vectors.dimensions, block) for vectors in self._vectors.values() for block in vectors.blocks]
        self._snapshots.write(self.version, self._files.contents, blocks)
        self.is_unsaved = False

    def close(self) -> None:
        """Let go of the files."""
        self._texts.close()

    def _load(self) -> None:
        try:
            snapshot = self._snapshots.read()
        except BrokenSnapshot as broken:
            logger.warning("a snapshot is dropped and made again", extra={"store": self.number, "reason": str(broken)})
            shutil.rmtree(self._folder / "vectors", ignore_errors=True)
            snapshot = None
        if snapshot is None:
            return
        for file, content in snapshot.contents.items():
            self._files.put(self._files.reserve(file), content, {})
        for dimensions, blocks in snapshot.blocks.items():
            vectors = self._vectors[dimensions] = Vectors(dimensions)
            vectors.blocks = blocks
            for block in blocks:
                block.owners = self._files.places_of(block.keys)
                block.disown(block.owners == 0)
        self._once = set(snapshot.contents)

    def _is_fresh(self) -> bool:
        return self.version >= 0 and abs(time.time() - self._looked_at) < TRUSTED_SECONDS

    def _superfluous(self, feed: Feed) -> Sequence[int]:
        """Files that we have and the store has not."""
        there = {file.sequence for file in feed.files}
        return sorted((self._files.contents.keys() | self._texts_contents.keys()) - there)

    def _apply(self, feed: Feed) -> None:
        lacking_vectors = [file for file in feed.files if self._files.contents.get(file.sequence) != file.content]
        lacking_texts = [file for file in feed.files if self._texts_contents.get(file.sequence) != file.content]
        for sequence in feed.removed:
            self._files.remove(sequence)
        for batch in _batches(lacking_vectors):
            self._add_vectors(batch)
        for file in feed.files:
            self._files.describe(file.sequence, file.attributes)
        self._apply_texts(lacking_texts, feed.removed)
        for vectors in self._vectors.values():
            vectors.compact(self._files.alive)
        self.is_unsaved = self.is_unsaved or bool(lacking_vectors or feed.removed)

    def _add_vectors(self, files: Sequence[IndexedFile]) -> None:
        self._disown(self._once.intersection(file.sequence for file in files))
        places = {file.sequence: self._files.reserve(file.sequence) for file in files}
        self._once.update(places)
        rows = self._source.vectors([file.sequence for file in files])
        for dimensions, group in groupby(rows, key=lambda row: row.dimensions):
            vectors = self._vectors.setdefault(dimensions, Vectors(dimensions))
            for piece in _pieces(group):
                vectors.add(*_unpacked(piece, places))
        for file in files:
            self._files.put(places[file.sequence], file.content, file.attributes)

    def _disown(self, files: set[int]) -> None:
        """A number that comes back, after a failure in the middle or a restored backup, must not find its old rows."""
        for vectors in self._vectors.values() if files else ():
            vectors.disown(files)

    def _apply_texts(self, files: Sequence[IndexedFile], removed: Iterable[int]) -> None:
        before = self._texts_contents
        gone = [*(file for file in removed if file in before), *(file.sequence for file in files)]
        if not gone:
            return
        try:
            for file in gone:
                self._texts.remove(file)
            for batch in _batches(files):
                for sequence, position, text in self._source.texts([file.sequence for file in batch]):
                    self._texts.add(sequence << POSITION_BITS | position, text)
                for file in batch:
                    self._texts.put(file.sequence, file.content)
            self._texts.commit()
        except BaseException:
            self._texts.rollback()
            raise
        after = {file: content for file, content in before.items() if file not in set(gone)}
        self._texts_contents = after | {file.sequence: file.content for file in files}

    def _allowed(self, query: IndexQuery) -> Truths | None:
        """The places of files that may be found; None when every row in every block may be."""
        if query.filter is not None or query.files is not None:
            return self._files.allowed(query.filter, query.files)
        alive = self._files.alive
        return alive if any(vectors.has_dead(alive) for vectors in self._vectors.values()) else None

    def _by_vector(self, query: IndexQuery, wanted: int, allowed: Truths | None) -> dict[int, float]:
        best: dict[int, float] = {}
        for data in query.vectors:
            vector: Floats = np.frombuffer(data, "<f4")
            vectors = self._vectors.get(len(vector))
            if vectors is None:
                continue
            keys, scores = vectors.search(vector, wanted, allowed)
            for key, score in zip(keys.tolist(), scores.tolist(), strict=True):
                best[key] = max(best.get(key, 0.0), min(1.0, score))
        return best

    def _by_text(self, query: IndexQuery, wanted: int, allowed: Truths | None) -> dict[int, float]:
        files = None
        if query.filter is not None or query.files is not None:
            assert allowed is not None
            share = np.count_nonzero(allowed) / max(1, len(self._files.contents))
            files = AllowedFiles(self._files.sequences(allowed), float(share))
        best: dict[int, float] = {}
        for text in query.texts:
            for key, score in self._texts.search(text, wanted, files).items():
                best[key] = max(best.get(key, 0.0), score)
        return best


def _batches(files: Sequence[IndexedFile]) -> Iterator[list[IndexedFile]]:
    batch: list[IndexedFile] = []
    chunks = 0
    for file in files:
        batch.append(file)
        chunks += file.chunks
        if chunks >= CHUNKS_AT_ONCE or len(batch) >= FILES_AT_ONCE:
            yield batch
            batch, chunks = [], 0
    if batch:
        yield batch


def _pieces(rows: Iterable[VectorRow]) -> Iterator[list[VectorRow]]:
    piece: list[VectorRow] = []
    for row in rows:
        piece.append(row)
        if sum(one.count for one in piece) >= CHUNKS_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


def _unpacked(rows: Sequence[VectorRow], places: dict[int, int]) -> tuple[np.ndarray, np.ndarray, Floats]:
    keys = [np.arange(row.count, dtype=np.int64) + (row.file << POSITION_BITS | row.position) for row in rows]
    owners = [np.full(row.count, places[row.file], np.int32) for row in rows]
    floats = [np.frombuffer(row.vectors, "<f2").reshape(row.count, row.dimensions) for row in rows]
    return np.concatenate(keys), np.concatenate(owners), np.concatenate(floats).astype(np.float32)
