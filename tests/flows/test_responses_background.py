"""Responses in the background, made by real jobs in a process of their own; the models are echoes."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from serving import Served, new_key, serving
from smalt.core.settings import DeploymentSettings, Settings
from smalt.schemas.vocabulary import check_answer

MOUNTS = ["v1", "openai/v1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("responses")


@pytest.fixture(scope="module")
def other_key(folder: Path) -> str:
    """A key of another project, from before the server starts."""
    return asyncio.run(new_key(folder, "other"))


@pytest.fixture(scope="module")
def served(folder: Path, other_key: str) -> Iterator[Served]:
    slow = {"delay_seconds": 0.05, "tokens": 200}
    settings = Settings(
        data_dir=folder,
        starter=False,
        deployments={
            "echo": DeploymentSettings(engine="echo"),
            "slow": DeploymentSettings(engine="echo", options=slow),
            "fragile": DeploymentSettings(engine="echo", options={"fail_after": 2}),
        },
    )
    with serving(settings, jobs=True) as server:
        yield server


@pytest.fixture(scope="module", params=MOUNTS)
def client(served: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/{request.param}", api_key=served.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def one_client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as made:
        yield made


def finished(client: openai.OpenAI, response: Response, seconds: float = 60) -> Response:
    until = time.monotonic() + seconds
    while response.status in {"queued", "in_progress"}:
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)
        response = client.responses.retrieve(response.id)
    return response


def numbers(events: list[ResponseStreamEvent]) -> list[int]:
    return [event.sequence_number for event in events]


def stream(client: openai.OpenAI, **asked: Any) -> Iterator[ResponseStreamEvent]:
    return iter(client.responses.create(background=True, stream=True, **asked))


def first_deltas(events: Iterator[ResponseStreamEvent], count: int = 3) -> list[ResponseStreamEvent]:
    """The events up to so many pieces of text."""
    seen: list[ResponseStreamEvent] = []
    while sum(event.type == "response.output_text.delta" for event in seen) < count:
        seen.append(next(events))
    return seen


def test_a_response_is_made_in_the_background_and_polled(client: openai.OpenAI) -> None:
    begun = client.responses.create(model="echo", input="Cobalt glass", background=True, metadata={"a": "b"})
    assert (begun.status, begun.background, begun.output) == ("queued", True, [])
    ended = finished(client, begun)
    assert (ended.status, ended.output_text, ended.metadata) == ("completed", "Cobalt glass", {"a": "b"})
    assert ended.usage is not None
    assert ended.usage.total_tokens > 0
    assert ended.completed_at is not None


def test_a_stream_is_followed_from_its_beginning_and_again_later(client: openai.OpenAI) -> None:
    events = list(stream(client, model="echo", input="Cobalt glass"))
    assert [event.type for event in events][:3] == ["response.created", "response.queued", "response.in_progress"]
    assert numbers(events) == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Cobalt glass"
    assert client.responses.retrieve(last.response.id) == last.response
    again = list(client.responses.retrieve(last.response.id, stream=True, include_obfuscation=False))
    assert [event.type for event in again] == [event.type for event in events]
    rest = list(client.responses.retrieve(last.response.id, stream=True, starting_after=4, include_obfuscation=False))
    assert rest == again[5:]
    assert list(client.responses.retrieve(last.response.id, stream=True, starting_after=numbers(events)[-1])) == []


def test_a_client_that_lost_its_connection_goes_on_where_it_was(one_client: openai.OpenAI) -> None:
    made = one_client.responses.create(model="slow", input="Smalt", background=True, stream=True)
    seen = first_deltas(iter(made))
    made.close()
    assert seen[0].type == "response.created"
    rest = list(one_client.responses.retrieve(seen[0].response.id, stream=True, starting_after=numbers(seen)[-1]))
    assert numbers([*seen, *rest]) == list(range(len(seen) + len(rest)))
    assert rest[-1].type == "response.completed"
    text = "".join(event.delta for event in [*seen, *rest] if event.type == "response.output_text.delta")
    assert text == rest[-1].response.output_text


def test_a_cancelled_response_ends_for_all_who_look(client: openai.OpenAI) -> None:
    events = stream(client, model="slow", input="Smalt")
    seen = first_deltas(events)
    assert seen[0].type == "response.created"
    response_id = seen[0].response.id
    assert client.responses.retrieve(response_id).status == "in_progress"
    cancelled = client.responses.cancel(response_id)
    assert (cancelled.status, cancelled.output, cancelled.usage) == ("cancelled", [], None)
    rest = list(events)
    assert rest[-1].type == "response.failed"
    assert rest[-1].response.status == "cancelled"
    assert client.responses.cancel(response_id) == cancelled == client.responses.retrieve(response_id)
    assert numbers([*seen, *rest]) == list(range(len(seen) + len(rest)))


def test_every_answer_is_what_the_reference_says(one_client: openai.OpenAI) -> None:
    """Under Azure's mount, whose reference the schemas follow to the letter."""
    client = one_client.with_options(base_url=str(one_client.base_url).replace("/v1/", "/openai/v1/"))
    raw = client.responses.with_raw_response
    begun = raw.create(model="slow", input="Smalt", background=True, stream=True)
    events = [json.loads(line[6:]) for line in begun.http_response.iter_lines() if line.startswith("data: ")]
    for event in events:
        check_answer("ResponseStreamEvent", event)
    response_id = events[-1]["response"]["id"]
    check_answer("AzureResponse", json.loads(raw.retrieve(response_id).content))
    check_answer("ResponseItemList", json.loads(raw.input_items.list(response_id).content))
    other = client.responses.create(model="slow", input="Smalt", background=True)
    check_answer("AzureResponse", json.loads(raw.cancel(other.id).content))
    deleted = client.delete(f"/responses/{other.id}", cast_to=object)
    check_answer("DeleteResponse", deleted)


