"""Which names there are, and what stands behind them."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import InvalidRequest, ModelNotFound, NotInstalled
from smalt.core.settings import Settings
from smalt.models.assembly import WrongDigest
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent

STARTER = {
    *("smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2", "whisper-base", "kokoro-82m"),
    *("moderation-minilm", "image-moderation"),
}


def made(tmp_path: Path, **fields: Any) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path, "offline": True, **fields})


def test_without_settings_the_starter_is_served_under_familiar_names(tmp_path):
    catalog = Catalog(made(tmp_path))
    assert set(catalog.entries) == STARTER
    assert catalog.find("gpt-4o-mini").deployment.model == "smollm2-135m-instruct"
    assert catalog.find("text-embedding-3-small").deployment.abilities == {"embeddings"}
    assert catalog.find("davinci-002").deployment.name == "gemma-3-270m"
    assert catalog.find("omni-moderation-latest").deployment.abilities == {"moderation"}


def test_nothing_pretends_to_reason(tmp_path):
    aliases = Catalog(made(tmp_path)).aliases
    assert not [alias for alias in aliases if alias.startswith(("o1", "o3", "o4", "gpt-5"))]


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(
        ModelNotFound, match=r"'nothing' does not exist\. There are: smollm2.*aliases: gpt-4o-mini"
    ) as refused:
        Catalog(made(tmp_path)).find("nothing")
    assert (refused.value.status, refused.value.code, refused.value.param) == (404, "model_not_found", None)


def test_an_empty_catalog_says_how_to_fill_it(tmp_path):
    with pytest.raises(ModelNotFound, match=r"smalt\.toml"):
        Catalog(made(tmp_path, starter=False)).find("gpt-4o")


def test_a_deployment_wins_over_an_alias_of_its_name(tmp_path, other_engines):
    catalog = Catalog(made(tmp_path, deployments={"gpt-4o": {"engine": "in_process"}}))
    assert "gpt-4o" not in catalog.aliases
    assert catalog.find("gpt-4o").deployment.engine == "in_process"


def test_own_aliases_win_over_those_of_the_starter(tmp_path):
    catalog = Catalog(made(tmp_path, aliases={"gpt-4o": "gemma-3-270m", "mine": "gemma-3-270m"}))
    assert catalog.find("gpt-4o").deployment.name == catalog.find("mine").deployment.name == "gemma-3-270m"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"aliases": {"mine": "nothing"}}, r"aliases\.mine names 'nothing'"),
        ({"deployments": {"mine": {"engine": "nothing"}}}, r"deployments\.mine\.engine: there is no 'nothing'"),
        (
            {"deployments": {"mine": {"engine": "echo", "weights": {"model": "pack:x"}}}},
            r"deployments\.mine\.weights: .*'x'",
        ),
        (
            {"deployments": {"mine": {"engine": "echo", "weights": {"model": "hf:x"}}}},
            r"deployments\.mine\.weights: 'hf:x'",
        ),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_field(tmp_path, fields, fault):
    with pytest.raises(InvalidRequest, match=fault):
        Catalog(made(tmp_path, **fields))


def test_an_engine_s_own_abilities_are_taken_when_the_settings_name_none(tmp_path, other_engines):
    deployments = {
        "a": {"engine": "in_process"},
        "b": {"engine": "in_process", "abilities": []},
        "c": {"engine": "broken"},
    }
    catalog = Catalog(made(tmp_path, starter=False, deployments=deployments))
    assert catalog.find("a").deployment.abilities == {"embeddings"}
    assert catalog.find("b").deployment.abilities == set()
    assert catalog.find("c").deployment.abilities == set()


def test_an_upstream_s_address_and_key_reach_the_engine_and_no_message(tmp_path):
    deployment = {"engine": "upstream", "model": "theirs", "base_url": "http://127.0.0.1:1/v1", "api_key": "secret"}
    found = Catalog(made(tmp_path, deployments={"mine": {**deployment, "options": {"retries": 1}}})).find("mine")
    assert found.deployment.model == "theirs"
    assert found.deployment.options["base_url"] == "http://127.0.0.1:1/v1"
    assert found.deployment.options["retries"] == 1
    assert found.deployment.options["api_key"].get_secret_value() == "secret"
    assert "secret" not in repr(found)


def test_weights_become_paths_when_they_are_fetched(tmp_path, other_engines):
    weights = tmp_path / "model.bin"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    own = {"engine": "in_process", "weights": {"model": str(weights)}, "sha256": {"model": digest.upper()}}
    settings = made(tmp_path, deployments={"mine": own})
    entry = Catalog(settings).find("mine")
    assert entry.is_installed(settings)
    assert entry.deployment.created == int(weights.stat().st_mtime)
    assert entry.fetched(settings, Silent()).weights == {"model": str(weights)}
    weights.write_bytes(b"other weights")
    with pytest.raises(WrongDigest, match=r"deployments\.mine\.sha256\.model"):
        entry.fetched(settings, Silent())
    weights.unlink()
    assert not entry.is_installed(settings)


def test_missing_starter_weights_offline_name_the_command(tmp_path):
    settings = made(tmp_path)
    entry = Catalog(settings).find("gpt-4o")
    assert not entry.is_installed(settings)
    with pytest.raises(NotInstalled, match="smalt models pull chat"):
        entry.fetched(settings, Silent())
