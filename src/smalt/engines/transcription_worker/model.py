"""A Whisper model that CTranslate2 runs: what it makes of one window of sound."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import faster_whisper
from faster_whisper import feature_extractor, tokenizer, transcribe

from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.engines.languages import whisper_code
from smalt.engines.transcription_worker.options import WhisperOptions
from smalt.engines.transcription_worker.sound import Window

# faster-whisper has no type hints that help.
fw: Any = transcribe

FALLBACK = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Temperatures that are tried one after the other while an answer is improbable or repeats itself."""

NO_SPEECH = 0.6
IMPROBABLE = -1.0
REPETITIVE = 2.4
OPENING_MARKS = "\"'“¿([{-"
CLOSING_MARKS = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 marks of all languages
"""Marks that belong to the word after them, and to the word before."""

MIN_PROBABILITY = 1e-12
FILE_NAMES = {
    "model": "model.bin",
    "config": "config.json",
    "tokenizer": "tokenizer.json",
    "preprocessor": "preprocessor_config.json",
}


@dataclass(frozen=True)
class Decoded:
    """What the model made of a window, before it is cut in segments."""

    tokens: list[int]
    avg_logprob: float
    temperature: float
    compression_ratio: float
    no_speech_prob: float

    @property
    def is_silence(self) -> bool:
        """Whether the model itself says that nothing was spoken."""
        return self.no_speech_prob > NO_SPEECH and self.avg_logprob <= IMPROBABLE


