"""What the speaking engines have in common in the API process: an utterance to a worker, sound back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Self

import orjson

from smalt.core.errors import InvalidRequest
from smalt.engines.audio import SpeechAudio, SpeechEnd, SpeechEvent, Utterance
from smalt.engines.channel import ChannelClient
from smalt.engines.protocols import Deployment, Engine, WorkerAddress


class SpeakingEngine(Engine):
    """Speaks through a worker that serves a synthesizer; subclasses say which worker."""

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

    async def speak(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        """Stream the sound of a text, a sentence or less at a time, and the end."""
        assert self._channel is not None
        try:
            messages = self._channel.stream("speak", asdict(utterance))
            async with aclosing(messages):
                async for header, data in messages:
                    yield SpeechEnd(**header) if header else SpeechAudio(data)
        except orjson.JSONEncodeError as error:
            raise InvalidRequest(f"'input' holds text that is not valid Unicode: {error}.", param="input") from error

    async def close(self) -> None:
        """Close the connection to the worker."""
        if self._channel is not None:
            await self._channel.close()
