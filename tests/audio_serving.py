"""Serves Smalt with the models that hear and speak, and says how many words were heard wrongly."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import openai
import psutil
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from recordings import Clip
from serving import serving
from smalt.core.settings import load_settings
from smalt.engines.host.launcher import HostProcess, start_host

ENGLISH = EnglishTextNormalizer()
OTHERS = BasicTextNormalizer(remove_diacritics=True)


@dataclass(frozen=True)
class AudioServer:
    """A server with its client, and the host of its workers."""

    url: str
    key: str
    sdk: openai.OpenAI
    host: HostProcess

    def worker(self) -> psutil.Process:
        """The one worker, of the one model that was asked for."""
        (worker,) = psutil.Process(self.host.pid).children()
        return worker


@contextmanager
def serving_audio(starter_data_dir: Path, folder: Path, **sections: Any) -> Iterator[AudioServer]:
    """Serve the starter models from a data folder of its own; `sections` are settings."""
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "models").symlink_to(starter_data_dir / "models")
    settings = load_settings(data_dir=folder / "data", offline=True, **sections)
    with (
        start_host(settings) as host,
        serving(settings, host_socket=host.socket_path) as served,
        openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0, timeout=300) as sdk,
    ):
        yield AudioServer(served.url, served.key, sdk, host)


def heard(server: AudioServer, clip: Clip, **wanted: Any) -> str:
    """The text of a recording; asked again, as clients do, where the server had let go of the connection."""
    sdk = server.sdk.with_options(max_retries=2)
    return sdk.audio.transcriptions.create(model="whisper-1", file=(clip.filename, clip.content), **wanted).text


def words_of(text: str, language: str = "en") -> str:
    """A text as Whisper's authors compare texts: without case and marks, English with its numbers in digits."""
    return ENGLISH(text) if language == "en" else OTHERS(text)


def word_error_rate(clips: Iterable[Clip], texts: Iterable[str]) -> float:
    """The share of the words of all clips that was heard wrongly, left out or made up."""
    pairs = [
        (words_of(clip.text, clip.language), words_of(text, clip.language))
        for clip, text in zip(clips, texts, strict=True)
    ]
    return jiwer.wer([said for said, _ in pairs], [text for _, text in pairs])


def is_idle_soon(process: psutil.Process) -> bool:
    """Whether a process comes to use hardly any processor time."""

    def is_idle() -> bool:
        before = sum(process.cpu_times()[:2])
        time.sleep(1)
        return sum(process.cpu_times()[:2]) - before < 0.1

    return eventually(is_idle)


def eventually(is_so: Callable[[], bool], within_seconds: float = 60.0) -> bool:
    """Whether something becomes so in time."""
    until = time.monotonic() + within_seconds
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
