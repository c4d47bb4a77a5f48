"""Asks for moderations in OpenAI's form, and reads the scores."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from smalt.core.errors import UpstreamFailed
from smalt.engines.pictures import picture_format, unsupported_picture
from smalt.engines.protocols import Scores

Json = dict[str, Any]


def picture_input(content: bytes, number: int) -> list[Json]:
    """The input that asks about one picture; OpenAI takes no more in one request."""
    found = picture_format(content)
    if found is None:
        raise unsupported_picture(number)
    url = f"data:image/{found.lower()};base64,{b64encode(content).decode()}"
    return [{"type": "image_url", "image_url": {"url": url}}]


def scores(answer: Json, count: int, applied: str) -> list[Scores]:
    """The scores of every result, of those categories that apply to this kind of input."""
    try:
        found = [_scores(result, applied) for result in answer["results"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"The upstream's moderation does not have the shape of OpenAI's ({type(error).__name__})."
        raise UpstreamFailed(message, code="upstream_failed") from None
    if len(found) != count:
        message = f"The upstream gave {len(found)} moderations for {count} inputs."
        raise UpstreamFailed(message, code="upstream_failed")
    return found


def with_empty_texts(texts: Sequence[str], judged: Sequence[Scores]) -> list[Scores]:
    """The scores in the order of all texts; one that says nothing, which was not sent, has no score above 0."""
    rest = iter(judged)
    nothing = {name: 0.0 for one in judged for name in one}
    return [next(rest) if text.strip() else nothing for text in texts]


def _scores(result: Mapping[str, Any], applied: str) -> Scores:
    # Older models do not say what a score applies to: they only read.
    types: Mapping[str, Sequence[str]] = result.get("category_applied_input_types") or {}
    return {
        str(name): float(score)
        for name, score in result["category_scores"].items()
        if applied in types.get(name, ("text",))
    }