def test_what_cannot_be_cancelled_says_why(one_client: openai.OpenAI) -> None:
    ended = finished(one_client, one_client.responses.create(model="echo", input="Smalt", background=True))
    with pytest.raises(openai.ConflictError, match="completed"):
        one_client.responses.cancel(ended.id)
    plain = one_client.responses.create(model="echo", input="Smalt")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        one_client.responses.cancel(plain.id)
    with pytest.raises(openai.NotFoundError, match="Response with id 'resp_none' not found"):
        one_client.responses.cancel("resp_none")


def test_an_engine_that_breaks_ends_the_response_as_failed(one_client: openai.OpenAI) -> None:
    events = list(stream(one_client, model="fragile", input="one two three four five"))
    assert [event.type for event in events][-2:] == ["error", "response.failed"]
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error is not None
    assert last.response.error.code == "server_error"
    assert one_client.responses.retrieve(last.response.id) == last.response


def test_a_deleted_response_is_gone_and_no_longer_made(one_client: openai.OpenAI) -> None:
    events = stream(one_client, model="slow", input="Smalt")
    seen = first_deltas(events)
    assert seen[0].type == "response.created"
    one_client.responses.delete(seen[0].response.id)
    for look in (one_client.responses.retrieve, one_client.responses.input_items.list, one_client.responses.delete):
        with pytest.raises(openai.NotFoundError, match="not found"):
            look(seen[0].response.id)
    assert list(events)[-1].type == "error"


@pytest.mark.parametrize(("asked", "missing"), [({}, "background"), ({"background": True}, "stream")])
def test_only_what_was_streamed_in_the_background_is_streamed_later(
    one_client: openai.OpenAI, asked: dict[str, Any], missing: str
) -> None:
    made = one_client.responses.create(model="echo", input="Smalt", **asked)
    with pytest.raises(openai.BadRequestError, match=f"{missing}=true") as refused:
        one_client.responses.retrieve(made.id, stream=True)
    assert refused.value.param == "stream"


def test_a_place_in_a_stream_needs_a_stream(one_client: openai.OpenAI) -> None:
    made = one_client.responses.create(model="echo", input="Smalt")
    with pytest.raises(openai.BadRequestError, match="stream=true") as refused:
        one_client.responses.retrieve(made.id, extra_query={"starting_after": 3})
    assert refused.value.param == "starting_after"
    with pytest.raises(openai.BadRequestError) as refused:
        one_client.responses.retrieve(made.id, extra_query={"stream": "true", "starting_after": "x"})
    assert refused.value.param == "starting_after"


def test_a_response_in_the_background_is_gone_on_from_when_it_has_ended(one_client: openai.OpenAI) -> None:
    slow = one_client.responses.create(model="slow", input="Smalt", background=True)
    with pytest.raises(openai.BadRequestError, match="Wait until it has ended") as refused:
        one_client.responses.create(model="echo", input="And then?", previous_response_id=slow.id)
    assert refused.value.param == "previous_response_id"
    one_client.responses.cancel(slow.id)
    first = finished(one_client, one_client.responses.create(model="echo", input="Smalt", background=True))
    second = one_client.responses.create(
        model="echo", input="And then?", previous_response_id=first.id, background=True
    )
    assert finished(one_client, second).output_text == "And then?"
    items = list(one_client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message"] * 3
    assert items[1].id == first.output[0].id


def test_input_items_come_in_pages(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": f"word {number}"} for number in range(5)]
    made = client.responses.create(model="echo", input=asked)
    ids = [item.id for item in client.responses.input_items.list(made.id, order="asc", limit=2)]
    assert len(set(ids)) == 5
    page = client.responses.input_items.list(made.id, limit=3)
    assert ([item.id for item in page.data], page.has_more) == (ids[:1:-1], True)
    behind = client.responses.input_items.list(made.id, limit=3, after=ids[2])
    assert ([item.id for item in behind.data], behind.has_more) == (ids[1::-1], False)
    with pytest.raises(openai.NotFoundError, match="msg_none"):
        client.responses.input_items.list(made.id, after="msg_none")


def test_what_is_shown_is_what_include_asks_for(client: openai.OpenAI) -> None:
    made = client.responses.create(model="echo", input="Smalt", top_logprobs=2)
    for wishes, is_shown in ((["message.output_text.logprobs"], True), (["file_search_call.results"], False)):
        found: Any = client.responses.retrieve(made.id, include=wishes)
        assert bool(found.output[0].content[0].logprobs) == is_shown
    with pytest.raises(openai.BadRequestError, match="Supported values are") as refused:
        client.responses.retrieve(made.id, include=["everything"])  # pyright: ignore[reportArgumentType]
    assert (refused.value.param or "").startswith("include")


def test_another_project_finds_nothing(one_client: openai.OpenAI, served: Served, other_key: str) -> None:
    made = one_client.responses.create(model="slow", input="Smalt", background=True)
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=other_key, max_retries=0) as other:
        for look in (other.responses.retrieve, other.responses.cancel, other.responses.delete):
            with pytest.raises(openai.NotFoundError):
                look(made.id)
        with pytest.raises(openai.BadRequestError, match="not found"):
            other.responses.create(model="echo", input="x", previous_response_id=made.id)
    assert one_client.responses.cancel(made.id).status == "cancelled"
