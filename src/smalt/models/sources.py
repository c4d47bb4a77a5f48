"""Turns the word for where weights come from into a file on this disk."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from smalt.core.errors import InvalidRequest, MissingExtra, NotFound, NotInstalled
from smalt.core.settings import Settings
from smalt.models.pack import Pack
from smalt.models.packs import find_pack, models_dir, pull
from smalt.models.progress import Watch

HUB = re.compile(r"^hf:(?P<repo>[^/@]+/[^/@]+)/(?P<file>[^@]+)(?:@(?P<revision>.+))?$")


@dataclass(frozen=True)
class PackSource:
    """`pack:NAME`: the pack's file for the same role."""

    pack: Pack
    role: str

    def expected(self, settings: Settings) -> Path:
        """Where the file lies or will lie."""
        return self.pack.path(models_dir(settings), self.role)

    def fetch(self, settings: Settings, watch: Watch) -> Path:
        """The file, pulled if it is not there; raises `NotInstalled` with the command to run when it cannot be."""
        pull(self.pack, models_dir(settings), offline=settings.offline, watch=watch)
        return self.expected(settings)


@dataclass(frozen=True)
class PathSource:
    """A file or folder on this disk; a relative one counts from the folder of `smalt.toml`."""

    path: Path

    def expected(self, settings: Settings) -> Path:
        """Where the file lies."""
        del settings
        return config_dir() / self.path.expanduser()

    def fetch(self, settings: Settings, watch: Watch) -> Path:
        """The file or folder itself; raises `NotInstalled` when there is none."""
        del watch
        path = self.expected(settings)
        if not path.exists():
            raise NotInstalled(f"There is no file {path}. Put the weights there, or correct the path in the settings.")
        return path


@dataclass(frozen=True)
class HubSource:
    """`hf:OWNER/REPOSITORY/FILE[@REVISION]`: a file of the Hugging Face hub."""

    repo: str
    file: str
    revision: str | None

    def expected(self, settings: Settings) -> Path | None:
        """Where the file lies once it was fetched; None before, since a revision may be a branch."""
        # The client's own way to ask takes half a second to import, and servers ask when they start.
        kept = _hub_dir(settings) / f"models--{self.repo.replace('/', '--')}"
        revision = self.revision or "main"
        named = kept / "refs" / revision
        commit = named.read_text() if named.is_file() else revision
        place = kept / "snapshots" / commit / self.file
        return place if place.exists() else None

    def fetch(self, settings: Settings, watch: Watch) -> Path:
        """The file, from the folder of models or else from the hub; raises `NotInstalled` when neither has it."""
        try:
            from huggingface_hub import (
                errors,
                hf_hub_download,  # pyright: ignore[reportUnknownVariableType] - its dict has no types
            )
        except ImportError as error:
            raise MissingExtra("huggingface_hub", extra="hub") from error
        watch.note(f"Looking for {self.file} of {self.repo}.")
        try:
            return Path(
                hf_hub_download(
                    self.repo,
                    self.file,
                    revision=self.revision,
                    cache_dir=_hub_dir(settings),
                    local_files_only=settings.offline,
                )
            )
        except errors.RepositoryNotFoundError as error:  # those that want a login are among them
            raise NotInstalled(
                f"The hub shows no repository {self.repo}. Correct the name; if it wants a login, set HF_TOKEN."
            ) from error
        except errors.RevisionNotFoundError as error:
            raise NotInstalled(f"{self.repo} has no revision {self.revision}. Correct what stands behind @.") from error
        except errors.RemoteEntryNotFoundError as error:
            raise NotInstalled(
                f"{self.repo} has no file {self.file} in its revision {self.revision or 'main'}. Correct its name."
            ) from error
        except (errors.HfHubHTTPError, OSError, ValueError) as error:
            way_out = "Set SMALT_OFFLINE=false" if settings.offline else "Check the connection"
            raise NotInstalled(f"{self.file} of {self.repo} is not here and cannot be fetched. {way_out}.") from error


def _hub_dir(settings: Settings) -> Path:
    return models_dir(settings) / "hub"


Source = PackSource | PathSource | HubSource


def parse_source(text: str, role: str) -> Source:
    """The source that a setting names; raises `NotFound` for an unknown pack or role."""
    if text.startswith("pack:"):
        pack = find_pack(text.removeprefix("pack:"))
        if role not in pack.files:
            raise NotFound(f"The pack '{pack.name}' has no file for '{role}'. It has: {', '.join(pack.files)}.")
        return PackSource(pack, role)
    if text.startswith("hf:"):
        found = HUB.match(text)
        if found is None:
            raise InvalidRequest(f"'{text}' is not hf:OWNER/REPOSITORY/FILE[@REVISION].")
        return HubSource(found["repo"], found["file"], found["revision"])
    return PathSource(Path(text))


def config_dir() -> Path:
    """The folder that relative paths in the settings count from."""
    return Path(os.environ.get("SMALT_CONFIG", "smalt.toml")).absolute().parent
