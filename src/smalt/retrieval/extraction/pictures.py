"""Reads the text in pictures with the extra `ocr`: models and all are in the package, nothing is fetched."""

import logging
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from smalt.retrieval.extraction.outline import Outline
from smalt.retrieval.extraction.refusal import DocumentRefused

MOST_PIXELS = 100_000_000
LONGEST_SIDE = 3000
MISSING = "Install OCR with: pip install 'smalt[ocr]' (and leave retrieval.ocr on), then attach the file again."


def has_ocr() -> bool:
    """Whether the extra is installed."""
    return find_spec("rapidocr") is not None


def read_pictures(path: Path, outline: Outline, *, ocr: bool) -> None:
    """Read a picture; the pictures of a TIFF are its pages."""
    if not ocr:
        raise DocumentRefused(
            f"This is a picture, and reading text in pictures is not set up. {MISSING}", code="unsupported_file"
        )
    for number, frame in enumerate(_frames(path), start=1):
        outline.page(number)
        outline.paragraph(picture_text(frame))
    outline.flush()


def picture_text(picture: Any) -> str:
    """The lines of text in a picture, from top to bottom."""
    import numpy as np

    picture = picture.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    found = _reader()(np.asarray(picture)[:, :, ::-1])
    return "\n".join(found.txts or ())


def _frames(path: Path) -> Any:
    from PIL import Image, ImageSequence

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DocumentRefused(
                        f"The picture has {image.width} x {image.height} points; the most is {MOST_PIXELS}. "
                        "Make it smaller."
                    )
                # An animation shows the same text again and again.
                frames = ImageSequence.Iterator(image) if image.format == "TIFF" else [image]
                yield from frames
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DocumentRefused(
            f"The picture is damaged or of an unknown kind ({error}). Save it again as PNG."
        ) from error


@cache
def _reader() -> Any:
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})
