"""What every test may ask for: the starter models on disk, fetched once; and the order in which tests begin."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cache import cache_dir

pytest_plugins = ["postgres"]

# How fast a machine is must not decide whether a test passes.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

LONGEST_FIRST = ("fuzz", "faults", "real", "flows")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take longest: a long file that begins last keeps every worker waiting."""
    folders = {config.rootpath / "tests" / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: min(folders.get(parent, len(folders)) for parent in item.path.parents))


@pytest.fixture(scope="session")
def starter_data_dir() -> Path:
    """A data folder with the starter models in it; fetched on first use, kept between runs."""
    from smalt.core.settings import load_settings
    from smalt.models.packs import pull_starter

    pull_starter(load_settings(data_dir=cache_dir()))
    return cache_dir()
