"""What a response may be asked with, through the SDK over an echo, which says back what the model was told last."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from documents import pdf
from serving import Served, serving
from smalt.core.settings import DeploymentSettings, Settings

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An echo, and one with room for sixty tokens."""
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
        "cramped": DeploymentSettings(engine="echo", options={"context": 60}),
    }
    settings = Settings(data_dir=tmp_path_factory.mktemp("input"), starter=False, deployments=deployments)
    with serving(settings) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        yield client


def respond(client: openai.OpenAI, asked: Any, **fields: Any) -> Any:
    return client.responses.create(**{"model": "echo", "input": asked, **fields})


def test_a_document_is_read_whether_it_was_uploaded_or_is_sent_along(client: openai.OpenAI):
    document = pdf("Cats purr.", "Dogs bark.")
    uploaded = client.files.create(file=("pets.pdf", document), purpose="user_data")
    data = f"data:application/pdf;base64,{base64.b64encode(document).decode()}"
    for part in ({"file_id": uploaded.id}, {"filename": "pets.pdf", "file_data": data}):
        said = respond(client, [{"role": "user", "content": [{"type": "input_file", **part}]}]).output_text
        assert said.startswith('<file name="pets.pdf">')
        assert "Cats purr." in said
        assert "Dogs bark." in said


def test_what_was_read_is_never_shown(client: openai.OpenAI):
    uploaded = client.files.create(file=("pets.txt", b"Cats purr."), purpose="user_data")
    made = respond(client, [{"role": "user", "content": [{"type": "input_file", "file_id": uploaded.id}]}])
    (item,) = client.responses.input_items.list(made.id).data
    assert item.model_dump(exclude_none=True)["content"] == [{"type": "input_file", "file_id": uploaded.id}]


def test_output_may_be_sent_back_as_it_came_with_the_results_of_its_calls(client: openai.OpenAI):
    first = respond(client, "call look {}", tools=[LOOK], store=False)
    (call,) = first.output
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "a cat"}
    history = [{"role": "user", "content": "call look {}"}, *first.output, result]
    assert respond(client, history, tools=[LOOK]).output_text == "a cat"


def test_stored_items_may_be_referred_to(client: openai.OpenAI):
    first = respond(client, "call look {}", tools=[LOOK])
    reference = {"type": "item_reference", "id": first.output[0].id}
    result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "a cat"}
    assert respond(client, [reference, result], tools=[LOOK]).output_text == "a cat"
    with pytest.raises(openai.NotFoundError):
        respond(client, [{"type": "item_reference", "id": "msg_none"}])


def test_a_result_without_its_call_is_refused_and_so_is_the_reverse(client: openai.OpenAI):
    result = {"type": "function_call_output", "call_id": "call_none", "output": "a cat"}
    with pytest.raises(openai.BadRequestError, match="No tool call found"):
        respond(client, [result])
    first = respond(client, "call look {}", tools=[LOOK])
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        respond(client, "And?", previous_response_id=first.id)


def test_what_does_not_fit_is_left_out_from_the_beginning_when_it_may_be(client: openai.OpenAI):
    history: list[Any] = [{"role": "user", "content": f"word {number} " * 8} for number in range(6)]
    asked = [*history, {"role": "user", "content": "The last word."}]
    with pytest.raises(openai.BadRequestError) as refusal:
        respond(client, asked, model="cramped", truncation="disabled")
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "input")
    made = respond(client, asked, model="cramped", truncation="auto")
    assert made.output_text == "The last word."
    assert made.usage.input_tokens < 60


def test_thoughts_travel_sealed_when_nothing_is_stored(client: openai.OpenAI):
    fields: dict[str, Any] = {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
    }
    first = respond(client, "Hm", **fields)
    thought = first.output[0]
    assert thought.type == "reasoning"
    assert thought.encrypted_content
    assert respond(client, [*first.output, {"role": "user", "content": "Well?"}], **fields).output_text == "Well?"
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAB"}
    with pytest.raises(openai.BadRequestError) as refusal:
        respond(client, [foreign, {"role": "user", "content": "Well?"}])
    assert refusal.value.code == "invalid_encrypted_content"


def test_an_engine_s_refusal_names_the_field_that_the_client_sent(client: openai.OpenAI):
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}
    with pytest.raises(openai.BadRequestError) as refusal:
        respond(client, [{"role": "user", "content": [picture]}])
    assert refusal.value.param == "input"
    assert "'input'" in refusal.value.message
