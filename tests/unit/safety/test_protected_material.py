"""Copies in answers of what the operator added."""

import random
from dataclasses import replace

import pytest

from protected_words import BOTH_WANTED, CODE, POEM, VOCABULARY, sentence
from smalt.core.errors import InvalidRequest
from smalt.safety.protected_material import ProtectedMaterial, prepared
from smalt.safety.protected_material.fingerprints import GRAINS, REPEATED, fingerprints
from smalt.store.database import Database
from smalt.store.migrating import migrate
from smalt.store.protected_material import ProtectedMaterials


@pytest.fixture
async def database(tmp_path):
    migrate(tmp_path / "smalt.db")
    database = Database.open(tmp_path / "smalt.db")
    yield database
    await database.close()


@pytest.fixture
def materials(database):
    return ProtectedMaterials(database)


@pytest.fixture
async def protected(materials):
    await materials.add(prepared("text", POEM, name="poem"))
    await materials.add(prepared("code", CODE, name="lists.py", url="https://example.com/lists.py", license="MIT"))
    return ProtectedMaterial(materials)


async def test_nothing_is_told_while_the_index_is_empty(materials):
    assert await ProtectedMaterial(materials).results([POEM, CODE], BOTH_WANTED) == {}


async def test_a_copied_text_is_found_where_it_is(protected):
    before = "Of course, here it is: "
    match = await protected.find("text", before + POEM + " I hope that this helps.")
    assert (match.name, match.kind) == ("poem", "text")
    assert match.start - len(before) < 40
    assert match.end > len(before) + len(POEM) - 40


async def test_case_space_and_punctuation_change_nothing(protected):
    shouted = "\n\n".join(POEM.upper().replace(",", " -- ").replace(".", "!").replace("'", "\u2019").split())
    assert (await protected.find("text", shouted)).name == "poem"


async def test_copied_code_is_cited(protected):
    answer = "```python\n" + CODE.replace("    ", "\t").replace(" = ", "=") + "```"
    found = await protected.results([answer], BOTH_WANTED)
    assert found["protected_material_code"] == {
        "filtered": False,
        "detected": True,
        "citation": {"URL": "https://example.com/lists.py", "license": "MIT"},
    }
    assert found["protected_material_text"] == {"filtered": False, "detected": False}


async def test_a_blocking_policy_filters_what_it_finds(protected):
    found = await protected.results(["Hello.", POEM], {"protected_material_text": "block"})
    assert found == {"protected_material_text": {"filtered": True, "detected": True}}


async def test_a_text_about_the_same_thing_is_no_copy(protected):
    about = (
        "The poem tells of a ship that waits in the harbour for a wind, and of a keeper who lights the lamp each night."
        " It has a calm rhythm, few adjectives, and a last line that takes up the first one again."
    )
    assert await protected.find("text", about) is None


async def test_a_short_quotation_is_no_copy(protected):
    assert await protected.find("text", "As it says, " + " ".join(POEM.split()[5:25])) is None


@pytest.mark.parametrize("kind", ["text", "code"])
async def test_every_copy_of_the_promised_length_is_found_in_any_company(materials, kind):
    chance = random.Random(5)
    grain = GRAINS[kind]
    original = [chance.choice(VOCABULARY) for _ in range(400)]
    await materials.add(prepared(kind, " ".join(original), name="long"))
    protected = ProtectedMaterial(materials)
    for start in range(0, 360, 7):
        copied = original[start : start + grain.least]
        answer = [*sentence(chance, 20), *copied, *sentence(chance, 20)]
        assert await protected.find(kind, " ".join(answer)) is not None, start
        short = [*sentence(chance, 20), *copied[: grain.covered - 1], *sentence(chance, 20)]
        assert await protected.find(kind, " ".join(short)) is None, start


async def test_a_stream_is_told_once_enough_of_the_copy_is_there(protected):
    words = POEM.split()
    told = [await protected.find("text", " ".join(words[:count])) is not None for count in range(len(words) + 1)]
    first = told.index(True)
    assert 20 < first <= 30
    assert all(told[first:])


async def test_what_was_removed_is_found_no_more(protected, materials):
    await materials.remove("poem")
    assert await protected.find("text", POEM) is None
    assert set(await protected.results([POEM], BOTH_WANTED)) == {"protected_material_code"}


async def test_a_long_text_is_looked_through(protected):
    chance = random.Random(8)
    long = " ".join(sentence(chance, 5000))
    assert await protected.find("text", long) is None
    assert (await protected.find("text", f"{long} {POEM} {long}")).name == "poem"


def test_of_what_repeats_itself_some_places_are_kept():
    table = prepared("code", "x = [" + "0, " * 5000 + "]", name="table.py")
    assert len(table.fingerprints) < 2 * REPEATED
    assert table.tokens > 10_000


async def test_a_copy_is_found_beside_and_within_a_table(materials):
    zeros = "0, " * 3000
    await materials.add(prepared("code", f"table = [{zeros}]\n{CODE}", name="table.py"))
    protected = ProtectedMaterial(materials)
    (match,) = [await protected.find("code", f"[{zeros}] " + CODE)]
    assert match.end - match.start > len(CODE) - 40
    assert await protected.find("code", zeros) is not None
    assert await protected.find("code", CODE + "1, " * 500) is not None
    assert await protected.find("code", "1, " * 500) is None


async def test_what_was_added_with_all_its_places_is_compared_at_some_too(materials):
    zeros = "0, " * 3000
    limited = prepared("code", f"table = [{zeros}]\n{CODE}", name="table.py")
    every = fingerprints(list(GRAINS["code"].cut(f"table = [{zeros}]\n{CODE}")), GRAINS["code"])
    assert len(every) > 2 * len(limited.fingerprints)
    await materials.add(replace(limited, fingerprints=every))
    protected = ProtectedMaterial(materials)
    found = [await protected.find("code", text) for text in (zeros, f"[{zeros}] {CODE}", CODE)]
    assert [match is not None and match.name for match in found] == ["table.py"] * 3
    whole = found[1]
    assert whole.end - whole.start > len(CODE) - 40


def test_scripts_without_spaces_have_a_token_for_each_character():
    tokens = list(GRAINS["text"].cut("我们 can't"))
    assert [(token.value, token.start, token.end) for token in tokens] == [("我", 0, 1), ("们", 1, 2), ("cant", 3, 8)]


def test_a_text_has_at_least_one_fingerprint_from_k_tokens_on():
    grain = GRAINS["text"]
    words = list(grain.cut(" ".join(sentence(random.Random(1), 12))))
    assert fingerprints(words[: grain.k - 1], grain) == []
    assert [len(fingerprints(words[:count], grain)) >= 1 for count in (grain.k, grain.k + 1, 12)] == [True] * 3


def test_what_is_too_short_to_be_found_is_refused():
    with pytest.raises(InvalidRequest, match="has 3 words; copies are found from 30 on"):
        prepared("text", "Three short words", name="note.txt")
