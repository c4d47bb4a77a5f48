"""The files of one vector store as the index knows them; rows of vectors name their file by its place here."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from smalt.retrieval.index.worker.attributes import Columns
from smalt.retrieval.protocols import POSITION_BITS, Filter

Truths = NDArray[np.bool_]
MOST_REMEMBERED = 64


class FileTable:
    """Place 0 is nobody's: rows of files that are gone before they were read belong to it."""

    def __init__(self) -> None:
        self._sequences = [0]
        self._alive = [False]
        self._attributes: list[Mapping[str, Any]] = [{}]
        self._places: dict[int, int] = {}
        self._contents: dict[int, int] = {}
        self._forget_answers()

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._places

    @property
    def contents(self) -> Mapping[int, int]:
        """The files that are there, with the numbers of their contents."""
        return self._contents

    @property
    def alive(self) -> Truths:
        """Which places are files that are there."""
        if self._alive_array is None:
            self._alive_array = np.array(self._alive, bool)
        return self._alive_array

    def reserve(self, sequence: int) -> int:
        """A new place, of which nothing is found before `put`."""
        self._sequences.append(sequence)
        self._alive.append(False)
        self._attributes.append({})
        self._forget_answers()
        return len(self._sequences) - 1

    def put(self, place: int, content: int, attributes: Mapping[str, Any]) -> None:
        """Let the file of a place be found."""
        sequence = self._sequences[place]
        self.remove(sequence)
        self._alive[place] = True
        self._attributes[place] = attributes
        self._places[sequence] = place
        self._contents[sequence] = content
        self._forget_answers()

    def describe(self, sequence: int, attributes: Mapping[str, Any]) -> None:
        """Change a file's attributes."""
        self._attributes[self._places[sequence]] = attributes
        self._forget_answers()

    def remove(self, sequence: int) -> None:
        """Let a file be found no more; one that is not there is no fault."""
        place = self._places.pop(sequence, None)
        if place is not None:
            self._alive[place] = False
            del self._contents[sequence]
            self._forget_answers()

    def places_of(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """The places of the files that chunks belong to; 0 for those of other files."""
        if not self._places:
            return np.zeros(len(keys), np.int32)
        sequences = np.array(sorted(self._places), np.int64)
        places = np.array([self._places[int(one)] for one in sequences], np.int32)
        wanted = keys >> POSITION_BITS
        found = np.minimum(np.searchsorted(sequences, wanted), len(sequences) - 1)
        return np.where(sequences[found] == wanted, places[found], 0).astype(np.int32)

    def allowed(self, filter_: Filter | None, files: Iterable[int] | None) -> Truths:
        """The places of files that a search may find."""
        allowed = self.alive if filter_ is None else self._matching(filter_)
        if files is None:
            return allowed
        named = np.zeros(len(allowed), bool)
        named[[self._places[one] for one in files if one in self._places]] = True
        return allowed & named

    def sequences(self, places: Truths) -> list[int]:
        """The files at some places."""
        return [self._sequences[place] for place in np.flatnonzero(places)]

    def is_at(self, sequence: int, places: Truths) -> bool:
        """Whether a file is at one of some places."""
        place = self._places.get(sequence)
        return place is not None and bool(places[place])

    def _matching(self, filter_: Filter) -> Truths:
        key = orjson.dumps(filter_.model_dump())
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= MOST_REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = self.alive & self._columns.matches(filter_)
        return answer

    def _forget_answers(self) -> None:
        self._alive_array: Truths | None = None
        self._answers: dict[bytes, Truths] = {}
        self._columns = Columns(self._attributes)
