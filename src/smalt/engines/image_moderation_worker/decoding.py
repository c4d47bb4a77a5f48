"""Decodes pictures within limits: what is broken or too large is refused, and animations give some of their frames."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO

from PIL import Image, ImageOps

from smalt.engines.image_moderation_worker.gif import gif_extent
from smalt.engines.image_moderation_worker.options import ImageModerationOptions
from smalt.engines.pictures import broken_picture, picture_format, unsupported_picture

Picture = Image.Image

LARGEST_SIDE = 448
"""Pixels of the longer side that are kept: twice what the models see."""

BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AssertionError),
    *(struct.error, zlib.error),
)
"""What Pillow raises, beside its own errors, for files that end early or hold nonsense."""

TOO_LARGE = (Image.DecompressionBombError, MemoryError)

# The limits here are stricter, and told to the client.
Image.MAX_IMAGE_PIXELS = None


def frames(content: bytes, number: int, options: ImageModerationOptions) -> Iterator[Picture]:
    """The picture, or the chosen frames of an animation, upright and small, in RGB over white."""
    found = picture_format(content)
    if found is None:
        raise unsupported_picture(number)
    if found == "GIF":
        extent = gif_extent(content, options.max_animation_frames)
        _check_size(number, options, extent.width, extent.height, extent.frames)
    try:
        with Image.open(BytesIO(content), formats=[found]) as picture:
            count = _frame_count(picture)
            _check_size(number, options, picture.width, picture.height, count)
            yield from _chosen(picture, _spread(count, options.frames))
    except TOO_LARGE as error:
        raise broken_picture(number, "is too large to be decoded. Send a smaller one.") from error
    except BROKEN as error:
        raise broken_picture(number, "cannot be decoded: the file is broken or incomplete.") from error


def _check_size(number: int, options: ImageModerationOptions, width: int, height: int, count: int) -> None:
    """Raise for a picture with too many pixels, or an animation with too many frames."""
    size = width * height
    if size > options.max_pixels:
        reason = f"has {width} x {height} pixels; the most are {options.max_pixels}. Send a smaller one."
    elif count > options.max_animation_frames:
        reason = f"has more than {options.max_animation_frames} frames. Send a shorter one."
    elif count > 1 and size * count > options.max_animation_pixels:
        most = options.max_animation_pixels
        reason = f"has {count} frames of {size} pixels; the most are {most} together. Send a shorter or smaller one."
    else:
        return
    raise broken_picture(number, reason)


def _chosen(picture: Picture, places: Sequence[int]) -> Iterator[Picture]:
    for place in places:
        if place:
            picture.seek(place)
        yield _prepared(picture)


def _frame_count(picture: Picture) -> int:
    # A photo with a second view or a depth map beside it is one picture.
    return 1 if picture.format in {"JPEG", "MPO"} else getattr(picture, "n_frames", 1)


def _spread(count: int, most: int) -> list[int]:
    """At most so many places from the first to the last."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [0]
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


def _prepared(picture: Picture) -> Picture:
    # Lets the decoder of JPEG make a smaller picture at once; other formats know nothing of it.
    picture.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
    picture.load()
    whole = _in_eight_bits(picture)
    scale = min(1.0, LARGEST_SIDE / max(whole.size))
    width, height = (max(1, round(side * scale)) for side in whole.size)
    small = whole.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    upright = _upright(small)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    white = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB")


def _upright(picture: Picture) -> Picture:
    """The picture turned as its EXIF says; as it is where that cannot be read, for then everyone sees it so."""
    try:
        return ImageOps.exif_transpose(picture)
    except BROKEN:
        return picture


def _in_eight_bits(picture: Picture) -> Picture:
    """The picture in a mode that can be made smaller: no palette, no more than 8 bits a channel."""
    if picture.mode.startswith(("I", "F")):
        # Other conversions would cut greys of 16 bits off at 255.
        return picture.convert("F").point(lambda value: value * (255 / 65535)).convert("L")
    if picture.mode in {"L", "RGB", "RGBA", "CMYK", "YCbCr"}:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
