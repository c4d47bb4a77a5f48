"""What the engine `kokoro` asks of the host."""

from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.kokoro import KokoroEngine
from smalt.engines.protocols import Deployment


def deployment(folder: Path, **options: Any) -> Deployment:
    weights = {role: str(folder / role) for role in ("model", "voices")}
    return Deployment("kokoro-82m", "kokoro", "kokoro-82m", frozenset({"audio_speech"}), weights, options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for role in ("model", "voices"):
        (tmp_path / role).write_bytes(b"weights")
    return tmp_path


def test_deployments_with_the_same_files_and_options_share_a_worker(folder: Path):
    assert KokoroEngine.worker(deployment(folder)).key == KokoroEngine.worker(deployment(folder)).key
    assert (
        KokoroEngine.worker(deployment(folder, threads=1)).key != KokoroEngine.worker(deployment(folder, threads=2)).key
    )


def test_weights_that_are_not_there_are_named_with_their_command(tmp_path: Path):
    with pytest.raises(NotInstalled, match=r"weights\.model.*smalt models pull kokoro-82m"):
        KokoroEngine.worker(deployment(tmp_path))


@pytest.mark.parametrize(("option", "value"), [("speed", 2), ("threads", "many"), ("threads", -1)])
def test_a_wrong_option_is_named(folder: Path, option: str, value: object):
    with pytest.raises(EngineFailed, match=option):
        KokoroEngine.worker(deployment(folder, **{option: value}))
