"""Writes what was found as each generation of OpenAI's moderation models does."""

from collections.abc import Sequence
from typing import Any, Final

from smalt.api.moderating import Judgement
from smalt.core.ids import random_id, short_id
from smalt.models import Models

OLDER_NAMES: Final = "text-moderation-"

OLDER_CATEGORIES: Final = (
    "sexual",
    "hate",
    "harassment",
    "self-harm",
    "sexual/minors",
    "hate/threatening",
    "violence/graphic",
    "self-harm/intent",
    "self-harm/instructions",
    "harassment/threatening",
    "violence",
)
"""What text-moderation-007 knew, in its order."""


def is_text_moderation(models: Models, name: str) -> bool:
    """Whether a name means the older generation; a deployment that the operator calls so does not."""
    return name.startswith(OLDER_NAMES) and name in models.aliases()


def answer(model: str, judgements: Sequence[Judgement], *, is_older: bool) -> dict[str, Any]:
    """The whole answer; the order of its keys is OpenAI's."""
    if is_older:
        return {"id": short_id("modr-", 29), "model": model, "results": [_older(one) for one in judgements]}
    return {"id": random_id("modr-"), "model": model, "results": [one.facts() for one in judgements]}


def _older(judgement: Judgement) -> dict[str, Any]:
    flags = judgement.categories
    categories = {name: flags[name] for name in OLDER_CATEGORIES}
    scores = {name: judgement.scores[name] for name in OLDER_CATEGORIES}
    return {"flagged": any(categories.values()), "categories": categories, "category_scores": scores}
