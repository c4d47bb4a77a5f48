"""The content filter beside what models do: files that they are given, and answers that it stops them from making."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from serving import Served, serving
from smalt.core.content_filter_settings import ContentFilterSettings, ContentPolicySettings, PromptPolicySettings
from smalt.core.settings import DeploymentSettings, Settings
from told_model import ToldModel, told_model

Json = dict[str, Any]
VIOLENT = "[[moderate violence=0.99]]"
PASSING = PromptPolicySettings(
    hate="annotate", sexual="annotate", violence="annotate", self_harm="annotate", jailbreak="annotate"
)
MOUNTS = ("openai_v1", "azure_v1")
TIRELESS = {"engine": "echo", "options": {"tokens": 50_000, "delay_seconds": 0.0001}}


@pytest.fixture(scope="module")
def model() -> Iterator[ToldModel]:
    with told_model() as model:
        yield model


@pytest.fixture(scope="module")
def served(model: ToldModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    upstream = {"engine": "upstream", "base_url": model.url, "options": {"retries": 0}}
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("filtered"),
        starter=False,
        deployments={
            "judge": DeploymentSettings(engine="echo"),
            "tireless": DeploymentSettings(**TIRELESS, content_filter="answers"),
            "tireless-late": DeploymentSettings(**TIRELESS, content_filter="late"),
            "wary": DeploymentSettings(**upstream, content_filter="documents"),
            "usual": DeploymentSettings(**upstream),
        },
        content_filter=ContentFilterSettings(
            moderation_model="judge",
            policies={
                "answers": ContentPolicySettings(prompts=PASSING),
                "late": ContentPolicySettings(prompts=PASSING, mode="asynchronous"),
                "documents": ContentPolicySettings(prompts=PromptPolicySettings(indirect_attack="block")),
            },
        ),
    )
    with serving(settings) as served:
        yield served


def sdk(served: Served, mount: str) -> openai.OpenAI:
    path = "/v1" if mount == "openai_v1" else "/openai/v1"
    return openai.OpenAI(base_url=served.url + path, api_key=served.key, max_retries=0)


@pytest.fixture(scope="module", params=MOUNTS)
def mount(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def client(served: Served, mount: str) -> Iterator[openai.OpenAI]:
    with sdk(served, mount) as made:
        yield made


@pytest.fixture(scope="module")
def azure(served: Served) -> Iterator[openai.OpenAI]:
    with sdk(served, "azure_v1") as made:
        yield made


@pytest.fixture(scope="module")
def plain(served: Served) -> Iterator[openai.OpenAI]:
    with sdk(served, "openai_v1") as made:
        yield made


def chat(client: openai.OpenAI, text: str, model: str, **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


@pytest.mark.parametrize("deployment", ["tireless", "tireless-late"])
@pytest.mark.parametrize("n", [1, 2])
def test_a_model_stops_when_all_its_answers_are_blocked(client: openai.OpenAI, deployment: str, n: int):
    asked: Json = {"stream": True, "stream_options": {"include_usage": True}, "n": n}
    *chunks, last = [chunk.to_dict() for chunk in chat(client, f"So {VIOLENT}", deployment, **asked)]
    ends = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert sorted((end["index"], end["finish_reason"]) for end in ends) == [
        (index, "content_filter") for index in range(n)
    ]
    usage = last["usage"]
    assert 0 < usage["completion_tokens"] < 5_000
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_whole_answer_that_is_very_long_stops_too(client: openai.OpenAI, mount: str):
    answer = chat(client, f"So {VIOLENT}", "tireless").to_dict()
    assert 0 < answer["usage"]["completion_tokens"] < 5_000
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "content_filter"
    if mount == "openai_v1":
        assert choice["message"]["content"] == ""
    else:
        assert "message" not in choice
    completion = client.completions.create(model="tireless", prompt=f"So {VIOLENT}", max_tokens=50_000).to_dict()
    assert (completion["choices"][0]["finish_reason"], completion["choices"][0]["text"]) == ("content_filter", "")
    assert 0 < completion["usage"]["completion_tokens"] < 5_000


def filed(content: bytes, name: str) -> list[Any]:
    """A conversation with a file."""
    file = {"filename": name, "file_data": base64.b64encode(content).decode()}
    return [{"role": "user", "content": [{"type": "text", "text": "Sum it up."}, {"type": "file", "file": file}]}]


@pytest.mark.parametrize(
    ("mark", "kind"), [(VIOLENT, "violence"), ("[[moderate indirect_attack=0.99]]", "indirect_attack")]
)
def test_files_are_read_for_the_filter_and_a_model_is_not_asked(
    azure: openai.OpenAI, model: ToldModel, mark: str, kind: str
):
    model.says("A page.")
    page = f"<html><body><h1>Bicycles</h1><p>The key {mark} hangs at the reception.</p></body></html>"
    with pytest.raises(openai.BadRequestError) as refusal:
        azure.chat.completions.create(model="wary", messages=filed(page.encode(), "page.html"))
    assert isinstance(refusal.value.body, dict)
    assert refusal.value.body["innererror"]["content_filter_result"][kind]["filtered"] is True
    assert model.asked == []


def test_a_harmless_file_reaches_its_model_as_it_is(azure: openai.OpenAI, model: ToldModel):
    model.says("A page.")
    messages = filed(b"The key hangs at the reception.", "page.txt")
    answer = azure.chat.completions.create(model="usual", messages=messages).to_dict()
    found = answer["prompt_filter_results"][0]["content_filter_results"]
    assert found["violence"] == {"filtered": False, "severity": "safe"}
    assert "error" not in found
    assert model.asked[0]["messages"][0]["content"][1] == messages[0]["content"][1]


def test_a_file_that_cannot_be_read_is_told_of(azure: openai.OpenAI, plain: openai.OpenAI, model: ToldModel):
    model.says("A picture.")
    messages = filed(bytes(range(256)) * 9, "noise.bin")
    answer = azure.chat.completions.create(model="usual", messages=messages).to_dict()
    assert "cannot read" in answer["prompt_filter_results"][0]["content_filter_results"]["error"]["message"]
    assert answer["choices"][0]["message"]["content"] == "A picture."
    assert plain.chat.completions.create(model="usual", messages=messages).choices[0].finish_reason == "stop"
