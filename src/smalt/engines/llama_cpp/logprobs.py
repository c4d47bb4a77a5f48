"""Reads llama.cpp's log-probabilities, and keeps each with the text it belongs to."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from smalt.engines.protocols import TokenLogprob, TopLogprob

LEAST = -9999.0
"""What OpenAI sends for a token that had no chance."""


def entries(listed: Sequence[dict[str, Any]], top: int) -> list[TokenLogprob]:
    """The entries of llama.cpp's `completion_probabilities`, each with its `top` likeliest alternatives."""
    return [
        TokenLogprob(
            entry["token"],
            max(entry["logprob"], LEAST),
            tuple(entry["bytes"]),
            tuple(
                TopLogprob(other["token"], max(other["logprob"], LEAST), tuple(other["bytes"]))
                for other in entry["top_logprobs"][:top]
            ),
        )
        for entry in listed
    ]


class Ledger:
    """Entries that wait for their text to be sent: text may be held back, or not be sent at all."""

    def __init__(self) -> None:
        self._waiting: deque[TokenLogprob] = deque()
        self._ahead = 0

    def add(self, arrived: Sequence[TokenLogprob]) -> None:
        """Take in the entries of tokens that arrived."""
        self._waiting.extend(arrived)

    def take(self, text: str) -> tuple[TokenLogprob, ...]:
        """The entries of the next text that is sent, or that never will be."""
        taken: list[TokenLogprob] = []
        wanted = len(text.encode()) - self._ahead
        while self._waiting and wanted > 0:
            entry = self._waiting.popleft()
            wanted -= len(entry.bytes or ())
            taken.append(entry)
        self._ahead = -wanted
        return tuple(taken)
