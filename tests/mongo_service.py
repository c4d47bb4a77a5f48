"""A server that speaks MongoDB's wire protocol and evaluates searches by vectors over the documents it holds."""

import asyncio
import base64
import hashlib
import hmac
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import bson

from handbook import cosine
from loopback import in_a_thread
from search_services import handbook_records

Json = dict[str, Any]
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
USER, PASSWORD = "reader", "secret/of@mongo"
SALT, ITERATIONS = b"salt of the test", 4096
HELLO: Json = {
    "helloOk": True,
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48 * 2**20,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}


class CommandFailed(Exception):
    """What MongoDB answers a command that it refuses with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.reply = {"ok": 0.0, "code": code, "errmsg": message, "codeName": "Refused"}


@dataclass
class MongoService:
    """Where the server listens, what it holds, and the pipelines that it was sent."""

    address: str = ""
    documents: list[Json] = field(default_factory=lambda: [{**one, "_id": one["id"]} for one in handbook_records()])
    indexes: tuple[str, ...] = ("_id_", "vectors")
    pipelines: list[list[Json]] = field(default_factory=list)
    app_names: set[str] = field(default_factory=set)


@contextmanager
def mongo() -> Iterator[MongoService]:
    """The collection `pages` of the database `handbook`."""
    service = MongoService()

    async def start() -> tuple[MongoService, Callable[[], Awaitable[None]]]:
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            try:
                await Conversation(service, reader, writer).run()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        service.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def stop() -> None:
            server.close()
            for writer in writers:
                writer.close()
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

        return service, stop

    with in_a_thread(start):
        yield service


class Conversation:
    """One connection: signs the client in, then answers its commands."""

    def __init__(self, service: MongoService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.service = service
        self.reader = reader
        self.writer = writer
        self.is_signed_in = False
        self.scram = Scram()

    async def run(self) -> None:
        while True:
            length, request, _, code = struct.unpack("<iiii", await self.reader.readexactly(16))
            payload = await self.reader.readexactly(length - 16)
            if code == OP_QUERY:
                start = payload.index(b"\0", 4) + 1 + 8
                reply = bson.encode(self.answer(bson.decode(payload[start:])))
                self.send(OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + reply)
            else:
                assert code == OP_MSG
                assert payload[4] == 0
                self.send(
                    OP_MSG, request, struct.pack("<i", 0) + b"\0" + bson.encode(self.answer(bson.decode(payload[5:])))
                )
            await self.writer.drain()

    def send(self, code: int, request: int, payload: bytes) -> None:
        self.writer.write(struct.pack("<iiii", 16 + len(payload), 1, request, code) + payload)

    def answer(self, command: Json) -> Json:
        try:
            return self.told(command)
        except CommandFailed as error:
            return error.reply

    def told(self, command: Json) -> Json:
        name = next(iter(command))
        greetings = {"hello": self.hello, "ismaster": self.hello, "saslstart": self.begin, "saslcontinue": self.sign_in}
        if greeting := greetings.get(name.lower()):
            return greeting(command)
        if name in {"endSessions", "ping"}:
            return {"ok": 1.0}
        if not self.is_signed_in:
            raise CommandFailed(13, f"command {name} requires authentication")
        return cursor(self.found(name, command))

    def hello(self, command: Json) -> Json:
        if application := command.get("client", {}).get("application"):
            self.service.app_names.add(application["name"])
        mechanisms = {"saslSupportedMechs": ["SCRAM-SHA-256"]} if "saslSupportedMechs" in command else {}
        return {**HELLO, **mechanisms}

    def begin(self, command: Json) -> Json:
        return self.scram.first(bytes(command["payload"]))

    def sign_in(self, command: Json) -> Json:
        reply = self.scram.last(bytes(command["payload"]))
        self.is_signed_in = True
        return reply

    def found(self, name: str, command: Json) -> list[Json]:
        if (command["$db"], command[name]) != ("handbook", "pages"):
            return []
        if name == "listIndexes":
            return [{"name": index} for index in self.service.indexes]
        assert name == "aggregate", command
        self.service.pipelines.append(command["pipeline"])
        return evaluated(self.service, command["pipeline"])


def cursor(batch: list[Json]) -> Json:
    return {"cursor": {"id": bson.Int64(0), "ns": "handbook.pages", "firstBatch": batch}, "ok": 1.0}


def evaluated(service: MongoService, pipeline: list[Json]) -> list[Json]:
    search, *stages = pipeline
    found, meta = vector_search(service, search)
    for stage in stages:
        [(name, asked)] = stage.items()
        if name == "$addFields":
            [(field_name, expression)] = asked.items()
            if expression != {"$meta": meta}:
                raise CommandFailed(40218, f"query requires {expression} metadata, but it is not available")
            found = [(score, {**one, field_name: score}) for score, one in found]
        else:
            assert name == "$project"
            assert set(asked.values()) == {0}
            found = [(score, {key: value for key, value in one.items() if key not in asked}) for score, one in found]
    return [one for _, one in found]


def vector_search(service: MongoService, stage: Json) -> tuple[list[tuple[float, Json]], str]:
    if "$vectorSearch" in stage:
        asked = stage["$vectorSearch"]
        if asked["index"] not in service.indexes:
            raise CommandFailed(8, f"index {asked['index']} does not exist")
        vector, limit, meta = asked["queryVector"], asked["limit"], "vectorSearchScore"
        assert asked["numCandidates"] >= limit
    else:
        asked = stage["$search"]["cosmosSearch"]
        vector, limit, meta = asked["vector"], asked["k"], "searchScore"
    try:
        scored = [(cosine(vector, one[asked["path"]]), one) for one in service.documents]
    except (KeyError, ValueError) as error:
        raise CommandFailed(2, f"cannot search by {error}") from error
    if meta == "vectorSearchScore":
        scored = [((1 + score) / 2, one) for score, one in scored]
    return sorted(scored, key=lambda pair: -pair[0])[:limit], meta


class Scram:
    """The server's side of SCRAM-SHA-256."""

    def first(self, payload: bytes) -> Json:
        self.client_first = payload.decode().removeprefix("n,,")
        parts = dict(part.split("=", 1) for part in self.client_first.split(","))
        self.is_known = parts["n"] == USER
        salt = base64.b64encode(SALT).decode()
        self.server_first = f"r={parts['r']}of-the-server,s={salt},i={ITERATIONS}"
        return {"conversationId": 1, "done": False, "payload": self.server_first.encode(), "ok": 1.0}

    def last(self, payload: bytes) -> Json:
        bare, _, proof = payload.decode().rpartition(",p=")
        message = f"{self.client_first},{self.server_first},{bare}".encode()
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, ITERATIONS)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not self.is_known or base64.b64decode(proof) != expected:
            raise CommandFailed(18, "Authentication failed.")
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        payload = b"v=" + base64.b64encode(server)
        return {"conversationId": 1, "done": True, "payload": payload, "ok": 1.0}
