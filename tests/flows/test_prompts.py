"""Prompt templates in requests for responses, through the SDK; an echo says the last thing again that it was told."""

import asyncio
import json
from contextlib import asynccontextmanager

import openai
import pytest

from smalt.schemas.vocabulary import check_answer
from smalt.store.database import Database, default_database
from smalt.store.prompts import NewPromptVersion, Prompts


@asynccontextmanager
async def prompts_of(echo_server):
    database = Database.open(default_database(echo_server.app.state.settings.data_dir))
    try:
        yield Prompts(database)
    finally:
        await database.close()


@pytest.fixture
def add(echo_server):
    """Adds a version to a prompt while the server runs; returns it."""

    def add(name, **says):
        async def add_now():
            async with prompts_of(echo_server) as prompts:
                return await prompts.add(says.pop("project", "default"), name, NewPromptVersion(**says))

        return asyncio.run(add_now())

    return add


@pytest.fixture
def about(add):
    """A prompt with variables in its instructions and in its message."""
    message = {"type": "message", "role": "user", "content": "Tell me about {{topic}}!"}
    return add("about", instructions="Be {{tone}}.", messages=[message], defaults={"temperature": 0.25})


def refused(error):
    return error.value.status_code, error.value.body["param"]


VARIABLES = {"tone": "brief", "topic": "smalt"}


def test_variables_are_put_into_instructions_and_messages(client, about):
    raw = client.responses.with_raw_response.create(model="echo", prompt={"id": about.id, "variables": VARIABLES})
    check_answer("AzureResponse", json.loads(raw.text))
    answer = raw.parse()
    assert answer.output_text == "Tell me about smalt!"
    assert answer.instructions == "Be brief."
    assert answer.temperature == 0.25
    assert (answer.prompt.id, answer.prompt.version) == (about.id, about.version)


def test_what_a_request_says_itself_wins(client, about):
    prompt = {"id": "about", "variables": {**VARIABLES, "topic": {"type": "input_text", "text": "cobalt"}}}
    answer = client.responses.create(
        model="echo", prompt=prompt, input="And glass?", instructions="Be kind.", temperature=1
    )
    assert (answer.output_text, answer.instructions, answer.temperature) == ("And glass?", "Be kind.", 1)


def test_a_request_takes_the_newest_version_or_the_one_it_names(client, add):
    first = add("versions", instructions="One")
    add("versions", instructions="Two")
    ask = {"model": "echo", "input": "Hi"}
    assert client.responses.create(**ask, prompt={"id": first.id}).instructions == "Two"
    assert client.responses.create(**ask, prompt={"id": first.id, "version": first.version}).instructions == "One"
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(**ask, prompt={"id": first.id, "version": "99"})
    assert refused(missing) == (404, "prompt.version")


def test_instructions_of_a_prompt_are_not_carried_over(client, add):
    prompt = add("once", instructions="Once only.")
    first = client.responses.create(model="echo", input="Hi", prompt={"id": prompt.id})
    second = client.responses.create(model="echo", input="Hi again", previous_response_id=first.id)
    assert (first.instructions, second.instructions) == ("Once only.", None)


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ({"id": "about"}, (400, "prompt.variables.tone")),
        ({"id": "about", "variables": {**VARIABLES, "mood": "x"}}, (400, "prompt.variables.mood")),
        ({"id": "nowhere"}, (404, "prompt.id")),
        ({"id": "theirs"}, (404, "prompt.id")),
        ({}, (400, "prompt.id")),
    ],
)
def test_a_prompt_that_cannot_be_filled_is_refused_by_name(client, about, add, prompt, fault):
    add("theirs", instructions="Hi", project="other")
    with pytest.raises(openai.APIStatusError) as refusal:
        client.responses.create(model="echo", input="Hi", prompt=prompt)
    assert refused(refusal) == fault
