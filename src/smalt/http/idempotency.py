"""Answers a request that names an idempotency key once: whoever sends it again gets the answer that was kept."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smalt.core.errors import ApiError, Conflict, InvalidRequest, Unavailable
from smalt.http.body import FORM_OVERHEAD, Limit
from smalt.http.call import Call, Mount, call_of
from smalt.http.errors import answer
from smalt.http.request_digest import RequestDigest
from smalt.store.idempotent_answers import CLAIMED_SECONDS, Claim, Header, IdempotentAnswers, KeptAnswer

logger = logging.getLogger(__name__)

HEADER: Final = b"idempotency-key"
REPLAYED: Final = (b"idempotent-replayed", b"true")
MOUNTS: Final[frozenset[Mount]] = frozenset({"azure_v1", "openai_v1", "azure_classic", "connectors"})
LONGEST_KEY: Final = 255
MOST_BYTES: Final = 32 * 2**20
"""A longer answer is not kept."""

WAIT_SECONDS: Final = 60.0
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
OK: Final = range(200, 300)
BAD_REQUEST: Final = 400
OF_THE_MOMENT: Final = b"x-ratelimit-"
"""How the headers begin that tell of the first request's minute."""


class KeyReused(ApiError):
    """The idempotency key belongs to another request (422)."""

    status = 422
    type = "idempotency_error"
    default_code = "idempotency_key_reused"


class StillWorking(Conflict):
    """The first request with this idempotency key is still at work (409)."""

    type = "idempotency_error"
    default_code = "idempotency_key_in_use"


def asks_once(call: Call, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request is to be answered once; all that others pay for it is this look at their headers."""
    if call.method == "POST" and call.mount in MOUNTS:
        for name, _ in headers:
            if name == HEADER:
                return True
    return False


async def answer_once(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a key: from what was kept, or by the app."""
    call = call_of(scope)
    limit = Limit(scope["app"].state.settings.limits.upload_bytes + FORM_OVERHEAD, "limits.upload_bytes")
    request = RequestDigest(scope, limit.over(receive))
    answers = IdempotentAnswers(scope["app"].state.database)
    turn = await _turn(answers, call, scope)
    if isinstance(turn, KeptAnswer):
        await _replay(turn, request, call, send)
        return
    async with _held(answers, turn) as held:
        recorder = Recorder(call, send)
        await _work(app, scope, request.receive, recorder)
        # Before anything of it goes out: a client that has the answer can rely on getting it again.
        held.is_over = recorder.is_final and await _keep(answers, turn, recorder, request)
        await recorder.flush()


async def _keep(answers: IdempotentAnswers, claim: Claim, recorder: "Recorder", request: RequestDigest) -> bool:
    """Keep the answer; whether that went well. The client gets it in any case, since the work is done."""
    try:
        # Not everything reads its body.
        await answers.keep(claim, recorder.kept(await request.whole()))
    except (ApiError, ClientDisconnect):
        logger.exception("an answer with an idempotency key was not kept")
        return False
    return True


async def _turn(answers: IdempotentAnswers, call: Call, scope: Scope) -> Claim | KeptAnswer:
    """The kept answer or the right to work, after whoever works on the request now."""
    key = _key(scope)
    waited, pause = 0.0, FIRST_PAUSE_SECONDS
    while (turn := await answers.claim(call.caller.project, key)) is None:
        if scope["app"].state.stopping.is_stopping:
            raise Unavailable("The server is stopping. Send the request again when it is back.")
        if waited >= WAIT_SECONDS:
            raise StillWorking(
                f"The first request with this Idempotency-Key is still at work after {WAIT_SECONDS:g} seconds. Send "
                "this one again later; it will get the first one's answer.",
                param="Idempotency-Key",
                headers={"Retry-After": "5"},
            )
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
    return turn


def _key(scope: Scope) -> str:
    key = dict(scope["headers"])[HEADER].decode("latin-1").strip()
    if not key or len(key) > LONGEST_KEY:
        message = (
            f"The header Idempotency-Key must have 1 to {LONGEST_KEY} characters. Send a random one, such as a UUID."
        )
        raise InvalidRequest(message, param="Idempotency-Key")
    return key


async def _replay(kept: KeptAnswer, request: RequestDigest, call: Call, send: Send) -> None:
    call.operation = "replayAnswer"
    if await request.whole() != kept.request_digest:
        raise KeyReused(
            "This Idempotency-Key was used for another request: another path, query or body. Use a new key for a new "
            "request.",
            param="Idempotency-Key",
        )
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers]
    await send({"type": "http.response.start", "status": kept.status, "headers": [*headers, REPLAYED]})
    await send({"type": "http.response.body", "body": kept.content, "more_body": False})


