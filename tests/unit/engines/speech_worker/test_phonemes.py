"""Texts to the letters that Kokoro reads."""

import pytest
from kokoro_onnx.config import DEFAULT_VOCAB

from smalt.engines.speech_worker.phonemes import phonemes, use_own_library


@pytest.fixture(autouse=True, scope="module")
def library():
    use_own_library()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Judge Charles, the boy, loves a little button, going out by day.", "en-us"),
        ("Judge Charles, the boy, loves a little button, going out by day.", "en-gb"),
        ("\u00bfC\u00f3mo est\u00e1s? Muy bien, gracias.", "es"),
        ("Le week-end, il fait beau.", "fr-fr"),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "hi"),
        ("Buongiorno, gli amici della zia.", "it"),
        ("N\u00e3o, obrigado.", "pt-br"),
    ],
)
def test_every_sound_is_in_the_models_vocabulary(text: str, language: str):
    said = phonemes(text, language)
    assert said
    # The sentence's turned marks are the only ones that the model never saw.
    assert {letter for letter in said if letter not in DEFAULT_VOCAB} <= {"\u00bf"}


def test_marks_stay_and_numbers_are_whole():
    said = phonemes("It is 1.5, or 1,234; no? Dr. Smith \u2013 yes!", "en-us")
    assert [mark for mark in said if mark in ",.;?!\u2014"] == [",", ";", "?", "\u2014", "!"]


def test_a_foreign_word_does_not_bring_its_languages_name():
    assert "(" not in phonemes("Le week-end et le parking", "fr-fr")


@pytest.mark.parametrize("text", ["", "\u2026", "...", "?!", "\u2014"])
def test_marks_alone_have_no_letters(text: str):
    assert not any(map(str.isalpha, phonemes(text, "en-us")))
