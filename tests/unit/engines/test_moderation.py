"""What the engines `moderation` and `image_moderation` ask of the host."""

from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.image_moderation import ImageModerationOnnxEngine
from smalt.engines.moderation import ModerationHeadsEngine
from smalt.engines.onnx_embedding import OnnxEmbeddingEngine
from smalt.engines.protocols import Deployment


def deployment(folder: Path, **options: Any) -> Deployment:
    weights = {role: str(folder / role) for role in ("model", "tokenizer", "nsfw")}
    return Deployment("judge", "moderation", "judge", frozenset({"moderation"}), weights, options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for role in ("model", "tokenizer", "nsfw"):
        (tmp_path / role).write_bytes(b"weights")
    return tmp_path


@pytest.mark.parametrize("engine", [ModerationHeadsEngine, ImageModerationOnnxEngine])
def test_deployments_with_the_same_files_and_options_share_a_worker(
    engine: type[ModerationHeadsEngine | ImageModerationOnnxEngine],
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for role in ("model", "tokenizer", "nsfw"):
        (elsewhere / role).write_bytes(b"weights")
    assert engine.worker(deployment(folder)).key == engine.worker(deployment(folder)).key
    assert engine.worker(deployment(folder)).key != engine.worker(deployment(elsewhere)).key


def test_embedding_and_moderation_do_not_share_a_worker(folder: Path):
    # Else a file that is ingested would hold up every chat.
    with_embeddings = OnnxEmbeddingEngine.worker(deployment(folder))
    assert ModerationHeadsEngine.worker(deployment(folder)).key != with_embeddings.key


@pytest.mark.parametrize("engine", [ModerationHeadsEngine, ImageModerationOnnxEngine])
def test_weights_that_are_not_there_are_named_with_their_command(
    engine: type[ModerationHeadsEngine | ImageModerationOnnxEngine], tmp_path: Path
):
    with pytest.raises(NotInstalled, match=r"weights\.model.*smalt models pull judge"):
        engine.worker(deployment(tmp_path))


@pytest.mark.parametrize(("option", "value"), [("speed", 2), ("max_characters", 0), ("max_characters", True)])
def test_a_wrong_option_of_moderation_is_named(folder: Path, option: str, value: object):
    with pytest.raises(EngineFailed, match=option):
        ModerationHeadsEngine.worker(deployment(folder, **{option: value}))


@pytest.mark.parametrize(("option", "value"), [("speed", 2), ("frames", 0), ("threads", "many"), ("max_pixels", -1)])
def test_a_wrong_option_of_image_moderation_is_named(folder: Path, option: str, value: object):
    with pytest.raises(EngineFailed, match=option):
        ImageModerationOnnxEngine.worker(deployment(folder, **{option: value}))
