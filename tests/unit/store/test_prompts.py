"""How prompt templates are kept in versions."""

import re

import pytest

from smalt.core.errors import InvalidRequest, NotFound
from smalt.store.prompts import NewPromptVersion, Prompts


@pytest.fixture
def prompts(database):
    return Prompts(database)


def says(text):
    return NewPromptVersion(instructions=text)


async def test_a_version_comes_back_as_it_was(prompts):
    message = {"type": "message", "role": "user", "content": "About {{topic}}"}
    new = NewPromptVersion(
        instructions="Be {{tone}} \u2603", messages=[message], defaults={"temperature": 0.5, "model": "echo"}
    )
    made = await prompts.add("shop", "greeting", new)
    assert re.fullmatch(r"pmpt_[0-9a-f]{48}", made.id)
    assert (made.name, made.project, made.version) == ("greeting", "shop", "1")
    assert (made.instructions, made.messages, made.defaults) == (new.instructions, [message], new.defaults)
    assert await prompts.get("shop", made.id) == made
    assert await prompts.get("shop", "greeting", "1") == made


async def test_versions_count_up_and_the_newest_is_taken_when_none_is_named(prompts):
    one = await prompts.add("shop", "greeting", says("one"))
    two = await prompts.add("shop", one.id, says("two"))
    assert (two.id, two.version) == (one.id, "2")
    assert (await prompts.get("shop", one.id)).instructions == "two"
    assert (await prompts.get("shop", one.id, "1")).instructions == "one"


@pytest.mark.parametrize("version", ["3", "0", "-1", "1.0", "", "one", "\u0661", "9" * 40])
async def test_a_version_that_is_not_there_is_not_found(prompts, version):
    made = await prompts.add("shop", "greeting", says("one"))
    await prompts.add("shop", "greeting", says("two"))
    with pytest.raises(NotFound, match="it has 1, 2") as missing:
        await prompts.get("shop", made.id, version)
    assert missing.value.param == "prompt.version"


async def test_another_project_has_prompts_of_its_own(prompts):
    mine = await prompts.add("shop", "greeting", says("mine"))
    theirs = await prompts.add("other", "greeting", says("theirs"))
    assert (theirs.id != mine.id, theirs.version) == (True, "1")
    with pytest.raises(NotFound, match="smalt prompts list") as missing:
        await prompts.get("other", mine.id)
    assert missing.value.param == "prompt.id"
    with pytest.raises(NotFound):
        await prompts.add("other", mine.id, says("no"))
    assert [(one.project, one.name) for one in await prompts.list()] == [("other", "greeting"), ("shop", "greeting")]
    assert [one.id for one in await prompts.list("shop")] == [mine.id]


async def test_the_number_of_a_removed_version_is_not_given_again(prompts):
    for text in ("one", "two", "three"):
        await prompts.add("shop", "greeting", says(text))
    before = await prompts.remove("shop", "greeting", "3")
    assert before.versions == ["1", "2", "3"]
    assert (await prompts.get("shop", "greeting")).instructions == "two"
    assert (await prompts.add("shop", "greeting", says("four"))).version == "4"
    assert [one.versions for one in await prompts.list()] == [["1", "2", "4"]]


async def test_a_removed_prompt_is_gone_and_its_name_is_free(prompts):
    made = await prompts.add("shop", "greeting", says("one"))
    await prompts.add("shop", "greeting", says("two"))
    await prompts.remove("shop", "greeting")
    with pytest.raises(NotFound):
        await prompts.get("shop", made.id)
    again = await prompts.add("shop", "greeting", says("new"))
    assert (again.id != made.id, again.version) == (True, "1")


async def test_a_prompt_goes_with_its_last_version(prompts):
    await prompts.add("shop", "greeting", says("one"))
    with pytest.raises(NotFound):
        await prompts.remove("shop", "greeting", "2")
    await prompts.remove("shop", "greeting", "01")
    assert await prompts.list() == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 257])
async def test_a_name_must_be_usable(prompts, name):
    with pytest.raises(InvalidRequest, match="1 to 256 characters"):
        await prompts.add("shop", name, says("one"))
