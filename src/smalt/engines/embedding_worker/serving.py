"""The target of the worker process: loads the model and answers `embed` calls on a channel."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Handlers, Ready, run, serve_channel
from smalt.engines.embedding_worker.options import EmbeddingOptions, read_options


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Load the model and answer until the process is stopped."""
    run(_serve(read_options(options), socket_path, ready))


async def _serve(options: EmbeddingOptions, socket_path: str, ready: Ready) -> None:
    try:
        from smalt.engines.embedding_worker.embedder import Embedder
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnxruntime", extra="local") from error
    embedder = Embedder(options)
    info = {"dimensions": embedder.dimensions, "max_input_tokens": options.max_input_tokens}
    await serve_channel(
        Handlers(calls={"embed": embedder.embed, "token_starts": embedder.token_starts}), socket_path, ready, info
    )
