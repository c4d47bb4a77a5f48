"""Brings archives of packages that benchmarks take their data from; each is fetched once and kept."""

from pathlib import Path

from smalt.cli.options import read_settings
from smalt.cli.pulling import showing_progress
from smalt.models.assembly import check_digest
from smalt.models.pack import Part
from smalt.models.registries import Registries


def bring(part: Part, sha256: str) -> Path:
    """The archive of a package on this disk, in the data folder; it must have the digest."""
    folder = read_settings().data_dir / "bench"
    archive = folder / part.archive
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with showing_progress() as watch:
            registries = Registries()
            location = registries.find(part)
            if location.path is not None:
                archive = location.path
            else:
                registries.fetcher.fetch(location.url, archive, watch)
            check_digest(archive, sha256, watch)
    return archive
