"""Pictures are decoded upright, small and in RGB; what is broken or too large is refused."""

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from pictures import animation, drawing, encoded, photo, plain
from smalt.core.errors import InvalidRequest
from smalt.engines.image_moderation_worker.decoding import LARGEST_SIDE, frames
from smalt.engines.image_moderation_worker.gif import gif_extent
from smalt.engines.image_moderation_worker.options import ImageModerationOptions

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def decoded(content: bytes, **options: int) -> list[Image.Image]:
    return list(frames(content, 1, ImageModerationOptions(**options)))


def is_like(picture: Image.Image, colour: tuple[int, ...], place: tuple[int, int] = (5, 5)) -> bool:
    found = picture.getpixel(place)
    assert isinstance(found, tuple)
    return all(abs(one - other) < 40 for one, other in zip(found, colour, strict=True))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_format_is_decoded(form: str):
    (picture,) = decoded(encoded(plain(RED), form))
    assert picture.mode == "RGB"
    assert picture.size == (40, 30)
    assert is_like(picture, RED)


def test_a_photo_becomes_small_in_its_own_proportions():
    (picture,) = decoded(photo())
    assert max(picture.size) == LARGEST_SIDE
    assert picture.size == (round(LARGEST_SIDE * 512 / 600), LARGEST_SIDE)


