"""Texts and code to fingerprints that stay the same however a copy is spaced, cased and punctuated.

Of each run of neighbouring hashes of k tokens the smallest is kept ("winnowing"), so a copy that is long enough shares
fingerprints with its original wherever it begins: Schleimer, Wilkerson and Aiken, 2003.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from smalt.core.errors import InvalidRequest
from smalt.store.protected_material import Kind, NewMaterial

REPEATED = 64
"""Places of one fingerprint that are compared, of a material and of a text: tables repeat the same one by thousands."""

PRIME = (1 << 61) - 1
BASE = 1_000_003

# Scripts without spaces have a token for each character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_]+(?:['\u2019][^\W_]+)*")
_CODE = re.compile(r"\w+|[^\w\s]")
_APOSTROPHES = str.maketrans("", "", "'\u2019")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a token of code, in the form that is compared; the offsets are characters of the text."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grain:
    """How a kind of material is cut and compared."""

    cut: Callable[[str], Iterator[Token]]
    k: int
    """Tokens of one fingerprint."""
    window: int
    """Neighbouring hashes that one is kept of."""
    least: int
    """Tokens of the shortest copy that is found for certain; its unit is `noun`."""
    noun: str

    @property
    def covered(self) -> int:
        """Tokens that the fingerprints of such a copy span at least."""
        return self.least - 2 * (self.window - 1)


def _words(text: str) -> Iterator[Token]:
    for match in _WORD.finditer(text):
        value = unicodedata.normalize("NFKC", match.group()).casefold().translate(_APOSTROPHES)
        yield Token(value, match.start(), match.end())


def _code_tokens(text: str) -> Iterator[Token]:
    for match in _CODE.finditer(text):
        yield Token(match.group().casefold(), match.start(), match.end())


GRAINS: dict[Kind, Grain] = {
    "text": Grain(cut=_words, k=8, window=5, least=30, noun="words"),
    "code": Grain(cut=_code_tokens, k=12, window=6, least=40, noun="tokens of code"),
}


def prepared(
    kind: Kind,
    text: str,
    *,
    name: str,
    url: str | None = None,
    license: str | None = None,  # noqa: A002 the reference's word
) -> NewMaterial:
    """A material as the store keeps it; refuses one that is too short for a copy of it to be found."""
    grain = GRAINS[kind]
    tokens = list(grain.cut(text))
    if len(tokens) < grain.least:
        raise InvalidRequest(
            f"'{name}' has {len(tokens)} {grain.noun}; copies are found from {grain.least} on. Add a longer piece."
        )
    compared = "\n".join(token.value for token in tokens)
    return NewMaterial(
        kind=kind,
        name=name,
        digest=hashlib.sha256(compared.encode("utf-8", "surrogatepass")).hexdigest(),
        tokens=len(tokens),
        fingerprints=list(_seldom(fingerprints(tokens, grain))),
        url=url,
        license=license,
    )


def fingerprints(tokens: Sequence[Token], grain: Grain) -> list[tuple[int, int]]:
    """The fingerprints of a text with the token that each begins at, in the order of the text."""
    hashes = _hashes([_number(token.value) for token in tokens], grain.k)
    kept: list[tuple[int, int]] = []
    for start in range(max(1, len(hashes) - grain.window + 1) if hashes else 0):
        run = hashes[start : start + grain.window]
        least = min(run)
        # The last of equals: neighbouring windows then agree on it.
        place = start + len(run) - 1 - run[::-1].index(least)
        if not kept or kept[-1][1] != place:
            kept.append((least, place))
    return kept


def _seldom(found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The first places of every fingerprint."""
    counts: Counter[int] = Counter()
    for fingerprint, place in found:
        counts[fingerprint] += 1
        if counts[fingerprint] <= REPEATED:
            yield fingerprint, place


def _hashes(numbers: Sequence[int], k: int) -> list[int]:
    """A hash of every k neighbours, each made from the one before."""
    if len(numbers) < k:
        return []
    highest = pow(BASE, k - 1, PRIME)
    value = 0
    for number in numbers[:k]:
        value = (value * BASE + number) % PRIME
    found = [value]
    for gone, come in zip(numbers, numbers[k:], strict=False):
        value = ((value - gone * highest) * BASE + come) % PRIME
        found.append(value)
    return found


@lru_cache(maxsize=65536)
def _number(token: str) -> int:
    """The same number for a token in every process."""
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=7).digest())
