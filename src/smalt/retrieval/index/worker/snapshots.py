"""Vectors on disk, so that opening a large vector store again is quick: blocks, and a manifest that names them.

The manifest is written last and replaces the old one at once, so a crash leaves the old snapshot or the new one. Files
carry checksums. Whatever is wrong with a snapshot, it is dropped: all of it can be made again from the store.
"""

import json
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalt.retrieval.index.worker.block import Block
from smalt.retrieval.index.worker.coding import coder

FORMAT = 1
MANIFEST = "manifest.json"
SUFFIX = ".block"


class BrokenSnapshot(Exception):
    """A snapshot is not what was written, or another version of Smalt wrote it."""


@dataclass(frozen=True)
class Snapshot:
    """What was read: the store's version, its files with the numbers of their contents, blocks by dimensions."""

    version: int
    contents: Mapping[int, int]
    blocks: Mapping[int, list[Block]]


class SnapshotFolder:
    """Writes and reads the snapshot of one vector store; remembers which blocks are on disk already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[int, tuple[Block, int, dict[str, Any]]] = {}

    def write(self, version: int, contents: Mapping[int, int], blocks: Iterable[tuple[int, Block]]) -> None:
        """Write the blocks that have changed, then the manifest; nothing is lost when this is cut short."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._written = {id(block): self._entry(dimensions, block) for dimensions, block in blocks}
        entries = [entry for _, _, entry in self._written.values()]
        body = json.dumps(
            {"format": FORMAT, "version": version, "files": sorted(contents.items()), "blocks": entries}
        ).encode()
        self._replace(MANIFEST, [b"%08x\n" % zlib.crc32(body), body])
        self._remove_others({entry["name"] for entry in entries})

    def read(self) -> Snapshot | None:
        """The snapshot; None when there is none. Raises `BrokenSnapshot`."""
        try:
            data = (self._folder / MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        checksum, _, body = data.partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(body):
            raise BrokenSnapshot("the manifest's checksum is wrong")
        try:
            return self._read(json.loads(body))
        except (LookupError, TypeError, ValueError, OSError, RuntimeError) as error:
            raise BrokenSnapshot(str(error)) from error

    def _read(self, manifest: Mapping[str, Any]) -> Snapshot:
        if manifest["format"] != FORMAT:
            raise BrokenSnapshot(f"format {manifest['format']}")
        blocks: dict[int, list[Block]] = {}
        for entry in manifest["blocks"]:
            data = memoryview((self._folder / entry["name"]).read_bytes())
            if zlib.crc32(data) != entry["crc32"]:
                raise BrokenSnapshot(f"the checksum of {entry['name']} is wrong")
            block = Block.load(coder(entry["dimensions"]), data)
            blocks.setdefault(entry["dimensions"], []).append(block)
            self._written[id(block)] = (block, block.changes, entry)
        contents = dict(manifest["files"])
        return Snapshot(manifest["version"], contents, blocks)

    def _entry(self, dimensions: int, block: Block) -> tuple[Block, int, dict[str, Any]]:
        before = self._written.get(id(block))
        if before is not None and before[1] == block.changes:
            return before
        pieces = block.dump()
        checksum = 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        name = secrets.token_hex(8) + SUFFIX
        self._replace(name, pieces)
        return block, block.changes, {"name": name, "dimensions": dimensions, "crc32": checksum}

    def _replace(self, name: str, pieces: Iterable[bytes]) -> None:
        path = self._folder / f"{name}.new"
        with path.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        path.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _remove_others(self, names: set[str]) -> None:
        for path in self._folder.iterdir():
            if path.name not in names | {MANIFEST}:
                with suppress(OSError):
                    path.unlink()
