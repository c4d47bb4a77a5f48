"""Scores texts and pictures with moderation models, and remembers the latest."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeVar

from smalt.core.errors import ApiError, NotInstalled
from smalt.engines.protocols import ImageModerationEngine, ModerationEngine, Scores
from smalt.models import Models

Item = TypeVar("Item", str, bytes)

REMEMBERED: Final = 16_384
"""How many texts, sentences and pictures are remembered: clients send a conversation again with every turn.

Each takes a kilobyte.
"""

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

    def __init__(self, models: Models, *, model: str, image_model: str | None) -> None:
        self._models = models
        self._model = model
        self._image_model = image_model
        self._remembered = Remembered()

    async def looks_at_images(self) -> bool:
        """Whether there is a model for pictures and it is installed; one that fails for now counts."""
        if self._image_model is None:
            return False
        try:
            async with self._models.lease(self._image_model, ImageModerationEngine):
                return True
        except ApiError as error:
            return not isinstance(error, NotInstalled)

    async def texts(self, texts: Sequence[str]) -> Scores:
        """The highest score of each category in any of the texts."""
        named = {digest("text", text): text for text in readable(texts)}
        return await self._remembering(named, self._judged)

    async def images(self, images: Sequence[bytes]) -> Scores:
        """The highest score of each category in any of the pictures; none where no model can look at them."""
        try:
            return await self._remembering({digest("picture", image): image for image in images}, self._seen)
        except NotInstalled:
            return {}

    async def _remembering(
        self, named: Mapping[bytes, Item], judge: Callable[[Sequence[Item]], Awaitable[Sequence[Scores]]]
    ) -> Scores:
        """The highest scores of what has these digests; only what is not remembered is judged."""
        known = {name: self._remembered.find(name) for name in named}
        fresh = {name: item for name, item in named.items() if known[name] is None}
        judged = await judge(list(fresh.values())) if fresh else ()
        for name, scores in zip(fresh, judged, strict=True):
            self._remembered.keep(name, scores)
        return highest([*judged, *(scores for scores in known.values() if scores is not None)])

    async def _seen(self, images: Sequence[bytes]) -> Sequence[Scores]:
        if self._image_model is None:
            return [{} for _ in images]
        async with self._models.lease(self._image_model, ImageModerationEngine) as engine:
            return await engine.moderate_images(images)

    async def _judged(self, texts: Sequence[str]) -> list[Scores]:
        pieces = [(place, piece) for place, text in enumerate(texts) for piece in pieces_of(text)]
        found: list[list[Scores]] = [[] for _ in texts]
        async with self._models.lease(self._model, ModerationEngine) as engine:
            for batch in _batches(pieces):
                scores = await engine.moderate([piece for _, piece in batch])
                for (place, _), one in zip(batch, scores, strict=True):
                    found[place].append(one)
        return [highest(scores) for scores in found]


def highest(scores: Sequence[Scores]) -> Scores:
    """The highest score of each category."""
    names = {name for one in scores for name in one}
    return {name: max(one.get(name, 0.0) for one in scores) for name in names}


def pieces_of(text: str, most: int = PIECE) -> Iterator[str]:
    """A text in pieces that a model judges soon, cut between words where there are any, overlapping a little."""
    start = 0
    while len(text) - start > most:
        space = text.rfind(" ", start + most // 2, start + most)
        end = space if space > 0 else start + most
        yield text[start:end]
        start = end - OVERLAP
    yield text[start:]


def readable(texts: Iterable[str]) -> list[str]:
    """The texts with anything in them, without half surrogate pairs: no engine reads those."""
    return [text.encode("utf-8", "replace").decode() for text in texts if text.strip()]


def digest(kind: str, *contents: str | bytes) -> bytes:
    """What things of a kind are remembered by; texts and pictures of the same bytes differ."""
    made = sha256(kind.encode())
    for content in contents:
        encoded = content.encode() if isinstance(content, str) else content
        made.update(b"\0%d\0" % len(encoded) + encoded)
    return made.digest()


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
