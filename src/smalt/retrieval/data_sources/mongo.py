"""Speaks to MongoDB and what speaks like it: opens clients safely, runs pipelines, reads what they find."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from smalt.core.errors import MissingExtra
from smalt.retrieval.data_sources.failures import DataSourceFailed, DataSourceRefused, quoted, wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mapping import Fields, read
from smalt.retrieval.data_sources.protocols import PARAMETERS, Document

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient
    from pymongo.errors import OperationFailure

Json = dict[str, Any]

CONNECT_SECONDS: Final = 10.0
ANSWER_MILLISECONDS: Final = 30_000
SCHEMES: Final = ("mongodb://", "mongodb+srv://")
OPTIONS: Final = frozenset(
    {
        "appname",
        "authsource",
        "authmechanism",
        "compressors",
        "connecttimeoutms",
        "directconnection",
        "loadbalanced",
        "maxidletimems",
        "maxpoolsize",
        "readpreference",
        "replicaset",
        "retryreads",
        "retrywrites",
        "ssl",
        "tls",
        "w",
    }
)
"""Options of a connection string that a request may set. Others read files or use the identity of this machine."""
MECHANISMS: Final = frozenset({"SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN", "DEFAULT"})
SCORE: Final = "smaltScore"
"""Where pipelines put the score of a document."""


def check_address(uri: str, hosts: Hosts, parameter: str) -> None:
    """Refuse hosts that may not be asked, and options that a request may not set; the text may hold a password."""
    scheme = next((scheme for scheme in SCHEMES if uri.startswith(scheme)), None)
    if scheme is None:
        raise wrong(parameter, f"Invalid '{PARAMETERS}.{parameter}': it must begin with mongodb:// or mongodb+srv://.")
    authority, _, rest = uri[len(scheme) :].partition("/")
    authority, _, early = authority.partition("?")
    for member in authority.rpartition("@")[2].split(","):
        host, port = _split(member)
        hosts.check(host, port, parameter)
    for name, value in parse_qsl(rest.partition("?")[2] or early, keep_blank_values=True):
        if name.lower() not in OPTIONS or (name.lower() == "authmechanism" and value.upper() not in MECHANISMS):
            raise wrong(parameter, f"The option '{name}' of a connection string cannot be set by a request.")


def open_client(
    uri: str, parameter: str, *, connect_seconds: float = CONNECT_SECONDS, **options: Any
) -> "AsyncMongoClient[Json]":
    """A client, not connected yet."""
    milliseconds = int(connect_seconds * 1000)
    try:
        from pymongo import AsyncMongoClient
        from pymongo.errors import PyMongoError
    except ImportError:
        raise MissingExtra("pymongo", extra="mongodb") from None
    try:
        return AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=ANSWER_MILLISECONDS,
            # The client lives for one request: it needs no second connection that waits for changes.
            serverMonitoringMode="poll",
            **options,
        )
    except (PyMongoError, ValueError):
        # The reason may repeat the password, so it is not told.
        raise wrong(parameter, f"Invalid '{PARAMETERS}.{parameter}': it cannot be read as a MongoDB address.") from None


async def aggregated(
    client: "AsyncMongoClient[Json]",
    names: tuple[str, str],
    pipeline: Sequence[Mapping[str, Any]],
    *,
    secrets: Sequence[str],
    parameter: str,
) -> list[Json]:
    """What a pipeline gives, of the collection with these names of database and collection."""
    with _mapping(secrets, parameter):
        cursor = await client[names[0]][names[1]].aggregate(list(pipeline))
        return await cursor.to_list()


async def index_names(
    client: "AsyncMongoClient[Json]", names: tuple[str, str], *, secrets: Sequence[str], parameter: str
) -> list[str]:
    """The names of a collection's indexes."""
    with _mapping(secrets, parameter):
        cursor = await client[names[0]][names[1]].list_indexes()
        return sorted(str(index.get("name")) for index in await cursor.to_list())


@contextmanager
def _mapping(secrets: Sequence[str], parameter: str) -> Generator[None]:
    """Tell the driver's failures in our words."""
    from pymongo.errors import OperationFailure, PyMongoError

    try:
        yield
    except OperationFailure as error:
        raise DataSourceRefused(
            f"MongoDB refused the search: {quoted(_told(error), secrets)} Check the names of database, collection and "
            "index, and the authentication.",
            param=f"{PARAMETERS}.{parameter}",
        ) from None
    except PyMongoError as error:
        raise DataSourceFailed(
            f"MongoDB failed or cannot be reached: {quoted(str(error), secrets)}", param=f"{PARAMETERS}.{parameter}"
        ) from None


def _told(error: "OperationFailure") -> str:
    """What the server said, without the rest of its answer."""
    said = str((error.details or {}).get("errmsg") or error)
    return said if said.endswith(".") else f"{said}."


def document(record: Mapping[str, Any], fields: Fields, *, similarity: float | None) -> Document:
    """A record as a document."""
    parts = read(record, fields)
    return Document(
        key=str(record["_id"]),
        content=parts.content,
        score=float(record.get(SCORE) or 0.0),
        measure="similarity",
        title=parts.title,
        url=parts.url,
        filepath=parts.filepath,
        chunk_id=parts.chunk_id,
        similarity=similarity,
    )


def best(documents: Sequence[Document], limit: int) -> list[Document]:
    """The best of what the searches of several fields found, each document once."""
    found: dict[str, Document] = {}
    for one in documents:
        if one.key not in found or found[one.key].score < one.score:
            found[one.key] = one
    return sorted(found.values(), key=lambda one: -one.score)[:limit]


def _split(member: str) -> tuple[str, int | None]:
    """Host and port; IPv6 addresses are in brackets."""
    if member.startswith("["):
        host, _, rest = member[1:].partition("]")
        port = rest.lstrip(":")
    else:
        host, _, port = member.partition(":")
    return host, int(port) if port.isascii() and port.isdigit() else None
