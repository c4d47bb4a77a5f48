"""The target of the worker process: loads the classifiers and answers `moderate_images` calls on a channel."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Handlers, Header, Message, Ready, run, serve_channel
from smalt.engines.image_moderation_worker.options import ImageModerationOptions, read_options

if TYPE_CHECKING:
    from smalt.engines.image_moderation_worker.classifiers import PictureJudge


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the models and answer until the process is stopped."""
    run(_serve(options, socket_path, ready))


class Looking:
    """Looks at the pictures of all calls in one thread, a picture of each call in turn."""

    def __init__(self, judge: "PictureJudge", options: ImageModerationOptions) -> None:
        self._judge = judge
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="look")

    async def moderate_images(self, header: Header, payload: bytes) -> Message:
        """Answer one call: the scores of each picture; `sizes` tells where each ends in the payload."""
        sizes: Sequence[int] = header["sizes"]
        loop = asyncio.get_running_loop()
        found: list[Mapping[str, float]] = []
        start = 0
        for number, size in enumerate(sizes, 1):
            content = payload[start : start + size]
            found.append(await loop.run_in_executor(self._thread, self._scores, content, number))
            start += size
        return {"scores": found}, b""

    def _scores(self, content: bytes, number: int) -> Mapping[str, float]:
        from smalt.engines.image_moderation_worker.decoding import frames

        scored = [self._judge.scores(frame) for frame in frames(content, number, self._options)]
        return {name: max(one[name] for one in scored) for name in scored[0]}


async def _serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    try:
        from smalt.engines.image_moderation_worker.classifiers import PictureJudge
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnxruntime", extra="local") from error
    chosen = read_options(options)
    judge = PictureJudge(options["model"], options["nsfw"], chosen.threads)
    looking = Looking(judge, chosen)
    await serve_channel(Handlers(calls={"moderate_images": looking.moderate_images}), socket_path, ready)
