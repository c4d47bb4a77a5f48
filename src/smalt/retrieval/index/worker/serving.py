"""The target of the worker process: opens the shelf and answers calls on a channel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalt.core.errors import MissingExtra
from smalt.engines.channel import Handlers, Header, Message, Ready, run, serve_channel


def serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    """Answer until the process is stopped; what is open then is read again from its last snapshot and the store."""
    run(_serve(options, socket_path, ready))


async def _serve(options: Mapping[str, Any], socket_path: str, ready: Ready) -> None:
    try:
        from smalt.retrieval.index.messages import pack_hits, unpack_query
        from smalt.retrieval.index.worker.shelf import Pace, Shelf
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "faiss", extra="local") from error
    pace = Pace(**options.get("pace", {}))
    shelf = Shelf(options["database"], Path(options["folder"]), options["memory_bytes"], pace)

    async def search(header: Header, payload: bytes) -> Message:
        return pack_hits(await shelf.search(unpack_query(header, payload))), b""

    async def forget(header: Header, _payload: bytes) -> Message:
        await shelf.forget(header["vector_store"])
        return {}, b""

    await serve_channel(Handlers(calls={"search": search, "forget": forget}), socket_path, ready)
