"""The statistics of `smalt bench`."""

import pytest

from smalt.cli.bench.pairs import Pairs, Spread, spread


def test_a_spread_is_the_median_with_its_range() -> None:
    assert spread([3, 1, 10]) == Spread(3, 1, 10)
    assert spread([4.0, 2.0]) == Spread(3.0, 2.0, 4.0)


def test_nothing_measured_has_no_spread() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


def test_a_ratio_compares_neighbours_so_that_a_machine_that_slows_down_does_not_matter() -> None:
    pairs = Pairs(naked=(100, 50, 10), smalt=(98, 49, 9.8))
    assert pairs.ratio == Spread(*[pytest.approx(0.98)] * 3)


def test_a_difference_compares_neighbours_too() -> None:
    assert Pairs(naked=(10, 20, 30), smalt=(11, 25, 32)).difference == Spread(2, 1, 5)


def test_a_measurement_without_its_neighbour_is_refused() -> None:
    with pytest.raises(ValueError, match="do not make pairs"):
        Pairs(naked=(1, 2), smalt=(1,))
