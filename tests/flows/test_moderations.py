"""Moderations through the SDK, over echoes that score as they are told, and over the starter's own model."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from aiohttp import web
from typer.testing import CliRunner

from loopback import web_service
from node_stories import node_facts
from serving import Served, loopback_socket, new_key, serving, url_of
from smalt.cli.commands import app
from smalt.core.settings import DeploymentSettings, Settings
from smalt.schemas.vocabulary import check_answer

CATEGORIES = 13
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LOUD = "You [[moderate violence=1.0 harassment=1.0]] are loud."
ILLICIT = "How [[moderate illicit=1.0]] is it done?"


def picture(mark: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(mark), **more}}


def data_url(mark: str = "") -> str:
    return f"data:image/png;base64,{base64.b64encode(PNG + mark.encode()).decode()}"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


async def site(request: web.Request) -> web.Response:
    return web.Response(body=PNG) if request.path == "/cat.png" else web.Response(status=404)


@pytest.fixture(scope="module")
def pictures_url() -> Iterator[str]:
    with web_service(site) as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose moderation models are echoes; `far` is asked through an upstream."""
    import asyncio

    folder, listener = tmp_path_factory.mktemp("moderations"), loopback_socket()
    upstream = f"{url_of(listener)}/v1"
    key = asyncio.run(new_key(folder))
    deployments: dict[str, Any] = {
        "echo": {"engine": "echo", "abilities": ["moderation", "image_moderation", "chat_completion"]},
        "text-moderation-mine": {"engine": "echo", "abilities": ["moderation"]},
        "image-moderation": {"engine": "echo", "abilities": ["image_moderation"]},
        "broken": {"engine": "echo", "abilities": ["moderation"], "options": {"fail_after": 0}},
        "chat-only": {"engine": "echo", "abilities": ["chat_completion"]},
        "far": {
            "engine": "upstream",
            "model": "echo",
            "base_url": upstream,
            "api_key": key,
            "abilities": ["moderation"],
        },
    }
    aliases = {"omni-moderation-latest": "echo", "text-moderation-latest": "echo", "text-moderation-007": "echo"}
    settings = Settings(
        data_dir=folder,
        starter=False,
        deployments={name: DeploymentSettings(**made) for name, made in deployments.items()},
        aliases=aliases,
    )
    settings.responses.file_hosts = ["127.0.0.1"]
    with serving(settings, listener) as served:
        yield served


@pytest.fixture(scope="module", params=["/v1", "/openai/v1"])
def client(server: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url + request.param, api_key=server.key, max_retries=0) as made:
        yield made


def moderate(client: openai.OpenAI, given: Any, **fields: Any) -> Any:
    answer = client.moderations.with_raw_response.create(input=given, **fields)
    body = json.loads(answer.text)
    check_answer("CreateModerationResponse", body)
    return answer.parse()


@pytest.mark.parametrize("model", ["omni-moderation-latest", "echo", "far"])
def test_each_text_has_a_result_of_its_own(client: openai.OpenAI, model: str) -> None:
    found = moderate(client, ["Good day.", LOUD], model=model)
    assert found.id.startswith("modr-")
    assert found.model == model.replace("far", "echo")
    assert [result.flagged for result in found.results] == [False, True]
    loud = found.results[1]
    assert (loud.categories.violence, loud.category_scores.violence) == (True, 1.0)
    assert (loud.categories.hate, loud.category_scores.hate) == (False, 0.0)
    assert loud.category_applied_input_types.violence == ["text"]
    assert len(loud.categories.to_dict()) == len(loud.category_scores.to_dict()) == CATEGORIES


def test_without_a_model_the_newest_judges_one_text(client: openai.OpenAI) -> None:
    found = moderate(client, ILLICIT)
    assert found.model == "omni-moderation-latest"
    assert [result.categories.illicit for result in found.results] == [True]


async def test_the_asynchronous_client_gets_the_same(server: Served) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        found = await client.moderations.create(input=LOUD)
    assert found.results[0].categories.harassment


@pytest.mark.parametrize("model", ["text-moderation-latest", "text-moderation-007"])
def test_the_older_generation_answers_as_it_did(client: openai.OpenAI, model: str) -> None:
    answer = client.moderations.with_raw_response.create(input=[ILLICIT, LOUD], model=model)
    body = json.loads(answer.text)
    check_answer("CreateTextModerationResponse", body)
    assert body["model"] == answer.parse().model == model
    assert [result["flagged"] for result in body["results"]] == [False, True]


def test_a_deployment_that_is_called_like_the_older_generation_is_not_of_it(client: openai.OpenAI) -> None:
    found = moderate(client, ILLICIT, model="text-moderation-mine")
    assert (found.model, found.results[0].categories.illicit) == ("text-moderation-mine", True)


def test_a_picture_and_its_text_have_one_result(client: openai.OpenAI) -> None:
    found = moderate(client, [text("A cat."), picture("[[moderate sexual=1.0]]")])
    (result,) = found.results
    assert (result.flagged, result.categories.sexual) == (True, True)
    assert result.category_applied_input_types.sexual == ["text", "image"]
    assert result.category_applied_input_types.hate == ["text"]


