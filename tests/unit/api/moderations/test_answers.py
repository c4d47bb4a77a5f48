"""Each generation of models answers in its own shape."""

from types import SimpleNamespace
from typing import Any

import pytest

from smalt.api.moderating import CATEGORIES, merged
from smalt.api.moderations.answers import OLDER_CATEGORIES, answer, is_text_moderation
from smalt.schemas.vocabulary import check_answer

ILLICIT = merged("judge", [{"illicit": 1.0, "illicit/violent": 1.0}], ())


def test_the_newer_generation_has_thirteen_categories_and_their_input_types() -> None:
    made = answer("omni-moderation-latest", [ILLICIT, ILLICIT], is_older=False)
    check_answer("CreateModerationResponse", made)
    assert list(made) == ["id", "model", "results"]
    assert made["id"].startswith("modr-")
    assert made["model"] == "omni-moderation-latest"
    for result in made["results"]:
        assert list(result) == ["flagged", "categories", "category_scores", "category_applied_input_types"]
        assert list(result["categories"]) == list(result["category_scores"]) == list(CATEGORIES)
        assert result["flagged"]


def test_the_older_generation_has_eleven_categories_and_no_more() -> None:
    made = answer("text-moderation-latest", [ILLICIT], is_older=True)
    check_answer("CreateTextModerationResponse", made)
    result = made["results"][0]
    assert list(result) == ["flagged", "categories", "category_scores"]
    assert list(result["categories"]) == list(result["category_scores"]) == list(OLDER_CATEGORIES)
    assert set(CATEGORIES) - set(OLDER_CATEGORIES) == {"illicit", "illicit/violent"}
    assert not result["flagged"], "what it does not know it does not flag"
    assert len(made["id"]) == len("modr-") + 29


@pytest.mark.parametrize(
    ("name", "is_older"),
    [("text-moderation-latest", True), ("omni-moderation-latest", False), ("text-moderation-mine", False)],
)
def test_only_an_alias_means_the_older_generation(name: str, is_older: bool) -> None:
    models: Any = SimpleNamespace(
        aliases=lambda: {"text-moderation-latest": "judge", "omni-moderation-latest": "judge"}
    )
    assert is_text_moderation(models, name) is is_older
