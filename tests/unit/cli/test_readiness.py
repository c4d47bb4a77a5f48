"""Which models this installation can run."""

import pytest

from smalt.cli.readiness import lacking_engines, models_of, usable_packs
from smalt.core.settings import Settings
from smalt.models.catalog import Catalog


@pytest.fixture
def settings(tmp_path, lonely_engine) -> Settings:
    deployments = {
        "mine": {"engine": lonely_engine, "abilities": ["audio_speech"], "weights": {"model": "pack:speech"}},
        "ears": {"engine": "faster_whisper", "weights": {"model": "pack:transcription"}},
    }
    return Settings.model_validate({"data_dir": tmp_path, "starter": False, "deployments": deployments})


def test_an_engine_without_its_library_lacks_it(settings):
    catalog = Catalog(settings)
    assert list(lacking_engines(settings, catalog)) == ["lonely"]
    assert models_of("lonely", catalog) == ["mine"]


def test_weights_that_nothing_here_could_load_are_not_fetched(settings):
    assert [pack.name for pack in usable_packs(settings, Catalog(settings))] == ["transcription"]