def test_a_picture_alone_and_parts_of_text_alone_are_judged(client: openai.OpenAI) -> None:
    (alone,) = moderate(client, [picture()]).results
    assert (alone.flagged, alone.category_applied_input_types.hate) == (False, [])
    (parts,) = moderate(client, [text("Good day."), text(LOUD)]).results
    assert parts.categories.violence


def test_a_model_without_eyes_has_those_of_the_settings(client: openai.OpenAI) -> None:
    (result,) = moderate(client, [picture("[[moderate violence=1.0]]")], model="text-moderation-mine").results
    assert result.categories.violence


def test_a_picture_at_an_address_is_fetched(client: openai.OpenAI, pictures_url: str) -> None:
    found = moderate(client, [{"type": "image_url", "image_url": {"url": f"{pictures_url}/cat.png"}}])
    assert not found.results[0].flagged
    with pytest.raises(openai.BadRequestError, match="answers 404") as refusal:
        moderate(client, [{"type": "image_url", "image_url": {"url": f"{pictures_url}/none.png"}}])
    assert refusal.value.param == "input[0].image_url.url"


NOT_A_PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("", "input"),
        ([], "input"),
        (["a", ""], "input[1]"),
        ([1, 2], "input"),
        (5, "input"),
        (None, "input"),
        (["a"] * 2049, "input"),
        ([text("")], "input[0].text"),
        ([{"type": "sound"}], "input[0].type"),
        ([{"type": "image_url", "image_url": "https://a.example/b.png"}], "input[0].image_url"),
        ([picture(), picture()], "input"),
        ([text("a"), NOT_A_PICTURE], "input[1].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "cat.png"}}], "input[0].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}}], "input[0].image_url.url"),
    ],
)
def test_what_cannot_be_judged_is_a_400_that_names_it(client: openai.OpenAI, given: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        moderate(client, given)
    assert refusal.value.param == param


def test_the_older_generation_sees_no_picture(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="judges texts alone") as refusal:
        moderate(client, [text("a"), picture()], model="text-moderation-latest")
    assert refusal.value.param == "input[1]"


def test_a_model_that_does_not_moderate_says_which_does(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Choose one of: echo, ") as refusal:
        moderate(client, "a", model="chat-only")
    assert refusal.value.code == "OperationNotSupported"
    with pytest.raises(openai.NotFoundError, match="nobody"):
        moderate(client, "a", model="nobody")


def test_a_model_that_breaks_is_a_500(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="The echo broke"):
        moderate(client, "a", model="broken")


def test_what_texts_cost_is_counted_for_the_model_that_judged(server: Served, client: openai.OpenAI) -> None:
    def counted() -> float:
        page = httpx2.get(f"{server.url}/metrics", headers={"api-key": server.key}).text
        lines = [line for line in page.splitlines() if line.startswith("smalt_tokens_total") and '"prompt"' in line]
        return sum(float(line.split()[-1]) for line in lines if '"text-moderation-mine"' in line)

    before = counted()
    moderate(client, ["four", "eight by"], model="text-moderation-mine")
    assert counted() - before == 3


def test_azure_s_classic_paths_know_no_moderations(server: Served) -> None:
    for path in ("/openai/moderations", "/openai/deployments/echo/moderations"):
        url = f"{server.url}{path}?api-version=2024-10-21"
        assert httpx2.post(url, json={"input": "a"}, headers={"api-key": server.key}).status_code == 404


@pytest.fixture
def run(server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_API_KEY", server.key)

    def invoke(*words: str, exit_code: int = 0, given: str | None = None) -> str:
        options = ["--url", f"{server.url}/openai/v1"]
        result = CliRunner().invoke(app, ["moderate", *words, *options], input=given, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.output

    return invoke


def test_the_command_shows_the_gravest_first(run: Any) -> None:
    lines = [line.split() for line in run(LOUD).splitlines() if "/" not in line and line.strip()]
    assert lines[0] == ["category", "score"]
    assert [words[0] for words in lines if words[-1] == "flagged"] == ["harassment", "violence"]


def test_the_command_reads_files_pictures_and_its_input(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LOUD)
    (tmp_path / "a.png").write_bytes(PNG + b"[[moderate sexual=1.0]]")
    assert json.loads(run("--file", "a.txt", "--json"))["results"][0]["categories"]["violence"]
    assert json.loads(run("-", "--json", given=LOUD))["results"][0]["categories"]["violence"]
    (found,) = json.loads(run("a cat", "--image", "a.png", "--json"))["results"]
    assert found["category_applied_input_types"]["sexual"] == ["text", "image"]


@pytest.mark.parametrize("words", [(), ("",), ("a", "--file", "a.txt"), ("--file", "a.txt"), ("--image", "a.png")])
def test_the_command_says_what_it_lacks(run: Any, words: tuple[str, ...]) -> None:
    assert run(*words, exit_code=2).strip()


def test_the_command_tells_what_the_server_refuses(run: Any) -> None:
    assert "chat-only" in run("a", "--model", "chat-only", exit_code=1)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_the_starter_s_model_tells_a_threat_from_a_greeting(starter_server: Any) -> None:
    facts = node_facts("moderations.mjs", starter_server.url, starter_server.key)
    assert facts["flagged"] == [False, True]
    assert facts["threat"]["violence"] > facts["greeting"]["violence"]
    assert facts["older"] == {"model": "text-moderation-latest", "categories": 11}
    assert facts["refused"] == {"isBadRequest": True, "param": "input"}
