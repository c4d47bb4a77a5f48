"""Turns a text into rows of numbers, for each window of it and each sentence: what the moderation heads look at."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from smalt.engines.moderation_worker.encoder import Encoder, Rows

Window = list[list[int]]
"""The token ids of some sentences."""

WINDOW_TOKENS: Final = 100
"""Most tokens of one window, special ones left out."""

OVERLAP_TOKENS: Final = 16
"""A window begins again with the last sentences of the one before, as long as they have no more tokens than this."""

LEAST_SENTENCE_TOKENS: Final = 6
"""A shorter sentence, such as "Yes, do it.", means little by itself."""

N_GRAM_SLOTS: Final = 4096
"""Slots that a window's word pieces, and pairs of them, are counted in."""

INNER_LAYERS: Final = (4,)
"""Layers whose rows are looked at beside the last one's, which is closer to a text's topic than to its wording."""

_SENTENCE: Final = re.compile(r".+?(?:[.!?。！？]+[\"')\]]*(?=\s|$)|\n|$)", re.DOTALL)  # noqa: RUF001 full-width marks


class TextFeatures:
    """The text encoder with its tokenizer; calls run in the caller's thread, on one core."""

    def __init__(self, model_path: str, tokenizer_path: str) -> None:
        self._tokenizer: Tokenizer = Tokenizer.from_file(tokenizer_path)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._encoder = Encoder(model_path, INNER_LAYERS)
        empty = self._tokenizer.encode("").ids
        self._first, self._last = empty[0], empty[-1]
        self.size = len(self._features(self._hidden([]), []))

    def of(self, texts: Sequence[str]) -> list[Rows]:
        """One array for each text: a row for each window and each sentence in it; an empty text has no rows."""
        return [self._rows(self._cut(text)) for text in texts]

    def _rows(self, windows: Sequence[Window]) -> Rows:
        if not windows:
            return np.zeros((0, self.size), np.float32)
        return np.stack([row for window in windows for row in self._window_rows(window)])

    def _cut(self, text: str) -> list[Window]:
        sentences = [one for match in _SENTENCE.finditer(text) if (one := match.group().strip())]
        pieces: list[list[int]] = []
        for encoding in self._tokenizer.encode_batch_fast(sentences, add_special_tokens=False):
            ids = encoding.ids
            pieces += [ids[start : start + WINDOW_TOKENS] for start in range(0, len(ids), WINDOW_TOKENS)]
        return grouped(pieces)

    def _window_rows(self, window: Window) -> list[Rows]:
        """The window as a whole, and its sentences: one that stands out is not lost in the mean of many."""
        ids = _flat(window)
        hidden = self._hidden(ids)
        rows = [self._features(hidden, ids)]
        at = 1
        for sentence in window if len(window) > 1 else ():
            if len(sentence) >= LEAST_SENTENCE_TOKENS:
                rows.append(self._features([one[at : at + len(sentence)] for one in hidden], sentence))
            at += len(sentence)
        return rows

    @staticmethod
    def _features(hidden: Sequence[Rows], ids: Sequence[int]) -> Rows:
        return np.concatenate([pooled(hidden), n_grams(ids)])

    def _hidden(self, ids: Sequence[int]) -> Sequence[Rows]:
        """The tokens' rows of the inner layers and then of the last, special tokens at both ends."""
        return self._encoder.hidden([self._first, *ids, self._last])


def grouped(pieces: Sequence[list[int]]) -> list[Window]:
    """Sentences put together to windows; a window repeats the end of the one before."""
    windows: list[Window] = []
    held: list[list[int]] = []
    for piece in pieces:
        if held and sum(map(len, held)) + len(piece) > WINDOW_TOKENS:
            windows.append(held)
            held = _tail(held, min(OVERLAP_TOKENS, WINDOW_TOKENS - len(piece)))
        held = [*held, piece]
    if held:
        windows.append(held)
    return windows


def _flat(window: Window) -> list[int]:
    return [token for sentence in window for token in sentence]


def _tail(pieces: Sequence[list[int]], most: int) -> list[list[int]]:
    kept: list[list[int]] = []
    for piece in reversed(pieces):
        most -= len(piece)
        if most < 0:
            break
        kept.insert(0, piece)
    return kept


def pooled(layers: Sequence[Rows]) -> Rows:
    """The mean of the tokens' rows and their maximum, each of unit length: the last layer's first."""
    vectors = [vector for rows in reversed(layers) for vector in (rows.mean(axis=0), rows.max(axis=0))]
    return np.concatenate([_unit(one) for one in vectors])


def _unit(vector: Rows) -> Rows:
    length = float(np.linalg.norm(vector))
    return (vector / length if length else vector).astype(np.float32)


def n_grams(ids: Sequence[int]) -> Rows:
    """Which word pieces and pairs of neighbours occur, hashed into slots, as a vector of unit length."""
    tokens = np.asarray(ids, np.uint64)
    pairs = tokens[:-1] * np.uint64(1_000_003) + tokens[1:] + np.uint64(1)
    mixed = np.concatenate([tokens, pairs]) * np.uint64(0x9E3779B97F4A7C15)
    slots = (mixed >> np.uint64(40)) % np.uint64(N_GRAM_SLOTS)
    row = np.zeros(N_GRAM_SLOTS, np.float32)
    row[slots] = 1
    return _unit(row)
