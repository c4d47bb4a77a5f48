"""Scores texts and pictures with moderation models, and remembers the latest."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeVar

from smalt.core.errors import NotInstalled
from smalt.engines.protocols import ImageModerationEngine, ModerationEngine, Scores
from smalt.models import Models
from smalt.safety.guard import Guard

Item = TypeVar("Item", str, bytes)

REMEMBERED: Final = 4096
"""How many texts and pictures are remembered: clients send a conversation again with every turn."""

PIECE: Final = 8_000
OVERLAP: Final = 200
AT_ONCE: Final = 16_000
"""Most characters of one call; what is longer takes several, so that others come in between."""


class Remembered:
    """The scores of what was judged lately, by digest."""

    def __init__(self) -> None:
        self._scores: OrderedDict[bytes, Scores] = OrderedDict()

    def find(self, digest: bytes) -> Scores | None:
        """The scores of what has this digest; None if they are not remembered."""
        scores = self._scores.get(digest)
        if scores is not None:
            self._scores.move_to_end(digest)
        return scores

    def keep(self, digest: bytes, scores: Scores) -> None:
        """Remember scores, and forget the oldest if there are too many."""
        self._scores[digest] = scores
        if len(self._scores) > REMEMBERED:
            self._scores.popitem(last=False)


class Scorer:
    """Asks the models of the settings."""

    def __init__(self, models: Models, *, model: str, image_model: str | None, guard: Guard | None = None) -> None:
        self._models = models
        self._model = model
        self._image_model = image_model
        self._guard = guard
        self._remembered = Remembered()

    async def texts(self, texts: Sequence[str], *, question: str | None = None) -> Scores:
        """The highest score of each category in any of the texts, which answer `question` if there is one."""
        asked = None if self._guard is None else question
        # One text that no engine can read (half a surrogate pair) must not keep the others from being judged.
        readable = [text.encode("utf-8", "replace") for text in texts if text.strip()]
        named = {_digest(text, asked): text.decode() for text in readable}
        return await self._remembering(named, lambda fresh: self._judged(fresh, asked))

    async def images(self, images: Sequence[bytes]) -> Scores:
        """The highest score of each category in any of the pictures; none where no model can look at them."""
        try:
            return await self._remembering({_digest(image, None): image for image in images}, self._seen)
        except NotInstalled:
            return {}

    async def _remembering(
        self, named: Mapping[bytes, Item], judge: Callable[[Sequence[Item]], Awaitable[Sequence[Scores]]]
    ) -> Scores:
        """The highest scores of what has these digests; only what is not remembered is judged."""
        known = {digest: self._remembered.find(digest) for digest in named}
        fresh = {digest: item for digest, item in named.items() if known[digest] is None}
        judged = await judge(list(fresh.values())) if fresh else ()
        for digest, scores in zip(fresh, judged, strict=True):
            self._remembered.keep(digest, scores)
        return highest([*judged, *(scores for scores in known.values() if scores is not None)])

    async def _seen(self, images: Sequence[bytes]) -> Sequence[Scores]:
        if self._image_model is None:
            return [{} for _ in images]
        async with self._models.lease(self._image_model, ImageModerationEngine) as engine:
            return await engine.moderate_images(images)

    async def _judged(self, texts: Sequence[str], question: str | None) -> list[Scores]:
        pieces = [(place, piece) for place, text in enumerate(texts) for piece in pieces_of(text)]
        found: list[list[Scores]] = [[] for _ in texts]
        async with self._models.lease(self._model, ModerationEngine) as engine:
            for batch in _batches(pieces):
                scores = await engine.moderate([piece for _, piece in batch])
                for (place, _), one in zip(batch, scores, strict=True):
                    found[place].append(one)
        if self._guard is not None:
            for place, text in enumerate(texts):
                found[place].append(await self._guard.scores(text, question))
        return [highest(scores) for scores in found]


def highest(scores: Sequence[Scores]) -> Scores:
    """The highest score of each category."""
    names = {name for one in scores for name in one}
    return {name: max(one.get(name, 0.0) for one in scores) for name in names}


def pieces_of(text: str) -> Iterator[str]:
    """A text in pieces that a model judges soon, cut between words where there are any, overlapping a little."""
    start = 0
    while len(text) - start > PIECE:
        space = text.rfind(" ", start + PIECE // 2, start + PIECE)
        end = space if space > 0 else start + PIECE
        yield text[start:end]
        start = end - OVERLAP
    yield text[start:]


def _batches(pieces: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    size = 0
    for place, piece in pieces:
        if batch and size + len(piece) > AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append((place, piece))
        size += len(piece)
    yield batch


def _digest(content: bytes, question: str | None) -> bytes:
    digest = sha256(content)
    if question is not None:
        digest.update(b"\0answer\0" + question.encode("utf-8", "replace"))
    return digest.digest()
