"""Edits, the way before chat: asked for with the SDK's raw calls, since it has no method for them any more."""

from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from serving import Served, serving
from smalt.core.content_filter_settings import ContentFilterSettings, ContentPolicySettings, PromptPolicySettings
from smalt.core.settings import DeploymentSettings, Settings
from smalt.schemas.vocabulary import check_answer

Json = dict[str, Any]


@pytest.fixture(scope="module", params=["/v1", "/openai/v1"])
def sdk(echo_server: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=echo_server.url + request.param, api_key=echo_server.key, max_retries=0) as made:
        yield made


def edit(sdk: openai.OpenAI, **fields: Any) -> Json:
    body = {"model": "echo", "instruction": "Fix it.", "input": "the wek", **fields}
    answer = sdk.post("/edits", body=body, cast_to=object)
    assert isinstance(answer, dict)
    check_answer("CreateEditResponse", answer)
    return answer


def test_an_edit_has_the_shape_that_openai_s_had(sdk: openai.OpenAI):
    answer = edit(sdk)
    assert list(answer) == ["object", "created", "choices", "usage"]
    assert answer["object"] == "edit"
    assert type(answer["created"]) is int
    assert answer["choices"] == [{"text": "Fix it.\n\nthe wek", "index": 0, "finish_reason": "stop"}]
    usage = answer["usage"]
    assert set(usage) == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert usage["completion_tokens"] == 4
    assert usage["total_tokens"] == usage["prompt_tokens"] + 4


def test_an_instruction_alone_is_a_prompt(sdk: openai.OpenAI):
    answer = edit(sdk, instruction="Write a word.", input="")
    assert answer["choices"][0]["text"] == "Write a word."
    assert answer["usage"]["prompt_tokens"] == 3


def test_as_many_edits_are_made_as_are_asked_for(sdk: openai.OpenAI):
    answer = edit(sdk, n=3, temperature=0.5, top_p=0.9)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12


def test_an_edit_goes_through_a_remote_engine_too(sdk: openai.OpenAI):
    assert edit(sdk, model="far")["choices"] == edit(sdk)["choices"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"instruction": None}, "instruction", "invalid_type"),
        ({"n": 21}, "n", "integer_above_max_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"input": ["a"]}, "input", "invalid_type"),
    ],
)
def test_a_field_that_is_wrong_is_named(sdk: openai.OpenAI, fields: Json, param: str, code: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        edit(sdk, **fields)
    assert (refusal.value.param, refusal.value.code) == (param, code)


def test_an_engine_that_breaks_is_a_failure(sdk: openai.OpenAI):
    with pytest.raises(openai.InternalServerError, match="fail_after"):
        edit(sdk, model="fragile")


def test_there_are_no_edits_on_classic_paths(echo_server: Served):
    azure = openai.AzureOpenAI(
        azure_endpoint=echo_server.url, api_version="2024-10-21", api_key=echo_server.key, max_retries=0
    )
    with azure, pytest.raises(openai.NotFoundError):
        edit(azure)


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("filtered"),
        starter=False,
        deployments={
            "strict": DeploymentSettings(engine="echo", content_filter="default"),
            "speaking": DeploymentSettings(engine="echo", content_filter="answers"),
        },
        content_filter=ContentFilterSettings(
            moderation_model="strict",
            policies={"answers": ContentPolicySettings(prompts=PromptPolicySettings(violence="annotate"))},
        ),
    )
    with serving(settings) as served:
        yield served


def test_the_content_filter_looks_at_prompts_and_edits(filtered: Served):
    violent = "[[moderate violence=0.99]]"
    with openai.OpenAI(base_url=f"{filtered.url}/openai/v1", api_key=filtered.key, max_retries=0) as sdk:
        assert edit(sdk, model="strict")["choices"][0]["finish_reason"] == "stop"
        for field in ("instruction", "input"):
            with pytest.raises(openai.BadRequestError) as refusal:
                edit(sdk, model="strict", **{field: violent})
            assert refusal.value.code == "content_filter"
        choices = edit(sdk, model="speaking", input=violent)["choices"]
    assert choices == [{"text": "", "index": 0, "finish_reason": "content_filter"}]


def test_usage_counts_edits(echo_server: Served):
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as sdk:
        before = told(echo_server)
        tokens = edit(sdk)["usage"]["completion_tokens"]
        assert told(echo_server) - before == tokens


def told(served: Served) -> int:
    """What the metrics say of the echo's tokens."""
    page = httpx2.get(f"{served.url}/metrics", headers={"api-key": served.key}).text
    lines = [
        line for line in page.splitlines() if line.startswith('smalt_tokens_total{kind="completion",model="echo"}')
    ]
    return int(float(lines[0].rpartition(" ")[2])) if lines else 0


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("instruction", "text", "gained", "lost"),
    [
        ("Fix the spelling mistakes.", "What day of the wek is it?", "week", "wek"),
        ("Make it past tense.", "She walks to the store and buys bread.", "walked", "walks"),
    ],
)
def test_a_small_model_does_what_the_instruction_says(
    starter_server: Any, instruction: str, text: str, gained: str, lost: str
):
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key) as sdk:
        answer = edit(sdk, model="gpt-4o-mini", instruction=instruction, input=text, temperature=0)
    words = answer["choices"][0]["text"].rstrip("?.").split()
    assert gained in words
    assert lost not in words
    assert answer["usage"]["completion_tokens"] > 4
