"""The starter packs as they come from the registries."""

import pytest

from smalt.core.settings import Settings, load_settings
from smalt.models.assembly import digest_of
from smalt.models.catalog import Catalog
from smalt.models.pack import starter
from smalt.models.packs import is_installed, models_dir
from smalt.models.progress import Silent

pytestmark = pytest.mark.real


@pytest.fixture
def settings(starter_data_dir) -> Settings:
    return load_settings(data_dir=starter_data_dir, offline=True)


@pytest.mark.parametrize("name", sorted(starter().packs))
def test_every_file_of_a_starter_pack_has_its_pinned_digest(settings, name):
    pack = starter().packs[name]
    assert is_installed(pack, models_dir(settings))
    for role, file in pack.files.items():
        assert digest_of(pack.path(models_dir(settings), role), Silent()) == file.sha256


def test_every_deployment_of_the_starter_has_its_weights(settings):
    catalog = Catalog(settings)
    for entry in catalog.entries.values():
        assert entry.is_installed(settings)
        assert set(entry.fetched(settings, Silent()).weights) == set(entry.sources)


def test_the_tokenizer_counts_as_the_model_expects(settings):
    from tokenizers import Tokenizer

    weights = Catalog(settings).find("all-minilm-l6-v2").fetched(settings, Silent()).weights
    tokenizer = Tokenizer.from_file(weights["tokenizer"])
    tokenizer.no_padding()
    assert tokenizer.encode("hello world").ids == [101, 7592, 2088, 102]
