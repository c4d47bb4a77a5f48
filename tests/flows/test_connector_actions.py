"""The actions of the four connectors against a Smalt over the net, as if it were the cloud that they were made for."""

from typing import Any

import aiohttp
import pytest

from documented_types import check_types
from serving import Served
from smalt.connectors.acting import act
from smalt.connectors.carrier import HttpCarrier
from smalt.connectors.connections.target import local_target
from smalt.connectors.definitions.registry import action, connector
from smalt.connectors.refusals import NotServed
from smalt.core.errors import AuthenticationFailed, InvalidRequest, NotFound

SAID = {"role": "user", "content": "Good morning"}
DEPLOYED = {"api-version": "2024-10-21"}


async def done(server: Any, name: str, asked: str, given: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """The result of an action, which has what the document promises."""
    used = connector(name)
    target = local_target(used, server.url, key or server.key)
    async with aiohttp.ClientSession() as session:
        result = await act(used, action(used, asked), given, HttpCarrier(session, target))
    check_types(action(used, asked), result)
    return result


async def test_the_actions_of_openai_gpt_work(echo_server: Served):
    async def ask(asked: str, **given: Any) -> dict[str, Any]:
        return await done(echo_server, "openai-gpt", asked, {"model": "echo", **given})

    assert (await ask("get_chat_completions", **SAID))["first_content"] == "Good morning"
    completion = await ask("create_completion", prompt="Once", logprobs="2", max_tokens="5")
    assert completion["first_completion"] == completion["result"]["choices"][0]["text"]
    assert isinstance(completion["result"]["choices"][0]["logprobs"], str)
    assert (await ask("edit_prompt", input="wek", instruction="Spell"))["choices"][0]["text"]
    plain = (await ask("create_embedding", input="Hi"))["data"][0]["embedding"]
    packed = (await ask("create_embedding", input="Hi", encoding_format="base64"))["data"][0]["embedding"]
    assert packed == pytest.approx(plain, abs=1e-6)
    assert "echo" in {model["id"] for model in (await done(echo_server, "openai-gpt", "list_models", {}))["data"]}


@pytest.mark.parametrize("name", ["azure-openai", "azure-openai-preview"])
async def test_the_actions_of_azure_openai_work(echo_server: Served, name: str):
    async def ask(asked: str, **given: Any) -> dict[str, Any]:
        return await done(echo_server, name, asked, {**DEPLOYED, "deployment-id": "org/echo:v1", **given})

    chat = await ask("create_chat_completion", **SAID, n="2", logprobs="true", top_logprobs="2")
    assert [choice["message"]["content"] for choice in chat["choices"]] == ["Good morning"] * 2
    one = await ask("get_embedding", input="Hi")
    if name == "azure-openai":
        many = await ask("get_multiple_embeddings", input=["Hi", "Ho"])
        assert len(many["embeddings"]) == 2
        assert many["embeddings"][0] == one["embedding"]
        assert "data" not in one
    else:
        assert one["data"][0]["embedding"]


async def test_the_fusion_modules_work(echo_server: Served):
    async def ask(asked: str, **given: Any) -> dict[str, Any]:
        return await done(echo_server, "fusion-openai", asked, given)

    conversation = [{"role": "system", "content": "Repeat"}, SAID]
    chat = await ask("create_chat_completion", model="echo", messages=conversation)
    assert chat["choices"][0]["message"]["content"] == "Good morning"
    assert (await ask("get_models", operation="retrieve_model", model="org/echo:v1"))["id"] == "org/echo:v1"
    assert (await ask("manage_files", operation="list_files"))["object"] == "list"
    called = await ask("make_custom_api_call", url="/models", method="GET")
    assert (called["statusCode"], called["body"]["object"]) == (200, "list")


async def test_what_is_refused_is_told_as_the_server_told_it(echo_server: Served):
    given = {"model": "nobody", **SAID}
    with pytest.raises(NotFound) as missing:
        await done(echo_server, "openai-gpt", "get_chat_completions", given)
    assert missing.value.code == "model_not_found"
    with pytest.raises(AuthenticationFailed):
        await done(echo_server, "openai-gpt", "get_chat_completions", given, key="sk-wrong")
    with pytest.raises(InvalidRequest) as wrong:
        await done(echo_server, "openai-gpt", "get_chat_completions", {**given, "model": "echo", "temperature": "9"})
    assert wrong.value.param == "temperature"
    with pytest.raises(NotFound):
        await done(echo_server, "fusion-openai", "manage_files", {"operation": "retrieve_file", "file_id": "file-x"})


async def test_an_operation_that_this_server_does_not_have_is_told_plainly(echo_server: Served):
    # A path that no release will serve: the actions themselves begin to work when their operations arrive.
    with pytest.raises(NotServed, match="does not serve 'Make a custom API call' yet"):
        await done(echo_server, "fusion-openai", "make_custom_api_call", {"url": "no/such/path", "method": "POST"})


@pytest.mark.real
async def test_real_models_answer_actions(starter_server: Any):
    async def ask(asked: str, **given: Any) -> dict[str, Any]:
        return await done(starter_server, "openai-gpt", asked, given)

    models = {model["id"] for model in (await ask("list_models"))["data"]}
    chat = next(name for name in models if "smollm2" in name)
    said = await ask("get_chat_completions", model=chat, **SAID, max_tokens="16", temperature="0")
    assert said["first_content"] == said["choices"][0]["message"]["content"]
    assert 0 < said["usage"]["completion_tokens"] <= 16
    judged = await ask("create_moderation", input="I will kill you with a knife.")
    assert judged["results"][0]["flagged"] is True
    assert judged["results"][0]["category_scores"]["violence"] > 0.5
