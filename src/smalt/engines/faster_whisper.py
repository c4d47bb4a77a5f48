"""The engine `faster_whisper`: speech to words with any Whisper that CTranslate2 runs, in a worker process."""

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson

from smalt.core.errors import NotInstalled
from smalt.engines.audio import (
    Recording,
    SpokenWord,
    TranscriptEnd,
    TranscriptEvent,
    TranscriptProgress,
    TranscriptSegment,
    speakers_unknown,
)
from smalt.engines.channel import ChannelClient
from smalt.engines.protocols import Deployment, Engine, TokenLogprob, WorkerAddress, WorkerSpec
from smalt.engines.transcription_worker.options import checked_options

TARGET = "smalt.engines.transcription_worker.serving:serve"
WEIGHTS = {
    "model": ("model.bin",),
    "config": ("config.json",),
    "tokenizer": ("tokenizer.json",),
    "vocabulary": ("vocabulary.txt", "vocabulary.json"),
}
"""The files of a converted model by their roles, each with the names it may have in a folder."""

OPTIONAL_WEIGHTS = ("preprocessor",)
LIBRARIES_BYTES = 320 * 2**20
"""What Python, CTranslate2, a window's intermediate results and a stretch of decoded sound take beside the weights."""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


class FasterWhisperEngine(Engine):
    """Transcribes and translates recordings of any length.

    `weights.model` is the folder of a converted model, or its `model.bin` beside `weights.config`,
    `weights.tokenizer` and `weights.vocabulary`. `smalt.engines.transcription_worker.options` has the options.
    """

    extra: ClassVar[str | None] = "audio"

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec:
        """One worker for all deployments with the same files and options."""
        chosen = checked_options(deployment).model_dump(mode="json")
        weights = _weights(deployment)
        options: dict[str, Any] = {**chosen, "weights": weights, "env": ENVIRONMENT}
        digest = hashlib.sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS)).hexdigest()
        memory_bytes = 2 * _model_file(weights).stat().st_size + LIBRARIES_BYTES
        return WorkerSpec(f"faster_whisper:{digest[:16]}", TARGET, options, memory_bytes)

    @classmethod
    def open(cls, deployment: Deployment, worker: WorkerAddress | None) -> Self:
        """Speak with the deployment's worker."""
        assert worker is not None
        engine = cls(deployment)
        engine._channel = ChannelClient(worker.socket_path)
        return engine

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._channel: ChannelClient | None = None

    def transcribe(self, recording: Recording) -> AsyncIterator[TranscriptEvent]:
        """Stream the segments as they are heard, and the end."""
        return self._transcribe(recording)

    async def close(self) -> None:
        """Close the connection to the worker."""
        if self._channel is not None:
            await self._channel.close()

    async def _transcribe(self, recording: Recording) -> AsyncGenerator[TranscriptEvent]:
        assert self._channel is not None
        if recording.with_speakers:
            raise speakers_unknown(self.deployment.name)
        async with aclosing(self._channel.stream("transcribe", _header(recording), recording.content)) as messages:
            async for message, _ in messages:
                yield _event(message)


def _header(recording: Recording) -> dict[str, Any]:
    activity = recording.voice_activity
    return {
        "task": recording.task,
        "language": recording.language,
        # What is not valid Unicode cannot be sent, and no token spells it.
        "prompt": recording.prompt and recording.prompt.encode(errors="replace").decode(),
        "temperature": recording.temperature,
        "voice_activity": activity
        and {
            "threshold": activity.threshold,
            "prefix_padding_ms": activity.prefix_padding_ms,
            "silence_duration_ms": activity.silence_duration_ms,
        },
        "with_words": recording.with_words,
        "with_logprobs": recording.with_logprobs,
        "max_seconds": recording.max_hours and recording.max_hours * 3600,
    }


def _event(message: Mapping[str, Any]) -> TranscriptEvent:
    if "segment" in message:
        return _segment(message["segment"])
    return _end(message["end"]) if "end" in message else TranscriptProgress()


def _segment(message: Mapping[str, Any]) -> TranscriptSegment:
    fields: dict[str, Any] = {
        **message,
        "tokens": tuple(message["tokens"]),
        "words": tuple(SpokenWord(*word) for word in message["words"]),
        "logprobs": tuple(
            TokenLogprob(bytes(spelled).decode(errors="replace"), logprob, tuple(spelled))
            for spelled, logprob in message["logprobs"]
        ),
    }
    return TranscriptSegment(**fields)


def _end(message: Mapping[str, Any]) -> TranscriptEnd:
    return TranscriptEnd(**message)


def _weights(deployment: Deployment) -> dict[str, str]:
    """Every file of the model by its role; those that are not named lie beside the model."""
    named = deployment.weights.get("model")
    folder = None if named is None else Path(named) if Path(named).is_dir() else Path(named).parent
    found = {role: _found(deployment, role, folder) for role in WEIGHTS}
    for role in OPTIONAL_WEIGHTS:
        beside = folder and folder / "preprocessor_config.json"
        if role in deployment.weights or (beside and beside.is_file()):
            found[role] = deployment.weights.get(role) or str(beside)
    return found


def _found(deployment: Deployment, role: str, folder: Path | None) -> str:
    named = deployment.weights.get(role)
    path = Path(named) if named else None
    if folder is not None and (path is None or path.is_dir()):
        path = next((folder / name for name in WEIGHTS[role] if (folder / name).is_file()), None)
    if path is None or not os.access(path, os.R_OK):
        raise NotInstalled(
            f"Deployment {deployment.name} lacks a readable file for weights.{role} ({path or named}). "
            f"Fetch it with: smalt models pull {deployment.name}"
        )
    return str(path)


def _model_file(weights: Mapping[str, str]) -> Path:
    return Path(weights["model"])
