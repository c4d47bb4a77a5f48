"""Documents of many makers, read as ingestion reads them: what people see is there, what cannot be read says why."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pypdfium2
import pytest

from public_documents import public_document
from smalt.core.settings import RetrievalSettings
from smalt.retrieval.extraction.process import DocumentReader
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Passage

pytestmark = pytest.mark.real

RESOURCES, TEST_DATA = "resources", "tests/test-data"

READ = [
    ("pypdf", f"{RESOURCES}/crazyones.pdf", ["The round pegs in the square holes."]),
    ("pypdf", f"{RESOURCES}/Seige_of_Vicksburg_Sample_OCR.pdf", ["Johnston is coming with fifty\nthousand men"]),
    ("pypdf", f"{RESOURCES}/multilang.pdf", ["Привет, мир", "你好世界", "สวัสดีชาวโลก", "مرحبا بالعالم"]),
    ("pypdf", f"{RESOURCES}/GeoBase_NHNC1_Data_Model_UML_EN.pdf", ["National Hydro Network", "Linear Reference"]),
    ("oletools", f"{TEST_DATA}/msodde/harmless-clean.doc", ["Not even a single insult.", "ünicöde-ßtringß"]),
    ("oletools", f"{TEST_DATA}/oleobj/embedded-unicode.doc", ["an embedded object which is a file with unicode"]),
    ("oletools", f"{TEST_DATA}/msodde/harmless-clean.docx", ["Not even a single insult.", "ünicöde-ßtringß"]),
    ("oletools", f"{TEST_DATA}/oleobj/embedded-simple-2007.pptx", ["Embedded Objects", "harmless ASCII text file"]),
    ("oletools", f"{TEST_DATA}/msodde/dde-test.xlsx", ["Tabelle1", "Long live open source!"]),
    ("oletools", f"{TEST_DATA}/msodde/RTF-Spec-1.7.rtf", ["Rich Text Format (RTF) Specification", "\\fonttbl"]),
    ("odfpy", "tests/examples/serious_poem.odt", ["The boy stood    on the burning deck,"]),
]

REFUSED = [
    ("pypdf", f"{RESOURCES}/encryption/r6-user-password.pdf", "protected with a password"),
    ("pypdf", f"{RESOURCES}/git.pdf", "pictures and no text"),
    *(
        ("oletools", f"{TEST_DATA}/encrypted/encrypted.{kind}", "protected with a password")
        for kind in ("doc", "docx", "xlsx", "pptx")
    ),
]


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    reader = DocumentReader(RetrievalSettings(ocr=False))
    yield reader
    await reader.close()


async def passages(reader: DocumentReader, content: bytes, name: str, folder: Path) -> list[Passage]:
    path = folder / "content"
    path.write_bytes(content)
    async with reader.read(path, name, folder) as document:
        return list(document.passages())


@pytest.mark.parametrize(("package", "member", "phrases"), READ, ids=[Path(member).name for _, member, _ in READ])
async def test_a_document_says_what_its_readers_see(reader, tmp_path, package, member, phrases):
    content = public_document(package, member)
    found = await passages(reader, content, Path(member).name, tmp_path)
    text = "".join(one.text for one in found)
    assert [phrase for phrase in phrases if phrase not in text] == []
    if member.endswith(".pdf"):
        pages = [one.page for one in found]
        assert pages == sorted(set(pages))


@pytest.mark.parametrize(("package", "member", "reason"), REFUSED, ids=[Path(member).name for _, member, _ in REFUSED])
async def test_a_document_that_cannot_be_read_says_why(reader, tmp_path, package, member, reason):
    content = public_document(package, member)
    with pytest.raises(DocumentRefused, match=reason):
        await passages(reader, content, Path(member).name, tmp_path)


async def test_a_scanned_page_is_read_by_ocr_as_its_own_text_layer_has_it(tmp_path):
    scan = pypdfium2.PdfDocument(public_document("pypdf", f"{RESOURCES}/Seige_of_Vicksburg_Sample_OCR.pdf"))
    page = scan[1]
    page.render(scale=2).to_pil().save(tmp_path / "page.png")
    wanted = re.findall(r"[a-z]{4,}", page.get_textpage().get_text_range().lower())
    reader = DocumentReader(RetrievalSettings(ocr=True))
    found = await passages(reader, (tmp_path / "page.png").read_bytes(), "page.png", tmp_path)
    await reader.close()
    text = "".join(one.text for one in found).lower()
    assert len(wanted) > 100
    assert sum(word in text for word in wanted) > 0.9 * len(wanted)
