"""The models, through the SDK and on the classic paths."""

import openai
import pytest
import requests

from serving import Served
from smalt.schemas.vocabulary import check_answer


def get(served: Served, path: str) -> requests.Response:
    return requests.get(served.url + path, headers={"api-key": served.key}, timeout=10)


def test_deployments_and_aliases_are_listed_and_found(echo_server: Served):
    with openai.OpenAI(base_url=f"{echo_server.url}/openai/v1", api_key=echo_server.key) as client:
        names = [model.id for model in client.models.list()]
        assert {"echo", "far", "org/echo:v1", "gpt-4o-mini"} <= set(names)
        assert len(names) == len(set(names))
        for name in names:
            model = client.models.retrieve(name)
            assert (model.id, model.object, model.owned_by) == (name, "model", "smalt")


def test_a_name_with_slashes_and_colons_is_found_and_answers(echo_server: Served):
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as client:
        assert client.models.retrieve("org/echo:v1").id == "org/echo:v1"
        messages = [{"role": "user", "content": "Hi"}]
        assert client.chat.completions.create(model="org/echo:v1", messages=messages).choices
    with openai.AzureOpenAI(azure_endpoint=echo_server.url, api_version="2024-10-21", api_key=echo_server.key) as azure:
        assert azure.chat.completions.create(model="org/echo:v1", messages=messages).choices


def test_answers_have_the_references_shape(echo_server: Served):
    check_answer("ListModelsResponse", get(echo_server, "/v1/models").json())
    check_answer("Model", get(echo_server, "/openai/v1/models/echo?api-version=preview").json())


def test_classic_paths_say_what_a_model_can_do(echo_server: Served):
    listed = get(echo_server, "/openai/models?api-version=2024-10-21").json()
    check_answer("ClassicModelList", listed)
    (model,) = [model for model in listed["data"] if model["id"] == "chat-only"]
    assert model["capabilities"] == {
        "fine_tune": False,
        "inference": True,
        "completion": False,
        "chat_completion": True,
        "embeddings": False,
    }
    one = get(echo_server, "/openai/models/chat-only?api-version=2024-10-21").json()
    assert one == model


@pytest.mark.parametrize("mount", ["/v1", "/openai/v1"])
def test_an_unknown_model_is_not_found(echo_server: Served, mount: str):
    with openai.OpenAI(base_url=echo_server.url + mount, api_key=echo_server.key) as client:
        with pytest.raises(openai.NotFoundError, match="echo"):
            client.models.retrieve("nothing")
        with pytest.raises(openai.NotFoundError):
            client.models.delete("nothing")


def test_a_base_model_cannot_be_deleted(echo_server: Served):
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as client:
        with pytest.raises(openai.PermissionDeniedError, match="base model"):
            client.models.delete("echo")
        assert client.models.retrieve("echo").id == "echo"
