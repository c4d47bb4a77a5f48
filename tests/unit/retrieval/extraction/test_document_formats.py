"""What is read out of documents of every format, and what is said about those that cannot be read."""

import importlib.util
import zipfile
from pathlib import Path

import pytest

import documents
from smalt.retrieval.extraction.reading import read_document
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Passage

COBALT = "The grinder crushed the cobalt glass."


@pytest.fixture
def read(tmp_path):
    """Read content that was uploaded under a name."""

    def read(name: str, content: bytes | str, *, ocr: bool = False) -> list[Passage]:
        passages: list[Passage] = []
        read_document(documents.saved(tmp_path, "content", content), name, passages.append, ocr=ocr)
        return passages

    return read


def text_of(passages: list[Passage]) -> str:
    return "".join(passage.text for passage in passages)


def places(passages: list[Passage]) -> list[tuple[int | None, str | None]]:
    return [(passage.page, passage.heading) for passage in passages]


@pytest.mark.parametrize(
    "extension",
    [
        *("c", "cpp", "cs", "css", "go", "html", "java", "js", "json", "md", "php", "py", "rb", "sh", "tex", "ts"),
        *("txt", "csv", "xml", "yaml", "toml", "ini", "log", "rst", "sql"),
    ],
)
def test_text_is_read_whatever_its_extension(read, extension):
    assert COBALT in text_of(read(f"notes.{extension}", COBALT))


def test_source_code_keeps_its_lines_and_spaces(read):
    code = "def grind(x):\n    if x:\n        return '<b>'  # fine\n"
    assert text_of(read("a.py", code)) == code


def test_text_without_an_extension_is_read(read):
    assert text_of(read("Dockerfile", "FROM scratch\n")) == "FROM scratch\n"


def test_line_ends_of_other_systems_become_line_feeds(read):
    assert text_of(read("a.txt", b"one\r\ntwo\rthree\n")) == "one\ntwo\nthree\n"


def test_markdown_stands_under_its_headings(read):
    source = "before\n# Smalt\nblue\n## Grinding\nfine\n```\n# no heading\n```\nOther\n=====\nlast\n"
    passages = read("a.md", source)
    assert text_of(passages) == source
    assert [passage.heading for passage in passages] == [None, "Smalt", "Smalt > Grinding", "Other"]


def test_html_is_read_as_it_is_seen(read):
    page = (
        "<html><head><title>Pigments</title><style>b {}</style><script>var hidden = 1;</script></head><body>"
        "<h1>Smalt</h1><p>It is <b>ground</b> cobalt&nbsp;glass &amp; more.</p><h2>Use</h2><div>bare <i>text</i></div>"
        "<dl><dt>term<dd>meaning</dl><ul><li>one<li>two</ul><pre>a\n  b</pre>"
        "<table><tr><td><p>left</p></td><td>right</td></tr></table>tail</body></html>"
    )
    passages = read("a.html", page)
    shown = text_of(passages)
    assert "It is ground cobalt glass & more." in shown.replace("\xa0", " ")
    assert "hidden" not in shown
    for words in ("Pigments", "bare text", "term", "meaning", "one\ntwo", "a\n  b", "left\tright", "tail"):
        assert words in shown
    assert passages[-1].heading == "Smalt > Use"


def test_a_page_without_an_extension_is_seen_to_be_html(read):
    assert text_of(read("page", "<!DOCTYPE html><p>seen")) == "seen\n\n"


def test_an_email_is_read_with_its_headers_and_attached_texts(read):
    message = (
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: Ada <ada@example.org>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain; charset=iso-8859-1\n'
        "Content-Transfer-Encoding: quoted-printable\n\nsch=F6n\n--x\nContent-Type: text/csv; name=a.csv\n"
        "Content-Disposition: attachment; filename=a.csv\n\n1,2\n--x--\n"
    )
    shown = text_of(read("a.eml", message))
    for words in ("Subject: Grüße", "From: Ada <ada@example.org>", "schön", "Attachment: a.csv", "1,2"):
        assert words in shown


def test_a_pdf_is_read_page_by_page(read):
    passages = read("a.pdf", documents.pdf("First page here.", "", "Third page here."))
    assert [(passage.page, passage.text.strip()) for passage in passages] == [
        (1, "First page here."),
        (3, "Third page here."),
    ]


def test_a_word_document_stands_under_its_headings(read):
    content = documents.docx(
        ("heading 1", "Smalt"),
        ("", COBALT),
        ("heading 2", "Price"),
        ("", "Cheap."),
        more=documents.docx_table(("a", "b")),
    )
    passages = read("a.docx", content)
    assert places(passages) == [(None, "Smalt"), (None, "Smalt > Price")]
    assert COBALT in passages[0].text
    assert "a\tb" in passages[1].text


def test_slides_are_pages_in_the_order_they_are_shown(read):
    passages = read("a.pptx", documents.pptx(("Smalt", "blue", "say hello"), ("Azurite", "bluer", "say goodbye")))
    assert places(passages) == [(1, "Smalt"), (2, "Azurite")]
    assert "blue\nsay hello" in passages[0].text
    assert "bluer\nsay goodbye" in passages[1].text


def test_a_sheet_is_a_heading_with_rows(read):
    passages = read("a.xlsx", documents.xlsx("Prices", ("smalt", 12), ("azurite", 300)))
    assert places(passages) == [(None, "Prices")]
    assert "smalt\t12\nazurite\t300\n" in passages[0].text


