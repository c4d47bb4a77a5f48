"""The vectors of one vector store that have the same dimensions."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from smalt.retrieval.index.worker.block import MOST_ROWS, Block, Candidates, Keys, Mask, Owners
from smalt.retrieval.index.worker.coding import Bytes, Floats, coder
from smalt.retrieval.protocols import POSITION_BITS

ROWS_AT_ONCE = 8192
MOST_DEAD = 0.25
"""A block with a larger share of rows that nobody owns any more is written anew."""

SCORED = 8
"""How many candidates are scored by their codes for each row that is wanted."""

LEAST_SCORED = 512

Alive = NDArray[np.bool_]


class Vectors:
    """Blocks of codes; the last one takes new rows. Files are known by their places in a table of files."""

    def __init__(self, dimensions: int) -> None:
        self._coder = coder(dimensions)
        self.blocks: list[Block] = []

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return self._coder.dimensions

    @property
    def memory_bytes(self) -> int:
        """About what it takes."""
        return sum(block.memory_bytes for block in self.blocks)

    def add(self, keys: Keys, owners: Owners, rows: Floats) -> None:
        """Add vectors of unit length."""
        for start in range(0, len(keys), ROWS_AT_ONCE):
            piece = slice(start, start + ROWS_AT_ONCE)
            codes = self._coder.new_codes().sa_encode(self._coder.rotate(rows[piece]))
            self._append(keys[piece], owners[piece], codes)

    def disown(self, files: Iterable[int]) -> None:
        """Forget the rows of some files."""
        named = np.fromiter(files, np.int64)
        for block in self.blocks:
            block.disown(np.isin(block.keys >> POSITION_BITS, named))

    def search(self, vector: Floats, limit: int, allowed: Alive | None) -> tuple[Keys, Floats]:
        """The chunks whose vectors are nearest to `vector` with their cosines, best first.

        `allowed` says of each place in the table of files whether its rows may be found; None allows all rows.
        """
        query = self._coder.rotate(vector[None])[0]
        found = [(block, block.search(query, limit, _mask(block, allowed))) for block in self.blocks]
        keys: list[Keys] = []
        scores: list[Floats] = []
        for block, candidates in _most_promising(found, limit):
            rows = candidates.rows
            keys.append(block.keys[rows])
            scores.append(candidates.scores if candidates.exact else block.score(query, rows))
        return _best(keys, scores, limit)

    def has_dead(self, alive: Alive) -> bool:
        """Whether a block has rows of files that are gone."""
        return any(not alive[block.owners].all() for block in self.blocks)

    def compact(self, alive: Alive) -> bool:
        """Write the blocks anew that have too many rows of files that are gone; returns whether there were any."""
        worn = [block for block in self.blocks if _is_worn(block, alive, is_last=block is self.blocks[-1])]
        for block in worn:
            self.blocks.remove(block)
            live = np.flatnonzero(alive[block.owners])
            for start in range(0, len(live), ROWS_AT_ONCE):
                rows = live[start : start + ROWS_AT_ONCE]
                self._append(block.keys[rows], block.owners[rows], block.codes[rows])
        return bool(worn)

    def _append(self, keys: Keys, owners: Owners, codes: Bytes) -> None:
        while len(keys):
            if not self.blocks or not self.blocks[-1].room:
                self.blocks.append(Block(self._coder))
            room = self.blocks[-1].room
            self.blocks[-1].add(keys[:room], owners[:room], codes[:room])
            keys, owners, codes = keys[room:], owners[room:], codes[room:]


def _is_worn(block: Block, alive: Alive, *, is_last: bool) -> bool:
    if not len(block):
        return False
    live = int(np.count_nonzero(alive[block.owners]))
    return live < (1 - MOST_DEAD) * len(block) or (not is_last and live < MOST_DEAD * MOST_ROWS)


def _mask(block: Block, allowed: Alive | None) -> Mask | None:
    return None if allowed is None else allowed[block.owners]


def _most_promising(found: list[tuple[Block, Candidates]], limit: int) -> Iterator[tuple[Block, Candidates]]:
    """All candidates that were scored already, and of the others those whose sketches look best over all blocks."""
    looked = [candidates.scores for _, candidates in found if not candidates.exact]
    most = max(LEAST_SCORED, SCORED * limit)
    bound = -np.inf
    if sum(map(len, looked)) > most:
        bound = float(-np.partition(-np.concatenate(looked), most)[most])
    for block, candidates in found:
        if candidates.exact:
            yield block, candidates
        else:
            keep = candidates.scores >= bound
            yield block, Candidates(candidates.rows[keep], candidates.scores[keep], exact=False)


def _best(keys: list[Keys], scores: list[Floats], limit: int) -> tuple[Keys, Floats]:
    if not keys:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    all_keys, all_scores = np.concatenate(keys), np.concatenate(scores)
    # Equal scores in the order of their chunks, so that the same search gives the same answer.
    order = np.lexsort((all_keys, -all_scores))[:limit]
    return all_keys[order], all_scores[order]
