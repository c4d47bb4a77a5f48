"""What the engine `faster_whisper` needs of a deployment."""

from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.faster_whisper import FasterWhisperEngine
from smalt.engines.protocols import Deployment

FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
ROLES = ("model", "config", "tokenizer", "vocabulary")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes(b"12345678")
    return tmp_path


def deployed(weights: dict[str, str], **options: Any) -> Deployment:
    return Deployment("ear", "faster_whisper", "whisper", frozenset({"audio_transcription"}), weights, options)


def test_a_folder_and_its_files_named_one_by_one_share_a_worker(folder: Path):
    one_by_one = {role: str(folder / name) for role, name in zip(ROLES, FILES, strict=True)}
    specs = [
        FasterWhisperEngine.worker(deployed(weights))
        for weights in ({"model": str(folder)}, {"model": str(folder / "model.bin")}, one_by_one)
    ]
    assert len({spec.key for spec in specs}) == 1
    assert specs[0].options["weights"] == one_by_one


def test_other_options_are_another_worker(folder: Path):
    weights = {"model": str(folder)}
    keys = {FasterWhisperEngine.worker(deployed(weights, beam_size=size)).key for size in (1, 5)}
    assert len(keys) == 2


def test_the_newer_vocabulary_and_the_preprocessor_are_found_in_the_folder(folder: Path):
    (folder / "vocabulary.txt").rename(folder / "vocabulary.json")
    (folder / "preprocessor_config.json").write_text("{}")
    weights = FasterWhisperEngine.worker(deployed({"model": str(folder)})).options["weights"]
    assert weights["vocabulary"].endswith("vocabulary.json")
    assert weights["preprocessor"].endswith("preprocessor_config.json")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_by_its_role(folder: Path, name: str):
    (folder / name).unlink()
    role = ROLES[FILES.index(name)]
    with pytest.raises(NotInstalled, match=rf"weights\.{role}"):
        FasterWhisperEngine.worker(deployed({"model": str(folder)}))


def test_a_deployment_without_weights_says_so():
    with pytest.raises(NotInstalled, match=r"weights\.model"):
        FasterWhisperEngine.worker(deployed({}))


@pytest.mark.parametrize("options", [{"beams": 2}, {"beam_size": 0}, {"voice_threshold": 2}, {"max_hours": 0}])
def test_an_option_that_is_unknown_or_out_of_range_is_named(folder: Path, options: dict[str, Any]):
    with pytest.raises(EngineFailed, match=next(iter(options))):
        FasterWhisperEngine.worker(deployed({"model": str(folder)}, **options))