class WhisperModel:
    """The loaded model; one window at a time, or as many as `parallel` says."""

    def __init__(self, weights: Mapping[str, str], options: WhisperOptions) -> None:
        self._options = options
        with tempfile.TemporaryDirectory(prefix="whisper-") as scratch:
            folder = _in_one_folder(weights, Path(scratch))
            self._model: Any = _loaded(folder, options, weights["model"])
        bins = self._model.model.n_mels
        # The file that says so is not always there.
        self._extractor: Any = feature_extractor.FeatureExtractor(**{**self._model.feat_kwargs, "feature_size": bins})

    @property
    def is_multilingual(self) -> bool:
        """Whether it knows other languages than English."""
        return self._model.model.is_multilingual

    @property
    def is_led_by_previous_text(self) -> bool:
        """Whether what was heard last leads it in the next window."""
        return self._options.condition_on_previous_text

    @property
    def languages(self) -> list[str]:
        """The codes of the languages it knows."""
        codes: list[str] = self._model.supported_languages
        return [one for one in codes if self._model.hf_tokenizer.token_to_id(f"<|{one}|>") is not None or one == "en"]

    def checked_language(self, language: str) -> str:
        """Whisper's code for a language that was asked for."""
        code = whisper_code(language)
        if code not in self.languages:
            raise InvalidRequest(
                f"Invalid language '{language}'. Language parameter must be specified in ISO-639-1 format. "
                f"This model knows: {', '.join(sorted(self.languages))}.",
                param="language",
                code="invalid_language_format",
            )
        return code

    def check_task(self, task: str) -> None:
        """Refuse what this model was not trained to do."""
        if task == "translate" and not self.is_multilingual:
            raise InvalidRequest(
                "This model hears English only, so it cannot translate. Name a multilingual model.", param="model"
            )

    def encode(self, window: Window) -> Any:
        """What the encoder makes of a window."""
        features = self._extractor(window.samples)[:, : window.size]
        return self._model.encode(fw.pad_or_trim(features))

    def detect_language(self, encoded: Any) -> str:
        """The code of the likeliest language."""
        if not self.is_multilingual:
            return "en"
        (likeliest, *_), *_ = self._model.model.detect_language(encoded)
        return likeliest[0][2:-2]

    def tokens_of(self, text: str) -> list[int]:
        """The tokens of a prompt; a special token that is spelled out in it is left out."""
        encoding = self._model.hf_tokenizer.encode(" " + text.strip(), add_special_tokens=False)
        end = self._model.hf_tokenizer.token_to_id("<|endoftext|>")
        return [one for one in encoding.ids if one < end]

    def tokenizer(self, task: str, language: str) -> Any:
        """faster-whisper's tokenizer for a task in a language."""
        return tokenizer.Tokenizer(self._model.hf_tokenizer, self.is_multilingual, task=task, language=language)

    def decode(self, encoded: Any, tokenizing: Any, previous: Sequence[int], temperature: float) -> Decoded:
        """The likeliest tokens after the `previous` ones; at temperature 0 it is raised where that goes wrong."""
        options = self._decoding_options(tokenizing, temperature)
        prompt = self._model.get_prompt(tokenizing, list(previous))
        result, avg_logprob, used, ratio = self._model.generate_with_fallback(encoded, prompt, tokenizing, options)
        return Decoded(result.sequences_ids[0], avg_logprob, used, ratio, result.no_speech_prob)

    def cut(self, tokenizing: Any, decoded: Decoded, window: Window) -> tuple[list[dict[str, Any]], int, bool]:
        """The segments of a window, the frame where the next begins, and whether all of this one was understood."""
        step = self._extractor.time_per_frame
        return self._model._split_segments_by_timestamps(  # noqa: SLF001 the rest of faster-whisper holds it all in memory
            tokenizing, decoded.tokens, window.seek * step, window.size, window.size * step, window.seek
        )

    def add_words(self, segments: list[dict[str, Any]], tokenizing: Any, encoded: Any, size: int, last: float) -> None:
        """Give every segment its words with their times; `last` is when the last word before them ended."""
        self._model.add_word_timestamps(
            [segments], tokenizing, encoded, size, OPENING_MARKS, CLOSING_MARKS, last_speech_timestamp=last
        )

    def logprobs(self, tokenizing: Any, encoded: Any, tokens: list[int], size: int) -> list[float]:
        """The natural-log probability of each token of text, given the sound and the tokens before it."""
        if not tokens:
            return []
        (aligned,) = self._model.model.align(encoded, tokenizing.sot_sequence, [tokens], size)
        return [math.log(max(one, MIN_PROBABILITY)) for one in aligned.text_token_probs]

    def token_bytes(self, token: int) -> bytes:
        """What a token of text stands for."""
        spelled: str = self._model.hf_tokenizer.id_to_token(token)
        known = _byte_of_letter()
        return bytes(known[letter] for letter in spelled)

    def _decoding_options(self, tokenizing: Any, temperature: float) -> Any:
        return fw.TranscriptionOptions(
            beam_size=self._options.beam_size,
            best_of=self._options.best_of,
            patience=1,
            length_penalty=1,
            repetition_penalty=1,
            no_repeat_ngram_size=0,
            log_prob_threshold=IMPROBABLE,
            no_speech_threshold=NO_SPEECH,
            compression_ratio_threshold=REPETITIVE,
            condition_on_previous_text=self._options.condition_on_previous_text,
            prompt_reset_on_temperature=0.5,
            temperatures=[temperature] if temperature else list(FALLBACK),
            initial_prompt=None,
            prefix=None,
            suppress_blank=True,
            suppress_tokens=fw.get_suppressed_tokens(tokenizing, [-1]),
            without_timestamps=False,
            max_initial_timestamp=1.0,
            word_timestamps=False,
            prepend_punctuations="",
            append_punctuations="",
            multilingual=False,
            max_new_tokens=None,
            clip_timestamps="0",
            hallucination_silence_threshold=None,
            hotwords=None,
        )


def _in_one_folder(weights: Mapping[str, str], scratch: Path) -> Path:
    """A folder of links to the files of a converted model, by the names that faster-whisper knows them by."""
    for role, path in weights.items():
        name = FILE_NAMES.get(role, f"{role}{Path(path).suffix}")
        (scratch / name).symlink_to(Path(path).resolve())
    return scratch


def _loaded(folder: Path, options: WhisperOptions, path: str) -> Any:
    try:
        return faster_whisper.WhisperModel(
            str(folder),
            device=options.device,
            compute_type=options.compute_type,
            cpu_threads=options.cores,
            num_workers=options.parallel,
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        raise EngineFailed(f"CTranslate2 cannot load the Whisper model {path}: {error}") from error


@cache
def _byte_of_letter() -> dict[str, int]:
    """The letters with which byte-level BPE spells bytes: printable ones for themselves, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
