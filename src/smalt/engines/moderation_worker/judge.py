"""Answers `moderate` calls: one thread, which goes to whoever has waited longest after every share of a call."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from smalt.core.errors import ContextLengthExceeded, EngineFailed
from smalt.engines.channel import Header, Message
from smalt.engines.moderation_worker.features import TextFeatures
from smalt.engines.moderation_worker.heads import FOLDER, Heads
from smalt.engines.moderation_worker.options import ModerationOptions
from smalt.engines.moderation_worker.pieces import shares

Share = Sequence[tuple[int, str]]


class TextJudge:
    """The text encoder with every head that comes with Smalt."""

    def __init__(self, options: ModerationOptions) -> None:
        self._features = TextFeatures(options.model, options.tokenizer)
        self._heads = [Heads.load(path) for path in sorted(FOLDER.glob("*.npz"))]
        if not self._heads:
            raise EngineFailed(f"{FOLDER} holds no moderation heads. Install smalt again.")
        self._max_characters = options.max_characters
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="moderate")
        self.categories = tuple(name for heads in self._heads for name in heads.names)

    async def moderate(self, header: Header, _payload: bytes) -> Message:
        """Answer one call: the highest scores of every text's windows, in order."""
        texts: Sequence[str] = header["texts"]
        self._check(texts)
        found = [dict.fromkeys(self.categories, 0.0) for _ in texts]
        loop = asyncio.get_running_loop()
        for share in shares(texts):
            # One share of a call is in the queue at a time, so that calls take turns.
            scored = await loop.run_in_executor(self._thread, self._scores, share)
            for (place, _), scores in zip(share, scored, strict=True):
                found[place] = {name: max(score, scores[name]) for name, score in found[place].items()}
        return {"scores": found}, b""

    def _scores(self, share: Share) -> list[Mapping[str, float]]:
        texts = [piece for _, piece in share]
        return [
            {name: score for heads in self._heads for name, score in heads.text_scores(rows, text).items()}
            for text, rows in zip(texts, self._features.of(texts), strict=True)
        ]

    def _check(self, texts: Sequence[str]) -> None:
        size = sum(map(len, texts))
        if size > self._max_characters:
            raise ContextLengthExceeded(
                f"The texts have {size} characters together; this model judges at most {self._max_characters} in one "
                "request. Send fewer or shorter texts, or raise the deployment's option max_characters.",
                param="input",
            )
