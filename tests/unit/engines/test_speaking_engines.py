"""What the speaking engines piper and espeak_ng ask of the engine host, and which options they know."""

from pathlib import Path

import pytest

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.espeak_ng import EspeakNgEngine
from smalt.engines.piper import PiperEngine
from smalt.engines.protocols import Deployment

SPEAKS = frozenset({"audio_speech"})


def piper(weights: dict[str, str], **options: object) -> Deployment:
    return Deployment("joe", "piper", "joe", SPEAKS, weights, options)


def espeak(**options: object) -> Deployment:
    return Deployment("espeak", "espeak_ng", "espeak", SPEAKS, options=options)


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, str]:
    for name in ("voice.onnx", "voice.onnx.json"):
        (tmp_path / name).write_bytes(b"{}")
    return {"model": str(tmp_path / "voice.onnx")}


def test_deployments_that_ask_the_same_share_a_worker(weights: dict[str, str]):
    alone, again, other = (PiperEngine.worker(piper(weights, threads=threads)) for threads in (1, 1, 2))
    assert alone == again
    assert alone.key != other.key
    assert alone.options["config"] == f"{weights['model']}.json"


def test_two_languages_are_two_workers():
    assert EspeakNgEngine.worker(espeak()).key != EspeakNgEngine.worker(espeak(language="de")).key


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": 2}, "no option speed; it knows threads, voices"),
        ({"threads": -1}, "threads"),
        ({"threads": "many"}, "threads"),
        ({"voices": ["alloy"]}, "voices"),
        ({"voices": {"alloy": None}}, "voices"),
    ],
)
def test_piper_refuses_options_it_cannot_honour(weights: dict[str, str], options: dict[str, object], told: str):
    with pytest.raises(EngineFailed, match=told):
        PiperEngine.worker(piper(weights, **options))


@pytest.mark.parametrize(("options", "told"), [({"pitch": 9}, "no option pitch"), ({"language": 7}, "language")])
def test_espeak_refuses_options_it_cannot_honour(options: dict[str, object], told: str):
    with pytest.raises(EngineFailed, match=told):
        EspeakNgEngine.worker(espeak(**options))


def test_files_that_are_missing_are_named(weights: dict[str, str], tmp_path: Path):
    (tmp_path / "voice.onnx.json").unlink()
    for found, told in (({}, r"weights\.model \(None\)"), (weights, r"weights\.config .*voice\.onnx\.json")):
        with pytest.raises(NotInstalled, match=told):
            PiperEngine.worker(piper(found))
