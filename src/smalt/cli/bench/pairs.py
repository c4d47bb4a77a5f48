"""Compares two quantities that were measured in turns: medians of pairs, and how far the pairs lie apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest of what it is the median of."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """The median and the range of some measurements."""
    measured = tuple(values)
    if not measured:
        raise ValueError("nothing was measured")
    return Spread(median(measured), min(measured), max(measured))


@dataclass(frozen=True)
class Pairs:
    """One quantity, measured A B A B: `naked[i]` and `smalt[i]` are neighbours in time."""

    naked: tuple[float, ...]
    smalt: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.naked) != len(self.smalt):
            raise ValueError(f"{len(self.naked)} naked and {len(self.smalt)} Smalt measurements do not make pairs")

    @property
    def ratio(self) -> Spread:
        """Smalt's figure over the naked one, pair by pair."""
        return spread(ours / theirs for theirs, ours in zip(self.naked, self.smalt, strict=True))

    @property
    def difference(self) -> Spread:
        """Smalt's figure less the naked one, pair by pair."""
        return spread(ours - theirs for theirs, ours in zip(self.naked, self.smalt, strict=True))
