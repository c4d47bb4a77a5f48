"""Small documents of every kind, with text that tests know."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """An archive of these parts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def relations(*pairs: tuple[str, str, str]) -> str:
    rows = "".join(f'<Relationship Id="{name}" Type="{KINDS}/{kind}" Target="{to}"/>' for name, kind, to in pairs)
    return f'<Relationships xmlns="{RELATIONS}">{rows}</Relationships>'


def docx(*paragraphs: tuple[str, str], more: str = "", prologue: str = "") -> bytes:
    """A Word document; a paragraph is its style (empty, or `heading 1`) and its text."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="H{level}"><w:name w:val="heading {level}"/></w:style>'
        for level in range(1, 4)
    )
    body = "".join(f"<w:p>{_style(style)}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for style, text in paragraphs)
    return zipped(
        {
            "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": relations(("r1", "styles", "styles.xml")),
            "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
            "word/document.xml": f"{prologue}<w:document {W}><w:body>{body}{more}</w:body></w:document>",
        }
    )


def _style(name: str) -> str:
    return f'<w:pPr><w:pStyle w:val="H{name[-1]}"/></w:pPr>' if name else ""


def docx_table(*rows: tuple[str, ...]) -> str:
    """A table for `docx`."""
    cells = ("".join(f"<w:tc><w:p><w:r><w:t>{escape(cell)}</w:t></w:r></w:p></w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def pptx(*slides: tuple[str, str, str]) -> bytes:
    """A presentation; a slide is its title, its text and its notes. The files lie in the opposite order."""
    number = len(slides)
    names = [f"slides/slide{number - index}.xml" for index in range(number)]
    parts = {
        "ppt/presentation.xml": f"<p:presentation {P} {R}><p:sldIdLst>"
        + "".join(f'<p:sldId id="{256 + index}" r:id="rId{index}"/>' for index in range(number))
        + "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"rId{index}", "slide", name) for index, name in enumerate(names))
        ),
    }
    for index, (title, text, notes) in enumerate(slides):
        file = names[index].split("/")[1]
        parts[f"ppt/{names[index]}"] = f"<p:sld {P} {A}>{_shape('title', title)}{_shape('body', text)}</p:sld>"
        parts[f"ppt/slides/_rels/{file}.rels"] = relations(("n", "notesSlide", f"../notesSlides/{file}"))
        parts[f"ppt/notesSlides/{file}"] = f"<p:notes {P} {A}>{_shape('body', notes)}</p:notes>"
    return zipped(parts)


def _shape(kind: str, text: str) -> str:
    placed = f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
    return f"{placed}<p:txBody><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp>"


def xlsx(name: str, *rows: tuple[str | int, ...]) -> bytes:
    """A workbook of one sheet."""
    cells = "".join("<row>" + "".join(_cell(cell) for cell in row) + "</row>" for row in rows)
    return workbook(name, cells)


def workbook(name: str, rows: str) -> bytes:
    """A workbook of one sheet with these rows, as XML."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<sheets><sheet name="{name}" sheetId="1" r:id="r1"/></sheets>'
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{kinds}"/>',
            "_rels/.rels": relations(("r1", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{main}" {R}>{sheet}</workbook>',
            "xl/_rels/workbook.xml.rels": relations(("r1", "worksheet", "worksheets/sheet1.xml")),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        }
    )


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def odt(body: str, prologue: str = "") -> bytes:
    """An OpenDocument text; the namespace of its text is `t`."""
    content = (
        f'{prologue}<o:document-content xmlns:o="urn:o" xmlns:t="{TEXT}"><o:body>{body}</o:body></o:document-content>'
    )
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def epub(*chapters: str) -> bytes:
    """A book; the files lie in the opposite order of the spine."""
    items = "".join(f'<item id="c{index}" href="text/c{index}.xhtml"/>' for index in reversed(range(len(chapters))))
    spine = "".join(f'<itemref idref="c{index}"/>' for index in range(len(chapters)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="OEBPS/book.opf"/></container>',
            "OEBPS/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OEBPS/text/c{index}.xhtml": chapter for index, chapter in enumerate(chapters)},
        }
    )


def pdf(*pages: str) -> bytes:
    """A PDF with one line of text on each page; an empty line makes a page without text."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids: list[int] = []
    for text in pages:
        shown = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        kids.append(len(objects) + 1)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] /Count {len(kids)} >>"
    return _written(objects)


def _written(objects: list[str]) -> bytes:
    written, places = "%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += f"{number} 0 obj\n{content}\nendobj\n"
    start = len(written)
    written += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    written += "".join(f"{place:010} 00000 n \n" for place in places)
    return (written + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").encode()


def saved(folder: Path, name: str, content: bytes | str) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
