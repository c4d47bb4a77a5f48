"""The process that reads documents: it stays warm, is bounded, and takes nobody with it when it dies."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

import documents
from smalt.core.settings import RetrievalSettings
from smalt.retrieval.extraction import process
from smalt.retrieval.extraction.process import DocumentReader
from smalt.retrieval.extraction.refusal import DocumentRefused


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    reader = DocumentReader(RetrievalSettings(ocr=False))
    yield reader
    await reader.close()


async def text_of(reader: DocumentReader, path: Path, name: str = "a.txt") -> str:
    async with reader.read(path, name, path.parent) as document:
        return "".join(passage.text for passage in document.passages())


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if is_reader(one)]


def is_reader(process: psutil.Process) -> bool:
    """Whether it reads documents; one that other tests left dead and unclaimed tells nothing."""
    try:
        return "smalt.retrieval.extraction.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


async def test_one_warm_process_reads_many_documents_and_leaves_no_file(reader, tmp_path):
    used = set[int]()
    for number in range(5):
        path = documents.saved(tmp_path, "content", f"text {number}")
        assert await text_of(reader, path) == f"text {number}"
        used |= {child.pid for child in children()}
    assert len(used) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["content"]


async def test_documents_are_read_side_by_side(reader, tmp_path):
    paths = [documents.saved(tmp_path, f"content{number}", f"text {number}") for number in range(4)]
    texts = await asyncio.gather(*(text_of(reader, path) for path in paths))
    assert texts == [f"text {number}" for number in range(4)]


async def test_a_refusal_leaves_the_process_to_others(reader, tmp_path):
    with pytest.raises(DocumentRefused, match="The PDF is damaged"):
        await text_of(reader, documents.saved(tmp_path, "bad", b"%PDF-1.7 nonsense"))
    [child] = children()
    assert await text_of(reader, documents.saved(tmp_path, "good", "fine")) == "fine"
    assert [one.pid for one in children()] == [child.pid]


async def test_a_killed_process_is_replaced(reader, tmp_path):
    good = documents.saved(tmp_path, "good", "fine")
    await text_of(reader, good)
    [child] = children()
    os.kill(child.pid, signal.SIGSEGV)
    child.wait(10)
    with pytest.raises(DocumentRefused, match="made its reader crash"):
        await text_of(reader, good)
    assert await text_of(reader, good) == "fine"


async def test_a_document_that_takes_too_long_is_given_up(tmp_path):
    reader = DocumentReader(RetrievalSettings(ocr=False, extraction_seconds=0.5))
    # Nobody writes to this pipe, so that reading it never ends.
    os.mkfifo(tmp_path / "endless")
    with pytest.raises(DocumentRefused, match=r"longer than 0\.5 seconds.*extraction_seconds"):
        await text_of(reader, tmp_path / "endless")
    assert children() == []
    await reader.close()


async def test_a_document_that_computes_for_too_long_is_given_up(tmp_path):
    reader = DocumentReader(RetrievalSettings(ocr=False, extraction_seconds=1.5))
    # A page that draws its words again and again.
    drawn = "BT /F1 12 Tf (x) Tj ET " * 4_000_000
    endless = documents.pdf(drawn.removeprefix("BT /F1 12 Tf (").removesuffix(") Tj ET "))
    with pytest.raises(DocumentRefused, match=r"takes longer|takes more memory"):
        await text_of(reader, documents.saved(tmp_path, "endless", endless), "a.pdf")
    await reader.close()


async def test_a_document_that_needs_too_much_memory_is_given_up(tmp_path):
    reader = DocumentReader(RetrievalSettings(ocr=False, extraction_memory_bytes=2**28))
    # It unpacks to less than counts as a bomb, and its tree is many times as large as its text.
    paragraphs = "<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 800_000
    large = documents.saved(tmp_path, "large", documents.docx(more=paragraphs))
    with pytest.raises(DocumentRefused, match=r"takes more memory than 268435456 bytes.*extraction_memory_bytes"):
        await text_of(reader, large, "a.docx")
    assert await text_of(reader, documents.saved(tmp_path, "good", "fine")) == "fine"
    await reader.close()


async def test_a_sheet_of_two_cells_that_are_far_apart_does_no_harm(reader, tmp_path):
    corners = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    path = documents.saved(tmp_path, "sparse", documents.workbook("s", corners))
    with pytest.raises(DocumentRefused, match="takes more memory"):
        await text_of(reader, path, "a.xlsx")


async def test_a_document_that_is_nested_very_deeply_does_no_harm(reader, tmp_path):
    nested = "<w:sdt><w:sdtContent>" * 20_000 + "<w:p/>" + "</w:sdtContent></w:sdt>" * 20_000
    path = documents.saved(tmp_path, "deep", documents.docx(more=nested))
    with pytest.raises(DocumentRefused, match="nested too deeply"):
        await text_of(reader, path, "a.docx")


async def test_who_stops_waiting_stops_the_reading(reader, tmp_path):
    os.mkfifo(tmp_path / "endless")
    reading = asyncio.create_task(text_of(reader, tmp_path / "endless"))
    while not children():  # noqa: ASYNC110 - it is the system that tells
        await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.wait([reading])
    assert children() == []


async def test_a_process_that_has_read_enough_is_replaced(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MOST_DOCUMENTS", 2)
    path = documents.saved(tmp_path, "content", "text")
    for expected in (1, 0, 1):
        await text_of(reader, path)
        assert len(children()) == expected


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="Linux tells which network a process is in")
async def test_a_reading_process_is_in_no_network(reader, tmp_path):
    await text_of(reader, documents.saved(tmp_path, "content", "text"))
    [child] = children()
    if network_of("self") == network_of(child.pid):
        pytest.skip("this system lets nobody leave the network")
    assert interfaces_of(child.pid) == ["lo"]


def network_of(pid: int | str) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def interfaces_of(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines]
