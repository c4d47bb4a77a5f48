"""At most 65,536 rows of codes; an index of vectors is a list of these."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalt.retrieval.index.worker.coding import Bytes, Coder, Floats, faiss

MOST_ROWS = 1 << 16
SKETCH_FROM = 8192
"""Fewer rows are scored as quickly as their sketches would be looked at."""

SELECTIVE = 0.2
"""Where a filter leaves a smaller share of the rows, scoring just these is quicker than looking at all sketches."""

WIDE = 160
"""Candidates that the sketches of a block give; their scores decide (measured: 128 reach the recall of all codes)."""

MOST_WIDE = 4096
ENOUGH = 128
"""Fewer candidates that a filter lets through are not enough to be sure of the best."""

NOBODY = -1
"""The key of a row whose file is gone, so that nothing with the same number is ever taken for its owner."""

Keys = NDArray[np.int64]
Owners = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows of one block with their scores, in no order; `exact` says whether the codes gave the scores."""

    rows: NDArray[np.int64]
    scores: Floats
    exact: bool


class Block:
    """Codes with the numbers of their chunks (`keys`) and of the files that own them (`owners`)."""

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._codes: Any = coder.new_codes()
        self._sketches: Any = None
        self.keys: Keys = np.empty(0, np.int64)
        self.owners: Owners = np.empty(0, np.int32)
        self.changes = 0

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def room(self) -> int:
        """How many rows more it takes."""
        return MOST_ROWS - len(self)

    @property
    def memory_bytes(self) -> int:
        """About what it takes."""
        return len(self) * (self._coder.width + (self._coder.width // 8 if self._sketches else 0) + 12)

    @property
    def codes(self) -> Bytes:
        """All codes, without a copy; valid until rows are added."""
        if not len(self):
            return np.empty((0, self._coder.width), np.uint8)
        return faiss.rev_swig_ptr(self._codes.codes.data(), self._codes.codes.size()).reshape(len(self), -1)

    def add(self, keys: Keys, owners: Owners, codes: Bytes) -> None:
        """Add rows; their number is at most `room`."""
        self.changes += 1
        self._codes.add_sa_codes(np.ascontiguousarray(codes))
        self.keys = np.concatenate([self.keys, keys])
        self.owners = np.concatenate([self.owners, owners])
        if self._sketches is not None:
            self._sketches.add(self._codes.sa_decode(np.ascontiguousarray(codes)))
        elif len(self) >= SKETCH_FROM:
            self._sketches = self._coder.new_sketches()
            self._sketches.add(self._codes.sa_decode(self.codes))

    def disown(self, rows: Mask) -> None:
        """Forget whose these rows are."""
        if np.any(self.keys[rows] != NOBODY):
            self.changes += 1
            self.keys[rows] = NOBODY
            self.owners[rows] = 0

    def search(self, query: Floats, limit: int, mask: Mask | None) -> Candidates:
        """At least the best `limit` of the rows that `mask` allows (all when None), with some others."""
        allowed = len(self) if mask is None else int(np.count_nonzero(mask))
        if not allowed:
            return Candidates(np.empty(0, np.int64), np.empty(0, np.float32), exact=True)
        share = allowed / len(self)
        if self._sketches is not None and share >= SELECTIVE:
            found = self._look(query, int(max(WIDE, 3 * limit) / share), mask)
            # A filter may have nothing to do with chance: what fits best may be just what it leaves out.
            if mask is None or len(found.rows) >= min(allowed, max(ENOUGH, 2 * limit)):
                return found
        return self._score_all(query, min(limit, allowed), mask)

    def score(self, query: Floats, rows: NDArray[np.int64]) -> Floats:
        """The scores of some rows by their codes."""
        return self._coder.scores(self.codes[rows], query)

    def dump(self) -> list[bytes]:
        """Everything but the owners, as bytes that `load` reads."""
        sketches = faiss.serialize_index(self._sketches).tobytes() if self._sketches is not None else b""
        head = {"rows": len(self), "dimensions": self._coder.dimensions, "sketches": len(sketches)}
        return [json.dumps(head).encode() + b"\n", self.keys.tobytes(), self.codes.tobytes(), sketches]

    @classmethod
    def load(cls, coder: Coder, data: memoryview) -> "Block":
        """Read what `dump` wrote; every row is owned by file 0, which is never searched."""
        block = cls(coder)
        end = bytes(data[:256]).index(b"\n") + 1
        head = json.loads(bytes(data[:end]))
        rows = head["rows"]
        keys_end = end + 8 * rows
        codes_end = keys_end + coder.width * rows
        if len(data) != codes_end + head["sketches"] or head["dimensions"] != coder.dimensions:
            raise ValueError("the block has another size than it says")
        block.keys = np.frombuffer(data[end:keys_end], np.int64).copy()
        block.owners = np.zeros(rows, np.int32)
        block._codes.add_sa_codes(np.frombuffer(data[keys_end:codes_end], np.uint8).reshape(rows, coder.width))
        if head["sketches"]:
            block._sketches = faiss.deserialize_index(np.frombuffer(data[codes_end:], np.uint8))
        return block

    def _look(self, query: Floats, wide: int, mask: Mask | None) -> Candidates:
        scores, rows = self._sketches.search(query[None], min(wide, MOST_WIDE, len(self)))
        keep = rows[0] >= 0
        if mask is not None:
            keep &= mask[rows[0]]
        return Candidates(rows[0][keep], scores[0][keep], exact=False)

    def _score_all(self, query: Floats, limit: int, mask: Mask | None) -> Candidates:
        parameters = None
        if mask is not None:
            bits = np.packbits(mask, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bits))
            parameters = faiss.SearchParameters(sel=selector)
        scores, rows = self._codes.search(query[None], limit, params=parameters)
        keep = rows[0] >= 0
        return Candidates(rows[0][keep], scores[0][keep], exact=True)
