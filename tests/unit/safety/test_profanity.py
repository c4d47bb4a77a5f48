"""Swear words and what only looks like them."""

import pytest

from smalt.safety.profanity import is_profane, profanities


@pytest.mark.parametrize(
    "text",
    ["Oh shit.", "BULLSHIT!", "That is fucking great", "abso-fucking-lutely", "what a bastard's trick", "wankers"],
)
def test_swear_words_are_found(text):
    assert is_profane(text)


@pytest.mark.parametrize(
    "text",
    ["sh!t", "5h1t", "b1tch", "@sshole", "f*ck", "f**k this", "a**hole", "fuuuuck", "f u c k", "s.h.i.t"],
)
def test_disguises_are_seen_through(text):
    assert is_profane(text)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe and Penistone are towns in England.",
        "Mr Cockburn met Dick Van Dyke and Ms Wang in Essex.",
        "Matsushita and Hitchcock assassinated the classic cocktail passage.",
        "She graduated cum laude with a thesis on goat willows and titmice.",
        "Shiitake mushrooms, analysis, document, cockpit, peacock, shuttlecock, Bassett, Sussex, Lightwater",
        "I am a gay man. She is a lesbian. They are queer and Black.",
        "C# and F# are languages; use ** for powers and *args for the rest.",
        "sh*t" * 11 + " and " + "f*ck" + "in" * 20_000,
        "d*ckland f*ckface# sh**p",
        "S.H.I.E.L.D. and U.S.A. and a b c d e f",
        "The breast cancer screening found nothing in the rectum.",
        "",
    ],
)
def test_names_places_and_other_words_pass(text):
    assert list(profanities(text)) == []


def test_a_disguise_may_be_long():
    assert is_profane("f" + "u" * 50_000 + "ck")
    assert is_profane("shit" + "!" * 50_000)


def test_stars_stand_for_one_letter_each():
    written = ["sh*t", "s**t", "b*tch", "motherf***er", "bullsh#t"]
    assert list(profanities(" ".join([*written, "sh**t", "s*t", "sh*p"]))) == written


def test_the_words_are_told_as_they_are_written():
    assert list(profanities("Well, SH!T happens, f u c k")) == ["SH!T", "f u c k"]
