"""Pulls packs: one process at a time, going on where an earlier pull stopped, whole or not at all."""

import errno
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from smalt.core.errors import NotFound, NotInstalled
from smalt.core.settings import Settings
from smalt.models.assembly import Workshop, assemble, digest_of
from smalt.models.download import NotThere, Unreachable
from smalt.models.locks import locked
from smalt.models.pack import Pack, PackFile, starter
from smalt.models.progress import Silent, Watch
from smalt.models.registries import Registries

MANIFEST = "manifest.json"
PARTIAL = ".partial"
LOCKS = ".locks"


class PullFailed(NotInstalled):
    """A pack could not be pulled (501); the message names the command that tries again."""

    default_code = "pull_failed"


def models_dir(settings: Settings) -> Path:
    """The folder that holds every pack."""
    return settings.data_dir / "models"


def find_pack(name: str) -> Pack:
    """The pack of this name; raises `NotFound` naming those there are."""
    packs = starter().packs
    if name not in packs:
        raise NotFound(f"There is no pack '{name}'. There are: {', '.join(packs)}.")
    return packs[name]


def pull_starter(settings: Settings, watch: Watch | None = None) -> None:
    """Pull every pack of the starter catalog."""
    registries = Registries()
    for pack in starter().packs.values():
        pull(pack, models_dir(settings), offline=settings.offline, watch=watch, registries=registries)


def pull(
    pack: Pack, folder: Path, *, offline: bool = False, watch: Watch | None = None, registries: Registries | None = None
) -> None:
    """Bring a pack into `folder`, unless it is there.

    When another process is at it, wait for that one. Raises `NotInstalled` or one of its kinds, whose message says what
    to do; whatever was fetched is kept for the next pull, but for files of a wrong digest.
    """
    if is_installed(pack, folder):
        return
    if offline:
        raise NotInstalled(f"{_absent(pack)} and Smalt is set to stay offline. Run: {pull_command(pack, offline=True)}")
    watch = watch or Silent()
    with _advising(pack), _alone(pack, folder, watch):
        if not is_installed(pack, folder):
            _make(pack, folder, Workshop(folder / PARTIAL / pack.name, registries or Registries(), watch))


def remove(pack: Pack, folder: Path) -> bool:
    """Delete a pack and what is left of an unfinished pull; returns whether there was anything."""
    places = [folder / pack.name, folder / PARTIAL / pack.name]
    was_there = any(place.exists() for place in places)
    if was_there:
        with _alone(pack, folder, Silent()):
            (folder / pack.name / MANIFEST).unlink(missing_ok=True)
            for place in places:
                shutil.rmtree(place, ignore_errors=True)
    return was_there


def is_installed(pack: Pack, folder: Path) -> bool:
    """Whether every file of the pack is there, of the pinned digest by its manifest and of the pinned size."""
    listed = _manifest(pack, folder)
    return all(
        role in listed and listed[role].sha256 == file.sha256 and _has_size(pack.path(folder, role), file)
        for role, file in pack.files.items()
    )


def pull_command(pack: Pack, *, offline: bool = False) -> str:
    """The command that pulls a pack."""
    return f"{'SMALT_OFFLINE=false ' if offline else ''}smalt models pull {pack.name}"


def _make(pack: Pack, folder: Path, shop: Workshop) -> None:
    """Make each file that is not there yet, then the manifest, then tidy up."""
    shop.watch.note(f"Pulling the pack '{pack.name}': {pack.title}. Licence: {pack.licence}.")
    shop.folder.mkdir(parents=True, exist_ok=True)
    (folder / pack.name).mkdir(parents=True, exist_ok=True)
    for role, file in pack.files.items():
        target = pack.path(folder, role)
        if not (_has_size(target, file) and digest_of(target, shop.watch) == file.sha256):
            _settle(assemble(file, shop), target)
    _write_manifest(pack, folder)
    shutil.rmtree(shop.folder, ignore_errors=True)
    shop.watch.note(f"The pack '{pack.name}' is installed in {folder / pack.name}.")


def _settle(source: Path, target: Path) -> None:
    """Move a finished file to its place so that a power cut leaves all of it or nothing."""
    for path in (source, target.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if path is source:
            source.replace(target)


def _manifest(pack: Pack, folder: Path) -> Mapping[str, PackFile]:
    """The files that the manifest on disk lists; none when there is none, or it cannot be read."""
    try:
        return Pack.model_validate_json((folder / pack.name / MANIFEST).read_bytes()).files
    except (OSError, ValidationError):
        return {}


def _write_manifest(pack: Pack, folder: Path) -> None:
    draft = folder / PARTIAL / pack.name / MANIFEST
    draft.write_text(pack.model_dump_json(indent=2))
    _settle(draft, folder / pack.name / MANIFEST)


def _has_size(path: Path, file: PackFile) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes


@contextmanager
def _alone(pack: Pack, folder: Path, watch: Watch) -> Generator[None]:
    def waiting(is_first: bool) -> None:  # noqa: FBT001 - locks.locked calls it with this one word
        if is_first:
            watch.note(f"Another process is at work on the pack '{pack.name}'; waiting for it.")
        watch.reach(0)

    with locked(folder / LOCKS / f"{pack.name}.lock", waiting):
        yield


@contextmanager
def _advising(pack: Pack) -> Generator[None]:
    """Say in every failure to pull what is missing and which command tries again."""
    try:
        yield
    except (NotThere, Unreachable) as error:
        raise PullFailed(f"{_absent(pack)}. {error.message} {_again(pack)}", code=error.code) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise PullFailed(
                f"{_absent(pack)}: the disk is full. Make room. {_again(pack)}", code="disk_full"
            ) from error
        raise PullFailed(f"{_absent(pack)}: {error}. {_again(pack)}") from error


def _again(pack: Pack) -> str:
    return f"What was fetched is kept. To go on, run: {pull_command(pack)}"


def _absent(pack: Pack) -> str:
    return f"The pack '{pack.name}' ({pack.title}, {pack.bytes / 1e6:.0f} MB) is not installed"
