"""What every test may ask for: the starter models on disk, fetched once."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["postgres"]


@pytest.fixture(scope="session")
def starter_data_dir() -> Path:
    """A data folder with the starter models in it; fetched on first use, kept between runs."""
    from smalt.core.settings import load_settings
    from smalt.models.packs import pull_starter

    folder = Path(os.environ.get("SMALT_TEST_DATA_DIR") or Path.home() / ".cache" / "smalt-tests")
    pull_starter(load_settings(data_dir=folder))
    return folder