def test_an_opendocument_text_stands_under_its_headings(read):
    body = '<t:h t:outline-level="1">Smalt</t:h><t:p>ground<t:s t:c="2"/><t:span>glass</t:span></t:p>'
    passages = read("a.odt", documents.odt(body))
    assert places(passages) == [(None, "Smalt")]
    assert "ground  glass" in passages[0].text


def test_a_book_is_read_in_the_order_of_its_spine(read):
    first, second = "<html><h1>One</h1><p>first</p></html>", "<html><h1>Two</h1><p>second</p></html>"
    passages = read("a.epub", documents.epub(first, second))
    assert [(passage.heading, passage.text.split()[-1]) for passage in passages] == [
        ("One", "first"),
        ("Two", "second"),
    ]


def test_rich_text_is_read_without_its_formatting(read):
    content = rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe {\b World}\par Caf\u233?}"
    assert text_of(read("a.rtf", content)).split("\n\n")[:2] == ["Grüße World", "Café"]


def test_the_content_decides_and_not_the_name(read):
    assert "really a PDF" in text_of(read("notes.txt", documents.pdf("It is really a PDF.")))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.epub", "a.doc"])
def test_a_document_that_is_not_what_its_name_says_is_refused(read, name):
    with pytest.raises(DocumentRefused, match="damaged, or named wrongly") as refusal:
        read(name, COBALT)
    assert refusal.value.code == "invalid_file"


@pytest.mark.parametrize("name", ["a.exe", "a.bin", "movie.mp4", "a.txt"])
def test_what_cannot_be_read_is_refused_with_what_can(read, name):
    with pytest.raises(DocumentRefused, match=r"\.docx .*\.pdf .*plain text") as refusal:
        read(name, b"\x7fELF\x02\x01\x00\x00" + bytes(range(32)) * 20)
    assert refusal.value.code == "unsupported_file"


def test_an_archive_is_told_to_be_unpacked(read):
    with pytest.raises(DocumentRefused, match="Unpack it") as refusal:
        read("all.zip", documents.zipped({"a.txt": "hello"}))
    assert refusal.value.code == "unsupported_file"


@pytest.mark.parametrize("content", ["", " \n\t\n", "\ufeff"])
def test_a_document_without_text_is_refused(read, content):
    with pytest.raises(DocumentRefused, match="holds no text") as refusal:
        read("a.txt", content)
    assert refusal.value.code == "invalid_file"


def test_a_scan_is_refused_with_the_command_that_installs_ocr(read):
    with pytest.raises(DocumentRefused, match=r"smalt\[ocr\]"):
        read("a.pdf", documents.pdf(""))


def test_a_picture_is_refused_with_the_command_that_installs_ocr(read):
    with pytest.raises(DocumentRefused, match=r"smalt\[ocr\]") as refusal:
        read("a.png", b"\x89PNG\r\n\x1a\n" + bytes(30))
    assert refusal.value.code == "unsupported_file"


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.docx", documents.docx(("", COBALT))),
        ("a.xlsx", documents.xlsx("s", ("a", 1))),
        ("a.pptx", documents.pptx(("t", "b", "n"))),
        ("a.epub", documents.epub("<p>x</p>")),
        ("a.odt", documents.odt("<t:p>x</t:p>")),
    ],
)
def test_a_document_that_was_cut_off_is_refused(read, name, content, cut):
    with pytest.raises(DocumentRefused, match="damaged") as refusal:
        read(name, content[: int(cut * len(content))])
    assert refusal.value.code == "invalid_file"


def test_a_pdf_that_is_nothing_but_a_start_is_refused(read):
    with pytest.raises(DocumentRefused, match="The PDF is damaged"):
        read("a.pdf", b"%PDF-1.7\n" + b"garbage " * 100)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.docx", documents.docx(("", COBALT), prologue=LAUGHS)), ("a.odt", documents.odt("<t:p>&b;</t:p>", LAUGHS))],
)
def test_a_document_with_entities_of_its_own_is_refused(read, name, content):
    with pytest.raises(DocumentRefused, match="defines an XML entity"):
        read(name, content)


def test_a_document_that_would_unpack_to_too_much_is_refused(read):
    bomb = documents.zipped({"word/document.xml": b" " * (64 << 20)})
    assert len(bomb) < 100_000
    with pytest.raises(DocumentRefused, match="decompression bomb"):
        read("a.docx", bomb)


def test_a_document_of_too_many_files_is_refused(read, tmp_path):
    path = tmp_path / "many"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for number in range(20_001):
            archive.writestr(str(number), "")
    with pytest.raises(DocumentRefused, match="archive of 20002 files"):
        read("a.epub", path.read_bytes())


def test_no_text_holds_what_no_database_takes(read):
    assert text_of(read("a.txt", "a\ufeffb".encode())) == "ab"
    assert "\ufffd" in text_of(read("a.rtf", rb"{\rtf1 x\u-10179?y}"))


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="the extra ocr is not installed")
def test_a_picture_and_a_scan_are_read_by_ocr(read, tmp_path: Path):
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (900, 300), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((30, 120), "Bring 42 sacks of quartz sand.", fill="black", font=ImageFont.load_default(40))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.pdf")
    for name in ("a.png", "a.pdf"):
        assert "42 sacks of quartz sand" in text_of(read(name, (tmp_path / name).read_bytes(), ocr=True))
