"""The ONNX classifiers: a small picture in, the scores of OpenAI's categories out."""

from io import BytesIO
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from smalt.core.errors import EngineFailed
from smalt.engines.image_moderation_worker.decoding import Picture

# onnxruntime's own type hints leave its classes unknown.
ort: Any = onnxruntime

Pixels = NDArray[np.float32]

SIDE: Final = 224
"""What both models see."""

BLUR_PIXELS: Final = 10
CROPPED_FROM: Final = 256
MEAN_BGR: Final = np.array([104, 117, 123], np.float32)

LEAST: Final = 0.02
"""No model is believed more than this, so that one alone cannot outvote whatever the other says."""


class SafetyClassifier:
    """A model that tells NSFL (gore, violence), NSFW (sexual) and SFW apart."""

    def __init__(self, path: str, threads: int) -> None:
        self._session = _open(path, threads)
        self._input = _checked(self._session, path, [3, SIDE, SIDE], outputs=3)

    def probabilities(self, picture: Picture) -> tuple[float, float]:
        """How probable it is that a picture is gory, and that it is sexual."""
        pixels = np.asarray(_padded(picture), np.float32).transpose(2, 0, 1)
        gory, sexual, _ = self._session.run(None, {self._input: pixels[None]})[0][0].tolist()
        return gory, sexual


class NudityClassifier:
    """Yahoo's open_nsfw, or a model made like it, which tells NSFW and SFW apart."""

    def __init__(self, path: str, threads: int) -> None:
        self._session = _open(path, threads)
        self._input = _checked(self._session, path, [SIDE, SIDE, 3], outputs=2)

    def probability(self, picture: Picture) -> float:
        """How probable it is that a picture is sexual."""
        pixels = _as_yahoo_prepared(picture)[:, :, ::-1] - MEAN_BGR
        return self._session.run(None, {self._input: np.ascontiguousarray(pixels[None])})[0][0].tolist()[1]


class PictureJudge:
    """Both models: they were trained on other pictures, and seldom err on the same ones."""

    def __init__(self, model: str, nsfw: str, threads: int) -> None:
        self._safety = SafetyClassifier(model, threads)
        self._nudity = NudityClassifier(nsfw, threads)

    def scores(self, picture: Picture) -> dict[str, float]:
        """The scores of the categories that can be told from a picture here."""
        gory, sexual = self._safety.probabilities(picture)
        gore = _together(gory, gory)
        return {
            "sexual": _together(sexual, self._nudity.probability(picture)),
            "violence": gore,
            "violence/graphic": gore,
        }


def _together(*probabilities: float) -> float:
    """What independent opinions come to: the sum of their log odds."""
    kept = np.clip(probabilities, LEAST, 1 - LEAST)
    return float(1 / (1 + np.exp(-np.sum(np.log(kept / (1 - kept))))))


def _padded(picture: Picture) -> Picture:
    """The whole picture in a square, with a blur of itself beside it."""
    square = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(BLUR_PIXELS))
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    whole = picture.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(whole, ((SIDE - width) // 2, (SIDE - height) // 2))
    return square


def _as_yahoo_prepared(picture: Picture) -> Pixels:
    """The middle of the picture, through a JPEG: the model was trained on what that leaves."""
    small = picture.resize((CROPPED_FROM, CROPPED_FROM), Image.Resampling.BILINEAR)
    with BytesIO() as encoded:
        small.save(encoded, "JPEG")
        pixels = np.asarray(Image.open(encoded), np.float32)
    edge = (CROPPED_FROM - SIDE) // 2
    return pixels[edge : edge + SIDE, edge : edge + SIDE]


def _open(path: str, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineFailed(f"onnxruntime cannot load {path}: {error}") from error


def _checked(session: Any, path: str, shape: list[int], *, outputs: int) -> str:
    """The name of the model's input; raises for a model of another kind."""
    inputs, results = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or list(inputs[0].shape[1:]) != shape or results[0].shape[-1] != outputs:
        raise EngineFailed(f"{path} is another kind of model: it has to take {shape} and give {outputs} probabilities.")
    return inputs[0].name
