"""The target of the worker process: loads the encoder and the heads, and answers `moderate` calls on a channel."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Handlers, Ready, run, serve_channel
from smalt.engines.moderation_worker.options import ModerationOptions, read_options


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load everything and answer until the process is stopped."""
    run(_serve(read_options(options), socket_path, ready))


async def _serve(options: ModerationOptions, socket_path: str, ready: Ready) -> None:
    try:
        from smalt.engines.moderation_worker.judge import TextJudge
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnxruntime", extra="local") from error
    judge = TextJudge(options)
    await serve_channel(Handlers(calls={"moderate": judge.moderate}), socket_path, ready)
