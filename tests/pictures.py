"""Photos and drawings for tests: two that matplotlib brings, and some that are made here."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from PIL import Image

Colour = tuple[int, ...]


def photo() -> bytes:
    """A JPEG of Grace Hopper, by the US Navy."""
    return _sample("grace_hopper.jpg")


def drawing() -> bytes:
    """A PNG of a picture frame with a bird in it, with transparent parts."""
    return _sample("Minduka_Present_Blue_Pack.png")


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    with BytesIO() as content:
        picture.save(content, form, **options)
        return content.getvalue()


def plain(colour: Colour = (200, 30, 30), size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def animation(frames: Sequence[Image.Image], form: str) -> bytes:
    first, *others = frames
    lossless = {"lossless": True} if form == "WEBP" else {}
    return encoded(first, form, save_all=True, append_images=others, duration=40, **lossless)


def _sample(name: str) -> bytes:
    return (Path(mpl.get_data_path()) / "sample_data" / name).read_bytes()
