"""Real rooms over a fresh data folder and an echo, for tests of what is planned."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from smalt.app.opening import Rooms, open_rooms
from smalt.core.settings import DeploymentSettings, Settings
from smalt.store.files import Files, NewFile


@asynccontextmanager
async def planning_rooms(folder: Path, **settings: Any) -> AsyncGenerator[Rooms]:
    """The rooms of a server with the deployment `talker`, whose model is `echo-1`."""
    talker = DeploymentSettings(engine="echo", model="echo-1")
    deaf = DeploymentSettings(engine="echo", abilities=["embeddings"])
    made = Settings(data_dir=folder, starter=False, deployments={"talker": talker, "deaf": deaf}, **settings)
    async with AsyncExitStack() as stack:
        yield await open_rooms(made, stack, host_socket=None)


async def keep_file(rooms: Rooms, name: str, content: bytes, *, project: str = "p") -> str:
    """Upload a file; its id."""

    async def pieces() -> AsyncGenerator[bytes]:
        yield content

    blob = await rooms.blobs.put(pieces())
    file = await Files(rooms.database).create(project, NewFile(blob=blob, filename=name, purpose="user_data"))
    return file.id