class Held:
    """A claim while it is worked under; `is_over` once the answer is kept in its place."""

    is_over = False


@asynccontextmanager
async def _held(answers: IdempotentAnswers, claim: Claim) -> AsyncGenerator[Held]:
    """Put the claim off again and again; give it back unless the answer was kept."""
    beating = asyncio.create_task(_beat(answers, claim))
    held = Held()
    try:
        yield held
    finally:
        beating.cancel()
        if not held.is_over:
            # A claim that cannot be given back ends by itself.
            with suppress(ApiError):
                await answers.release(claim)


async def _beat(answers: IdempotentAnswers, claim: Claim) -> None:
    while True:
        await asyncio.sleep(CLAIMED_SECONDS / 3)
        # A database that is busy for a moment is no reason to stop.
        with suppress(ApiError):
            await answers.put_off(claim)


async def _work(app: ASGIApp, scope: Scope, receive: Receive, recorder: "Recorder") -> None:
    """Let the app answer; its errors are answers too, as far as nothing has gone out."""
    try:
        await app(scope, receive, recorder)
    except Exception as error:
        if recorder.is_passing:
            raise
        recorder.forget()
        await answer(error, call_of(scope))(scope, receive, recorder)


class Recorder:
    """Holds an answer back until it is whole; a stream, or what is too long to be kept, goes out as it comes."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send
        self._messages: list[Message] = []
        self._size = 0
        self.is_passing = False

    async def __call__(self, message: Message) -> None:
        """Take one message."""
        if self.is_passing:
            await self._send(message)
            return
        self._messages.append(message)
        self._size += len(message.get("body", b""))
        if self._size > MOST_BYTES or _is_stream(message):
            await self.flush()

    async def flush(self) -> None:
        """Send what was held back."""
        self.is_passing = True
        messages, self._messages = self._messages, []
        for message in messages:
            await self._send(message)

    def forget(self) -> None:
        """Drop the beginning of an answer that came to nothing."""
        self._messages.clear()
        self._size = 0

    @property
    def is_final(self) -> bool:
        """Whether the answer is whole, and asking again would not help: it was done, or the request is at fault."""
        if self.is_passing or len(self._messages) < 2:  # noqa: PLR2004 - its start and its end
            return False
        status = self._messages[0]["status"]
        return not self._messages[-1].get("more_body", False) and (status in OK or status == BAD_REQUEST)

    def kept(self, request_digest: str) -> KeptAnswer:
        """The whole answer as it is kept."""
        start, *bodies = self._messages
        of_the_call = [one for one in self._call.response_headers if not one[0].startswith(OF_THE_MOMENT)]
        headers = [_text(header) for header in (*start["headers"], *of_the_call)]
        content = b"".join(message.get("body", b"") for message in bodies)
        return KeptAnswer(request_digest, start["status"], headers, content)


def _is_stream(message: Message) -> bool:
    return message["type"] == "http.response.start" and any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
    )


def _text(header: tuple[bytes, bytes]) -> Header:
    return header[0].decode("latin-1"), header[1].decode("latin-1")
