"""Texts and token lists to windows: pieces of tokens that fit the model, with its special tokens around each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from tokenizers import Encoding, Tokenizer

from smalt.core.errors import ContextLengthExceeded, InvalidRequest

Input = str | Sequence[int]

WORD_BIT = 31
"""The bit of a token's start that tells that a word begins with it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens for one row of a batch; `weight` is how many of them come from the input at `index`."""

    index: int
    ids: list[int]
    weight: int


class WindowCutter:
    """Turns inputs into windows of at most `window_tokens` tokens, special ones included."""

    def __init__(self, tokenizer_path: str, window_tokens: int, max_input_tokens: int) -> None:
        self._tokenizer: Tokenizer = Tokenizer.from_file(tokenizer_path)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._vocabulary_size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self._before, self._after = self._special_tokens()
        self._most = window_tokens - len(self._before) - len(self._after)
        self._max_input_tokens = max_input_tokens

    def tokenize(self, inputs: Sequence[Input]) -> list[list[int]]:
        """The token ids of every input, without the special tokens that the model adds for itself."""
        for index, one in enumerate(inputs):
            self._check(index, one)
        texts = [one for one in inputs if isinstance(one, str)]
        encoded = iter(self._encode(texts))
        ids = [next(encoded) if isinstance(one, str) else list(one) for one in inputs]
        for index, one in enumerate(ids):
            if len(one) > self._max_input_tokens:
                raise ContextLengthExceeded(
                    f"This model's maximum context length is {self._max_input_tokens} tokens, however you requested "
                    f"{len(one)} tokens in input {index}. Shorten it, or split it into several inputs.",
                    param="input",
                )
        return ids

    def starts(self, texts: Sequence[str]) -> list[bytes]:
        """Where the tokens of every text begin: 32 bits each, the highest of them set for one that begins a word."""
        return [_packed(one) for one in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def cut(self, tokens: Sequence[list[int]]) -> list[Window]:
        """Cut every token list in windows of nearly the same length: a short last one would be a poor vector."""
        windows: list[Window] = []
        for index, ids in enumerate(tokens):
            if len(ids) <= self._most:
                windows.append(self._window(index, ids))
                continue
            size = ceil(len(ids) / ceil(len(ids) / self._most))
            windows += [self._window(index, ids[start : start + size]) for start in range(0, len(ids), size)]
        return windows

    def _window(self, index: int, ids: list[int]) -> Window:
        return Window(index, [*self._before, *ids, *self._after], max(1, len(ids)))

    def _check(self, index: int, one: Input) -> None:
        if not one:
            what = "an empty string" if isinstance(one, str) else "an empty list"
            raise InvalidRequest(f"'$.input' is invalid: input {index} is {what}; leave it out.", param="input")
        if isinstance(one, str):
            return
        for token in one:
            if not 0 <= token < self._vocabulary_size:
                raise InvalidRequest(
                    f"Invalid token in prompt: {token} in input {index}. The token ids of this model go from 0 to "
                    f"{self._vocabulary_size - 1}; send text when your ids are another model's.",
                    param="input",
                )

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if len(texts) == 1:
            return [self._tokenizer.encode(texts[0], add_special_tokens=False).ids]
        return [one.ids for one in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """The ids that the tokenizer puts before and after a text."""
        encoded = self._tokenizer.encode("a")
        own = [index for index, special in enumerate(encoded.special_tokens_mask) if not special]
        return encoded.ids[: own[0]], encoded.ids[own[-1] + 1 :]


def _packed(encoding: Encoding) -> bytes:
    starts = np.fromiter((start for start, _ in encoding.offsets), np.uint32, len(encoding))
    # A tokenizer without words has None for each, and then every token counts as one.
    words = np.fromiter((-1 if word is None else word for word in encoding.word_ids), np.int64, len(encoding))
    begins = np.ones(len(encoding), bool)
    begins[1:] = (words[1:] != words[:-1]) | (words[1:] < 0)
    return (starts | (begins.astype(np.uint32) << WORD_BIT)).astype("<u4").tobytes()
