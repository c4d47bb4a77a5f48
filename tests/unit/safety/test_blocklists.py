"""What block lists find in texts."""

import pytest

from smalt.core.errors import InvalidRequest
from smalt.safety.blocklists import LiveBlocklists, Matcher, check_item, words
from smalt.store.blocklists import BlocklistItem, Blocklists
from smalt.store.database import Database


def finds(text, *terms, is_regex=False):
    return Matcher([BlocklistItem(term, is_regex) for term in terms]).matches(text, words(text))


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("I saw a Banana today", "banana"),
        ("BANANA!", "banana"),
        ("a red\n  banana", "Red Banana"),
        ("(c++)", "C++"),
        ("\uff22\uff41\uff4e\uff41\uff4e\uff41", "banana"),
        ("große STRASSE", "Straße"),
        ("Это БАНАН.", "банан"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("我喜欢香蕉和苹果", "香蕉"),
        ("ฉันชอบกล้วยมาก", "กล้วย"),
        ("cafe\u0301 noir", "caf\u00e9"),
        ("it is $$$ time", "$$$"),
    ],
)
def test_a_term_is_found_however_it_is_written(text, term):
    assert finds(text, "something else", term)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("bananas", "banana"),
        ("Scunthorpe", "cunt"),
        ("the class passes", "ass"),
        ("red, banana", "red banana"),
        ("банановый", "банан"),
        ("हिन्दीवाला", "हिन्दी"),
        ("", "banana"),
    ],
)
def test_a_term_within_a_word_is_not_found(text, term):
    assert not finds(text, term)


def test_a_regular_expression_is_found_in_upper_and_lower_case():
    assert finds("Order ACME-1234 now", r"\bacme-\d{4}\b", is_regex=True)
    assert not finds("Order ACME-12 now", r"\bacme-\d{4}\b", is_regex=True)


def test_a_regular_expression_that_others_need_forever_for_is_done_soon():
    assert not finds("a" * 100_000 + "!", r"^(a+)+$", is_regex=True)


@pytest.mark.parametrize("regex", ["(a", r"(a)\1", "(?<=a)b"])
def test_a_faulty_regular_expression_is_refused(regex):
    with pytest.raises(InvalidRequest, match="RE2"):
        check_item(BlocklistItem(regex, is_regex=True))


def test_a_term_without_words_is_refused():
    with pytest.raises(InvalidRequest, match="no words"):
        check_item(BlocklistItem("\u00a0"))


async def test_a_running_server_sees_changes(store_url):
    database = Database.open(store_url)
    blocklists = Blocklists(database)
    live = LiveBlocklists(Blocklists(database), fresh_seconds=0)
    assert await live.matching(["rivals"], ["by Acme"]) == []
    await blocklists.create("rivals")
    await blocklists.create("fruit")
    await blocklists.add("rivals", [BlocklistItem("acme")])
    await blocklists.add("fruit", [BlocklistItem("ban.na", is_regex=True)])
    assert await live.names() == ["fruit", "rivals"]
    assert await live.matching(["rivals", "fruit"], ["one", "by Acme"]) == ["rivals"]
    assert await live.matching(["rivals", "fruit"], ["Acme banana"]) == ["rivals", "fruit"]
    assert await live.matching(["fruit"], ["Acme"]) == []
    await blocklists.delete("rivals")
    assert await live.matching(["rivals"], ["Acme"]) == []
    await database.close()
