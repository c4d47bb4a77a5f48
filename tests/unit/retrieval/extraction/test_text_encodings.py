"""Text is read in the encoding that it was written in."""
# ruff: noqa: RUF001 - letters that look alike are what this is about

import pytest

import documents
from smalt.retrieval.extraction.encodings import decode, decoded, encoding_of

RUSSIAN = "Это русский текст, который должен быть найден при поиске по документам."
JAPANESE = "これは日本語の文章です。検索できるはずです。\n"
CHINESE = "这是一个中文文档,用于测试编码检测。我们希望它能够被搜索到。"
FRENCH = "Café déjà vu – naïve résumé “quoted” costs €20."
GERMAN = "Grüße aus München, schöne Straße über Öl."
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy."

WRITTEN = [
    *((text, "utf-8") for text in (FRENCH, RUSSIAN, JAPANESE, CHINESE)),
    *((FRENCH, encoding) for encoding in ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252")),
    (GERMAN, "latin-1"),
    (CZECH, "cp1250"),
    (RUSSIAN, "koi8_r"),
    (RUSSIAN, "cp1251"),
    (JAPANESE, "cp932"),
    (JAPANESE, "euc_jp"),
    (CHINESE, "gb18030"),
    ("這是一個中文文件,用於測試編碼偵測。我們希望它能夠被搜尋到。", "big5"),
    ("이것은 한국어 문서입니다. 검색할 수 있어야 합니다.", "euc_kr"),
    ("Αυτό είναι ένα ελληνικό κείμενο για δοκιμή.", "cp1253"),
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN)
def test_the_encoding_is_found(tmp_path, text, encoding):
    written = text.encode(encoding)
    assert decode(written) == text
    assert "".join(decoded(documents.saved(tmp_path, "text", written))) == text


@pytest.mark.parametrize("text", [RUSSIAN, GERMAN, JAPANESE])
def test_letters_that_come_late_tell_the_encoding(tmp_path, text):
    encoding = {RUSSIAN: "cp1251", GERMAN: "cp1252", JAPANESE: "cp932"}[text]
    path = documents.saved(tmp_path, "text", b"plain words\n" * 60_000 + text.encode(encoding))
    assert "".join(decoded(path)).endswith(text)


def test_a_character_across_two_pieces_is_whole(tmp_path):
    text = "é" * 300_000
    path = documents.saved(tmp_path, "text", "x" + text)
    assert encoding_of(path) == "utf-8"
    assert "".join(decoded(path)) == "x" + text


def test_a_page_that_tells_its_encoding_is_believed():
    page = '<html><meta charset="koi8-r"><p>Привет</p></html>'
    assert decode(page.encode("koi8_r")) == page


def test_a_page_in_utf8_that_says_utf16_is_not_believed():
    page = '<html><meta charset="utf-16"><p>Привет</p></html>'
    assert decode(page.encode()) == page
