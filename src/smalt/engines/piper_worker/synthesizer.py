"""Speaks with a Piper voice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import orjson
from piper import PiperVoice, SynthesisConfig
from piper.config import PhonemeType, PiperConfig

from smalt.core.errors import EngineFailed, UnsupportedParameter
from smalt.engines.piper_worker.voices import Speakers
from smalt.engines.speech_worker.synthesis import Voiced

# onnxruntime's own type hints leave its classes unknown.
ort: Any = onnxruntime

READ = frozenset({PhonemeType.ESPEAK, PhonemeType.TEXT})
"""How a text may become phonemes; the other ways fetch models from the network, or need more packages."""


@dataclass(frozen=True)
class PiperOptions:
    """What a deployment may choose; `model` and `config` are files, `threads` run one sentence together."""

    model: str
    config: str
    threads: int
    voices: Mapping[str, str | int]


class PiperSynthesizer:
    """A Piper voice in onnxruntime."""

    def __init__(self, options: PiperOptions) -> None:
        raw = _read(options.config)
        try:
            config = PiperConfig.from_dict(raw)
            self._speakers = Speakers(raw, options.voices)
        except (KeyError, TypeError, ValueError) as error:
            raise EngineFailed(f"{options.config} is no configuration of a Piper voice: {error!r}.") from error
        if config.phoneme_type not in READ:
            raise EngineFailed(
                f"{options.config}: texts would become phonemes by {config.phoneme_type.value}, which needs more than "
                f"this engine brings. Voices with espeak or text as phoneme_type work."
            )
        self._session = StoppableSession(options.model, options.threads)
        self._voice = PiperVoice(session=cast("onnxruntime.InferenceSession", self._session), config=config)

    @property
    def sample_rate(self) -> int:
        """What the voice was trained with."""
        return self._voice.config.sample_rate

    def voice(self, name: str) -> str:
        """The speaker's number behind a name."""
        return str(self._speakers.number(name))

    def check(self, utterance: Mapping[str, Any]) -> None:
        """Refuse instructions: a voice has one manner."""
        if utterance["instructions"]:
            raise UnsupportedParameter("instructions", "Piper has one manner of speaking; leave them out.")

    def own_speed(self, speed: float) -> float:
        """None but its own: asked for half the time, a voice takes two thirds."""
        del speed
        return 1.0

    def speak(self, text: str, voice: str, speed: float) -> Voiced:
        """The sound of a sentence or less; no samples when nothing in it is said."""
        # Piper takes what stands between [[ and ]] for phonemes; here it is text as any other.
        config = SynthesisConfig(speaker_id=int(voice), length_scale=self._voice.config.length_scale / speed)
        self._session.resume()
        chunks = list(self._voice.synthesize(text.replace("[[", "[ ["), config))
        samples = [np.asarray(chunk.audio_float_array, np.float32) for chunk in chunks]
        phonemes = sum(len(chunk.phonemes) for chunk in chunks)
        return Voiced(np.concatenate(samples) if samples else np.zeros(0, np.float32), phonemes)

    def stop(self) -> None:
        """End the run in hand between two of the model's operations."""
        self._session.stop()


class StoppableSession:
    """What Piper needs of a session; `stop` ends the run in hand, which raises then, and those after it."""

    def __init__(self, model: str, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the processor from everything else on a busy machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise EngineFailed(f"onnxruntime cannot load {model}: {error}") from error
        self._running = ort.RunOptions()

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any]) -> Any:
        """Run the model."""
        return self._session.run(outputs, feeds, self._running)

    def resume(self) -> None:
        """Let the next runs go on to their ends."""
        self._running = ort.RunOptions()

    def stop(self) -> None:
        """End the run in hand; called from another thread."""
        self._running.terminate = True


def _read(path: str) -> dict[str, Any]:
    try:
        return orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as error:
        raise EngineFailed(f"{path} is no configuration of a Piper voice: {error}.") from error
