"""Looks fingerprints of answers up among those of the operator's materials."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from smalt.core.content_filter_settings import Detection
from smalt.safety import results
from smalt.safety.protected_material.fingerprints import GRAINS, REPEATED, Grain, Token, fingerprints
from smalt.store.protected_material import Kind, Occurrence, ProtectedMaterials

RESULTS: Final[dict[str, Kind]] = {"protected_material_code": "code", "protected_material_text": "text"}
"""The kind of material that each of the reference's results is about."""

LONG: Final = 8_000
"""Characters from which on a text is cut in a thread, so that other requests need not wait for it."""

Places = dict[int, list[int]]
"""At which tokens of a text each of its fingerprints is."""


@dataclass(frozen=True, slots=True)
class Match:
    """A copy in a text, and what it was copied from; the offsets are characters of the text."""

    kind: Kind
    material_id: str
    name: str
    url: str | None
    license: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Tokens of a text that fingerprints of one material stand at, at one distance from it."""

    sequence: int
    first: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.first


class ProtectedMaterial:
    """Finds copies of the materials of a database; one serves every request of a process."""

    def __init__(self, materials: ProtectedMaterials) -> None:
        self._materials = materials

    async def kinds(self) -> frozenset[Kind]:
        """What there is to find: cheap, and at most a second out of date. Empty while nothing was added."""
        return await self._materials.kinds()

    async def results(self, texts: Sequence[str], wanted: Mapping[str, Detection]) -> results.Results:
        """The reference's result for each of its names that is wanted, without those of which there is no material."""
        known = await self.kinds()
        found: results.Results = {}
        for name, detection in wanted.items():
            if (kind := RESULTS[name]) in known:
                match = await self._first(kind, texts)
                found[name] = results.detection(detection, is_there=match is not None) | _citation(match)
        return found

    async def find(self, kind: Kind, text: str) -> Match | None:
        """The longest copy of a material of this kind in a text; None when there is none."""
        if kind not in await self.kinds():
            return None
        grain = GRAINS[kind]
        if len(text) > LONG:
            tokens, places = await asyncio.to_thread(_placed, text, grain)
        else:
            tokens, places = _placed(text, grain)
        occurrences = await self._materials.occurrences(kind, places)
        if not occurrences:
            return None
        return await self._match(kind, tokens, await asyncio.to_thread(_runs, occurrences, places, grain))

    async def _first(self, kind: Kind, texts: Sequence[str]) -> Match | None:
        for text in texts:
            if (match := await self.find(kind, text)) is not None:
                return match
        return None

    async def _match(self, kind: Kind, tokens: Sequence[Token], runs: Sequence[_Run]) -> Match | None:
        least = GRAINS[kind].covered
        for run in sorted(runs, key=lambda run: (-run.length, run.first)):
            if run.length < least:
                return None
            material = await self._materials.get(run.sequence)
            # It may have been removed since it was looked up.
            if material is not None:
                start, end = tokens[run.first].start, tokens[run.end - 1].end
                return Match(kind, material.id, material.name, material.url, material.license, start, end)
        return None


def _placed(text: str, grain: Grain) -> tuple[list[Token], Places]:
    tokens = list(grain.cut(text))
    places: Places = defaultdict(list)
    for fingerprint, place in fingerprints(tokens, grain):
        places[fingerprint].append(place)
    return tokens, places


def _citation(match: Match | None) -> dict[str, Any]:
    """Where code was copied from, as far as the operator said."""
    if match is None or match.kind != "code" or not (match.url or match.license):
        return {}
    told = {"URL": match.url, "license": match.license}
    return {"citation": {name: value for name, value in told.items() if value is not None}}


def _runs(occurrences: Sequence[Occurrence], places: Places, grain: Grain) -> list[_Run]:
    """Fingerprints that stand as far apart in the text as in a material, joined where they overlap or touch."""
    lines: dict[tuple[int, int], list[int]] = defaultdict(list)
    seen: Counter[tuple[int, int]] = Counter()
    for one in occurrences:
        seen[one.sequence, one.fingerprint] += 1
        # Materials that were added before there was a limit have more.
        if seen[one.sequence, one.fingerprint] > REPEATED:
            continue
        # The latest: a stream's earlier ones were looked at before.
        for place in places[one.fingerprint][-REPEATED:]:
            lines[one.sequence, place - one.position].append(place)
    runs: list[_Run] = []
    for (sequence, _), starts in lines.items():
        runs += _joined(sequence, sorted(starts), grain)
    return runs


def _joined(sequence: int, starts: Sequence[int], grain: Grain) -> list[_Run]:
    runs: list[_Run] = []
    first = last = starts[0]
    for start in starts[1:]:
        # Within a copy no two neighbouring fingerprints are further apart than a window.
        if start - last > grain.window:
            runs.append(_Run(sequence, first, last + grain.k))
            first = start
        last = start
    return [*runs, _Run(sequence, first, last + grain.k)]
