"""The target of Kokoro's worker: loads the model with its voices, and speaks."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kokoro_onnx.session
import numpy as np
import onnxruntime
from kokoro_onnx.chunker import split_phonemes
from kokoro_onnx.config import DEFAULT_VOCAB, MAX_PHONEME_LENGTH, SAMPLE_RATE

from smalt.core.errors import EngineFailed, UnsupportedParameter, UnsupportedValue
from smalt.engines.speech_worker.phonemes import phonemes, use_own_library
from smalt.engines.speech_worker.synthesis import Samples, Voiced
from smalt.engines.speech_worker.voices import language_of, named_voice, read_voices

# onnxruntime's own type hints leave its classes unknown, kokoro_onnx's the inside of its vocabulary.
ort: Any = onnxruntime
kokoro_session: Any = kokoro_onnx.session

OWN_SPEEDS = (0.8, 1.2)
"""Within these the model itself speaks slower or faster. Beyond, words are lost that hastened sound keeps."""

READ_SCRIPTS = {"hi": frozenset({"LATIN", "DEVANAGARI"})}
"""The writing that a language's phonemes are made from, where it is not the Latin one alone."""


@dataclass(frozen=True)
class KokoroOptions:
    """What a deployment may choose; `model` and `voices` are files, `threads` run one sentence together."""

    model: str
    voices: str
    threads: int


class KokoroSynthesizer:
    """A Kokoro in onnxruntime, with the phonemes of espeak-ng."""

    sample_rate = SAMPLE_RATE

    def __init__(self, options: KokoroOptions) -> None:
        use_own_library()
        self._session = _open(options)
        self._types: dict[str, Any] = kokoro_session.input_dtypes(self._session)
        self._tokens_input = "input_ids" if "input_ids" in self._types else "tokens"
        if not {self._tokens_input, "style", "speed"} <= self._types.keys():
            raise EngineFailed(f"{options.model} is no Kokoro: it lacks an input for tokens, style or speed.")
        self._vocabulary: dict[str, int] = kokoro_session.embedded_vocab(self._session) or DEFAULT_VOCAB
        self._voices = read_voices(options.voices)
        self._running = ort.RunOptions()

    def voice(self, name: str) -> str:
        """The engine's own name of a voice."""
        return named_voice(name, self._voices)

    def check(self, utterance: Mapping[str, Any]) -> None:
        """Refuse instructions, and a text in letters that the voice cannot read."""
        if utterance["instructions"]:
            raise UnsupportedParameter(
                "instructions", "Kokoro speaks every text in its voice's own manner; leave it out."
            )
        language = language_of(self.voice(utterance["voice"]))
        if not _can_read(utterance["text"], READ_SCRIPTS.get(language, frozenset({"LATIN"}))):
            raise UnsupportedValue(
                f"The voice '{utterance['voice']}' speaks {language} and cannot read most of the letters of 'input'. "
                "Choose a voice of the text's language, or another engine.",
                param="input",
            )

    def own_speed(self, speed: float) -> float:
        """The nearest speed at which the model is clear."""
        if self._types["speed"].kind != "f":
            return 1.0
        return min(max(speed, OWN_SPEEDS[0]), OWN_SPEEDS[1])

    def speak(self, text: str, voice: str, speed: float) -> Voiced:
        """The sound of a sentence; a very long one is spoken in parts."""
        self._running = ort.RunOptions()
        said = phonemes(text, language_of(voice))
        known = "".join(one for one in said if one in self._vocabulary)
        parts = [part for part in split_phonemes(known, MAX_PHONEME_LENGTH) if any(map(str.isalpha, part))]
        if not parts:
            return Voiced(np.zeros(0, np.float32), 0)
        sounds = [self._spoken(part, voice, speed) for part in parts]
        return Voiced(np.concatenate(sounds), sum(map(len, parts)))

    def stop(self) -> None:
        """End the run in hand between two of the model's operations."""
        self._running.terminate = True

    def _spoken(self, part: str, voice: str, speed: float) -> Samples:
        tokens = [self._vocabulary[one] for one in part]
        styles = self._voices[voice]
        feeds = {
            self._tokens_input: np.array([[0, *tokens, 0]], self._types[self._tokens_input]),
            "style": styles[min(len(tokens), len(styles)) - 1][None].astype(self._types["style"]),
            "speed": np.array([speed], self._types["speed"]),
        }
        return np.asarray(self._session.run(None, feeds, self._running)[0], np.float32).ravel()


def _can_read(text: str, scripts: frozenset[str]) -> bool:
    """Whether at least half of a text's letters are in one of the scripts."""
    letters = [one for one in text if one.isalpha()]
    strange = sum(unicodedata.name(one, "").partition(" ")[0] not in scripts for one in letters)
    return 2 * strange <= len(letters)


def _open(options: KokoroOptions) -> Any:
    session = ort.SessionOptions()
    session.intra_op_num_threads = options.threads
    session.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from everything else on a busy machine.
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(options.model, session, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineFailed(f"onnxruntime cannot load {options.model}: {error}") from error
