"""What a moderation request asks about: texts one by one, or parts that are judged together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from smalt.api.moderating import Judgement, Moderator
from smalt.api.moderations.pictures import Pictures
from smalt.core.errors import InvalidRequest
from smalt.schemas.moderations import CreateModerationRequest, ModerationImageURLInput, ModerationTextInput

MOST_PICTURES: Final = 1
BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True)
class Asked:
    """The texts of a request, and its pictures' addresses by where they stand in it."""

    model: str
    texts: Sequence[str]
    addresses: Sequence[tuple[str, str]]
    are_parts: bool

    @classmethod
    def of(cls, body: CreateModerationRequest, *, takes_pictures: bool) -> Self:
        """What a body asks about; raises `InvalidRequest` for pictures that its model does not take."""
        if isinstance(body.input, str):
            return cls(body.model, [body.input], (), are_parts=False)
        texts = [text for part in body.input if (text := _text(part)) is not None]
        addresses = [
            (f"input[{place}].image_url.url", part.image_url.url)
            for place, part in enumerate(body.input)
            if isinstance(part, ModerationImageURLInput)
        ]
        _check_pictures(body.model, addresses, takes_pictures=takes_pictures)
        return cls(body.model, texts, addresses, are_parts=not isinstance(body.input[0], str))

    @property
    def tokens(self) -> int:
        """About how many tokens the texts have."""
        return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) for text in self.texts)

    async def judgements(self, moderator: Moderator, pictures: Pictures) -> list[Judgement]:
        """What models say: one judgement a text, or one of all the parts."""
        images = [await pictures.read(url, param=param) for param, url in self.addresses]
        try:
            if not self.are_parts:
                return await moderator.judge(self.model, self.texts)
            return [await moderator.judge_together(self.model, self.texts, images)]
        except InvalidRequest as error:
            error.param = error.param or "input"
            raise


def _text(part: str | ModerationTextInput | ModerationImageURLInput) -> str | None:
    if isinstance(part, ModerationTextInput):
        return part.text
    return part if isinstance(part, str) else None


def _check_pictures(model: str, addresses: Sequence[tuple[str, str]], *, takes_pictures: bool) -> None:
    if addresses and not takes_pictures:
        raise InvalidRequest(
            f"The model '{model}' judges texts alone. Leave the picture out, or ask omni-moderation-latest.",
            param=addresses[0][0].removesuffix(".image_url.url"),
            code="unsupported_value",
        )
    if len(addresses) > MOST_PICTURES:
        raise InvalidRequest(
            f"Number of images ({len(addresses)}) exceeds maximum of {MOST_PICTURES}. Send one request for each.",
            param="input",
            code="too_many_images",
        )