def test_what_is_transparent_is_white():
    (picture,) = decoded(encoded(plain((*RED, 0), mode="RGBA"), "PNG"))
    assert is_like(picture, (255, 255, 255))
    (picture,) = decoded(drawing())
    assert picture.mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("L", (90,), (90, 90, 90)),
        ("LA", (90, 255), (90, 90, 90)),
        ("1", (1,), (255, 255, 255)),
        ("P", (0,), (0, 0, 0)),
        ("I;16", (25_700,), (100, 100, 100)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(mode: str, colour: tuple[int, ...], seen: tuple[int, ...]):
    made = Image.new(mode, (40, 30), colour[0] if len(colour) == 1 else colour)
    (picture,) = decoded(encoded(made, "PNG"))
    assert is_like(picture, seen)


def test_a_cmyk_jpeg_becomes_rgb():
    (picture,) = decoded(encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG"))
    assert picture.mode == "RGB"


def test_a_photo_is_turned_as_its_exif_says_and_nonsense_in_it_harms_nobody():
    two = plain(RED, (40, 20))
    two.paste(BLUE, (20, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    (picture,) = decoded(encoded(two, "JPEG", exif=exif, subsampling=0))
    assert picture.size == (20, 40)
    assert is_like(picture, RED, (10, 5))
    assert is_like(picture, BLUE, (10, 35))
    (picture,) = decoded(encoded(two, "JPEG", exif=b"Exif\0\0nonsense"))
    assert picture.size == (40, 20)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_the_last_and_some_between_are_looked_at(form: str):
    shades = [(place * 20, 0, 0) for place in range(12)]
    found = decoded(animation([plain(shade) for shade in shades], form), frames=4)
    assert len(found) == 4
    reds = [picture.getpixel((5, 5))[0] for picture in found]  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]
    assert [round(red / 20) for red in reds] == [0, 4, 7, 11]
    assert len(decoded(animation([plain(RED), plain(GREEN)], form))) == 2
    assert len(decoded(animation([plain(RED), plain(GREEN)], form), frames=1)) == 1


def test_too_many_pixels_are_refused_before_they_are_decoded():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )
    with pytest.raises(InvalidRequest, match="60000 x 60000") as refusal:
        decoded(bomb)
    assert refusal.value.param == "input"
    still = encoded(plain(), "PNG")
    with pytest.raises(InvalidRequest, match="1199"):
        decoded(still, max_pixels=1199)
    assert decoded(still, max_pixels=1200)
    moving = animation([plain(RED), plain(GREEN), plain(BLUE)], "GIF")
    with pytest.raises(InvalidRequest, match="3 frames"):
        decoded(moving, max_animation_pixels=3599)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_too_many_frames_are_refused(form: str):
    moving = animation([plain(colour, (8, 8)) for colour in (RED, GREEN, BLUE)], form)
    assert len(decoded(moving, max_animation_frames=3)) == 3
    with pytest.raises(InvalidRequest, match="more than 2 frames"):
        decoded(moving, max_animation_frames=2)


def test_a_gif_with_too_many_frames_is_not_read_to_its_end():
    tiny = encoded(plain(RED, (1, 1)).convert("P"), "GIF")
    frame = tiny[tiny.index(b"\x2c\0\0\0\0\1\0\1\0") : -1]
    assert gif_extent(tiny[:-1] + 5000 * frame, 40).frames == 41
    assert gif_extent(tiny[:-1] + 20 * frame + b";", 40).frames == 21
    with pytest.raises(InvalidRequest, match="more than 2000 frames"):
        decoded(tiny[:-1] + 5000 * frame)


def test_a_frame_that_reaches_beyond_the_screen_counts():
    small, large = (encoded(Image.new("P", size), "GIF") for size in ((10, 10), (900, 800)))
    growing = small[:-1] + large[large.index(b"\x2c\0\0\0\0\x84\3\x20\3") :]
    assert len(decoded(growing)) == 2
    with pytest.raises(InvalidRequest, match="900 x 800"):
        decoded(growing, max_pixels=719_999)


@pytest.mark.parametrize("seed", range(4))
def test_frames_are_counted_as_they_are_decoded(seed: int):
    draw = random.Random(seed)
    shapes = [Image.effect_noise((20, 16), 90).convert("P") for _ in range(4)]
    whole = encoded(shapes[0], "GIF", save_all=True, append_images=shapes[1:], loop=2, comment=b"noise")
    compared = 0
    for spoiled in (whole, *(spoil(whole, draw) for _ in range(150))):
        try:
            with Image.open(BytesIO(spoiled), formats=["GIF"]) as picture:
                count = picture.n_frames  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        except Exception:  # noqa: BLE001 whatever Pillow makes of nonsense
            continue
        assert gif_extent(spoiled, 1000).frames == count
        compared += 1
    assert compared > 50


def test_files_that_are_cut_off_are_refused():
    for form in ("PNG", "JPEG", "WEBP", "GIF"):
        whole = encoded(Image.effect_mandelbrot((60, 60), (-2, -1.5, 1, 1.5), 20).convert("RGB"), form)
        for size in (len(whole) // 3, 20):
            with pytest.raises(InvalidRequest, match="Picture 1"):
                decoded(whole[:size])


def test_nothing_else_than_pictures_is_opened():
    for content in (b"", b"GIF", b"BM" + bytes(100), b"II*\0" + bytes(100), b"%!PS-Adobe", b"<svg/>", b"RIFF1234WAVE"):
        with pytest.raises(InvalidRequest, match=r"PNG, JPEG, WebP or GIF"):
            decoded(content)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, for nonsense in EXIF
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_spoiled_files_are_decoded_or_refused_and_nothing_else(form: str):
    draw = random.Random(form)
    shapes = [Image.effect_mandelbrot((60, 50), (-2, -1.5, 1, 1.5), 20 + step).convert("P") for step in range(3)]
    whole = animation(shapes, form) if form in {"GIF", "WEBP"} else encoded(shapes[0].convert("RGB"), form)
    outcomes = {True: 0, False: 0}
    for _ in range(200):
        try:
            outcomes[bool(decoded(spoil(whole, draw)))] += 1
        except InvalidRequest:
            outcomes[False] += 1
    assert outcomes[False]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def spoil(whole: bytes, draw: random.Random) -> bytes:
    spoiled = bytearray(whole)
    for _ in range(draw.randrange(1, 6)):
        spoiled[draw.randrange(len(spoiled))] = draw.randrange(256)
    return bytes(spoiled)
