"""Block lists, protected material and swear words, as the SDK meets them: in prompts, whole answers and streams."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from protected_words import CODE, POEM
from serving import Served, opened, serving
from smalt.core.content_filter_settings import (
    AnswerPolicySettings,
    ContentFilterSettings,
    ContentPolicySettings,
    PromptPolicySettings,
)
from smalt.core.settings import DeploymentSettings, Settings
from smalt.safety.protected_material import prepared
from smalt.schemas.vocabulary import check_answer
from smalt.store.blocklists import BlocklistItem, Blocklists
from smalt.store.database import default_database
from smalt.store.protected_material import ProtectedMaterials

Json = dict[str, Any]
MOUNTS = ("openai_v1", "azure_v1", "azure_classic")
AZURE_MOUNTS = ("azure_v1", "azure_classic")
CLEAN = {"filtered": False, "detected": False}
FOUND = {"filtered": True, "detected": True}
POLITE = "The library opens at nine and lends three books at a time. "
MENTIONS = {
    "rivals": POLITE * 9 + "Then ask acme   TOOLS about it. " + POLITE,
    "tickets": POLITE * 9 + "Your number is ACM-4711, keep it. " + POLITE,
}
NO_SCORES = {"hate": "off", "sexual": "off", "violence": "off", "self_harm": "off"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("lists"),
        starter=False,
        deployments={
            "echo": DeploymentSettings(engine="echo"),
            **{
                name: DeploymentSettings(engine="echo", content_filter=name)
                for name in ("rivals", "tickets", "copies", "polite", "told")
            },
        },
        content_filter=ContentFilterSettings(moderation_model="echo", policies=policies()),
    )
    asyncio.run(fill(settings.data_dir))
    with serving(settings) as served:
        yield served


def policies() -> dict[str, ContentPolicySettings]:
    silent = PromptPolicySettings.model_validate({**NO_SCORES, "jailbreak": "off"})
    answers = {**NO_SCORES, "protected_material_text": "off", "protected_material_code": "off"}

    def policy(**wanted: str) -> ContentPolicySettings:
        return ContentPolicySettings(prompts=silent, answers=AnswerPolicySettings.model_validate({**answers, **wanted}))

    return {
        "rivals": ContentPolicySettings(blocklists=["rivals"]),
        "tickets": ContentPolicySettings(blocklists=["rivals", "tickets"]),
        "copies": policy(protected_material_text="block", protected_material_code="annotate"),
        "polite": policy(profanity="block"),
        "told": policy(profanity="annotate", protected_material_text="annotate"),
    }


async def fill(data_dir: Path) -> None:
    database = opened(data_dir, default_database(data_dir))
    try:
        lists, materials = Blocklists(database), ProtectedMaterials(database)
        await lists.create("rivals")
        await lists.add("rivals", [BlocklistItem("Acme Tools", is_regex=False)])
        await lists.create("tickets")
        await lists.add("tickets", [BlocklistItem(r"\bacm-\d{4}\b", is_regex=True)])
        await materials.add(prepared("text", POEM, name="poem"))
        await materials.add(prepared("code", CODE, name="lists.py", url="https://example.com/lists.py", license="MIT"))
    finally:
        await database.close()


@pytest.fixture(scope="module", params=MOUNTS)
def client(served: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with sdk(served, request.param) as made:
        yield made


@pytest.fixture(scope="module", params=AZURE_MOUNTS)
def azure(served: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with sdk(served, request.param) as made:
        yield made


def sdk(served: Served, mount: str) -> openai.OpenAI:
    if mount == "azure_classic":
        return openai.AzureOpenAI(
            azure_endpoint=served.url, api_version="2024-10-21", api_key=served.key, max_retries=0
        )
    path = "/v1" if mount == "openai_v1" else "/openai/v1"
    return openai.OpenAI(base_url=served.url + path, api_key=served.key, max_retries=0)


def chat(client: openai.OpenAI, model: str, text: Any, **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


def whole(client: openai.OpenAI, model: str, text: Any) -> Json:
    """The choice of an answer that says the text."""
    answer = chat(client, model, text).to_dict()
    (choice,) = answer["choices"]
    return choice


def streamed(client: openai.OpenAI, model: str, text: Any) -> tuple[str, Json, list[Json]]:
    """What a stream shows, its last choice, and all that its chunks tell of the answer."""
    chunks = [chunk.to_dict() for chunk in chat(client, model, text, stream=True)]
    choices: list[Json] = [choice for chunk in chunks for choice in chunk["choices"]]
    shown = "".join(choice["delta"].get("content") or "" for choice in choices)
    return shown, choices[-1], [found for choice in choices if (found := choice.get("content_filter_results"))]


def in_parts(text: str) -> list[Json]:
    """A message whose parts have none of what the lists name: an echo says them in one."""
    return [
        {"type": "text", "text": part} for part in text.replace("acme   ", "acme  | ").replace("-47", "-|47").split("|")
    ]


@pytest.mark.parametrize("name", MENTIONS)
def test_a_prompt_that_a_list_matches_is_refused(client: openai.OpenAI, name: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(client, name, MENTIONS[name])
    assert refusal.value.code == "content_filter"
    assert isinstance(refusal.value.body, dict)
    if "innererror" in refusal.value.body:
        found = refusal.value.body["innererror"]["content_filter_result"]["custom_blocklists"]
        assert found == {"filtered": True, "details": [{"filtered": True, "id": name}]}


@pytest.mark.parametrize("name", MENTIONS)
def test_an_answer_that_a_list_matches_is_not_shown(client: openai.OpenAI, name: str):
    choice = whole(client, name, in_parts(MENTIONS[name]))
    assert choice["finish_reason"] == "content_filter"
    assert not (choice.get("message") or {}).get("content")
    assert whole(client, "echo", in_parts(MENTIONS[name]))["message"]["content"] == MENTIONS[name]


@pytest.mark.parametrize("name", MENTIONS)
def test_a_stream_ends_before_what_a_list_matches(client: openai.OpenAI, name: str):
    shown, last, _ = streamed(client, name, in_parts(MENTIONS[name]))
    assert last["finish_reason"] == "content_filter"
    assert (POLITE * 9).startswith(shown)
    assert shown


def test_what_matched_is_told_by_its_name(azure: openai.OpenAI):
    matched = {"filtered": True, "details": [{"filtered": True, "id": "tickets"}]}
    answer = chat(azure, "tickets", in_parts(MENTIONS["tickets"])).to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    assert answer["prompt_filter_results"][0]["content_filter_results"]["custom_blocklists"] == {"filtered": False}
    assert answer["choices"][0]["content_filter_results"]["custom_blocklists"] == matched
    _, last, told = streamed(azure, "tickets", in_parts(MENTIONS["tickets"]))
    assert last["content_filter_results"]["custom_blocklists"] == matched
    assert told[0]["custom_blocklists"] == {"filtered": False}


def test_what_no_list_matches_is_said(client: openai.OpenAI):
    near = POLITE + "Acme makes tools; its number is xacm-4711 or acm-47."
    assert whole(client, "tickets", near)["message"]["content"] == near
    shown, last, _ = streamed(client, "tickets", near)
    assert (shown, last["finish_reason"]) == (near, "stop")


def test_a_copied_text_is_not_shown(client: openai.OpenAI):
    copied = POLITE * 3 + POEM
    choice = whole(client, "copies", copied)
    assert choice["finish_reason"] == "content_filter"
    assert not (choice.get("message") or {}).get("content")
    shown, last, _ = streamed(client, "copies", copied)
    assert last["finish_reason"] == "content_filter"
    # No more leaves than a copy that is too short to be one.
    assert len(shown[len(POLITE * 3) :].split()) <= 30
    assert copied.startswith(shown)


def test_copies_are_told_of(azure: openai.OpenAI):
    results = whole(azure, "copies", POEM)["content_filter_results"]
    assert results["protected_material_text"] == FOUND
    cited = {"URL": "https://example.com/lists.py", "license": "MIT"}
    choice = whole(azure, "copies", CODE)
    assert choice["finish_reason"] == "stop"
    assert choice["content_filter_results"]["protected_material_code"] == {
        "filtered": False,
        "detected": True,
        "citation": cited,
    }
    shown, last, told = streamed(azure, "copies", CODE)
    assert (shown, last["finish_reason"]) == (CODE, "stop")
    assert any(found["protected_material_code"].get("citation") == cited for found in told)
    assert all(found["protected_material_text"] == CLEAN for found in told)


def test_a_copy_that_is_only_told_of_is_shown(azure: openai.OpenAI):
    shown, last, told = streamed(azure, "told", POEM)
    assert (shown, last["finish_reason"]) == (POEM, "stop")
    assert told[-1]["protected_material_text"] == {"filtered": False, "detected": True}


@pytest.mark.parametrize("word", ["bullshit", "BULLSH!T", "b u l l s h i t"])
def test_swear_words_are_not_shown(client: openai.OpenAI, word: str):
    rude = POLITE * 9 + f"That is {word}. " + POLITE
    choice = whole(client, "polite", rude)
    assert choice["finish_reason"] == "content_filter"
    assert not (choice.get("message") or {}).get("content")
    shown, last, _ = streamed(client, "polite", rude)
    assert last["finish_reason"] == "content_filter"
    assert rude.startswith(shown)
    assert shown
    assert word not in shown


def test_swear_words_are_told_of(azure: openai.OpenAI):
    rude = "That is bullshit, and the rest of it is polite."
    assert whole(azure, "told", rude)["content_filter_results"]["profanity"] == {"filtered": False, "detected": True}
    assert whole(azure, "told", POLITE)["content_filter_results"]["profanity"] == CLEAN
    shown, last, told = streamed(azure, "told", rude)
    assert (shown, last["finish_reason"]) == (rude, "stop")
    assert any(found["profanity"] == {"filtered": False, "detected": True} for found in told)
