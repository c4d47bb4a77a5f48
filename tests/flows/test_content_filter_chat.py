"""The content filter on chat and text completions, as the SDKs see it, over echoes that score what they are told to."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

import search_services
from search_services import KEY, SearchService
from serving import Served, serving
from smalt.core.content_filter_settings import (
    AnswerPolicySettings,
    ContentFilterSettings,
    ContentPolicySettings,
    PromptPolicySettings,
)
from smalt.core.settings import AudioSettings, DeploymentSettings, Settings
from smalt.schemas.vocabulary import check_answer
from told_model import ToldModel, told_model

Json = dict[str, Any]
SAFE = {"filtered": False, "severity": "safe"}
HARMS = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
CLEAN = {"filtered": False, "detected": False}
PROMPT = {"hate": SAFE, "jailbreak": CLEAN, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
GRAVE = {**HARMS, "violence": {"filtered": True, "severity": "high"}}
VIOLENT = "[[moderate violence=0.99]]"
POLITE = " ".join(f"word{number}" for number in range(40))
PASSING = PromptPolicySettings(
    hate="annotate", sexual="annotate", violence="annotate", self_harm="annotate", jailbreak="annotate"
)
MOUNTS = ("openai_v1", "azure_v1", "azure_classic")
AZURE_MOUNTS = ("azure_v1", "azure_classic")


@pytest.fixture(scope="module")
def model() -> Iterator[ToldModel]:
    with told_model() as model:
        yield model


@pytest.fixture(scope="module")
def index() -> Iterator[SearchService]:
    with search_services.azure_search() as index:
        yield index


@pytest.fixture(scope="module")
def served(model: ToldModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    upstream = {"engine": "upstream", "base_url": model.url, "options": {"retries": 0}}
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("filtered"),
        starter=False,
        deployments={
            "echo": DeploymentSettings(engine="echo"),
            "strict": DeploymentSettings(engine="echo", content_filter="default"),
            "speaking": DeploymentSettings(engine="echo", content_filter="answers"),
            "late": DeploymentSettings(engine="echo", content_filter="late"),
            "told": DeploymentSettings(**upstream, content_filter="documents"),
            "usual": DeploymentSettings(**upstream),
            "free": DeploymentSettings(**upstream, content_filter="none"),
        },
        content_filter=ContentFilterSettings(
            moderation_model="echo",
            policies={
                "answers": ContentPolicySettings(prompts=PASSING),
                "late": ContentPolicySettings(prompts=PASSING, mode="asynchronous"),
                "documents": ContentPolicySettings(
                    prompts=PromptPolicySettings(indirect_attack="block"),
                    answers=AnswerPolicySettings(ungrounded_material="annotate"),
                ),
            },
        ),
        audio=AudioSettings(transcription_model="echo", speech_model="echo"),
    )
    with serving(settings) as served:
        yield served


@pytest.fixture(scope="module", params=MOUNTS)
def mount(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def client(served: Served, mount: str) -> Iterator[openai.OpenAI]:
    with sdk(served, mount) as made:
        yield made


@pytest.fixture(scope="module", params=AZURE_MOUNTS)
def azure(served: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with sdk(served, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def plain(served: Served) -> Iterator[openai.OpenAI]:
    with sdk(served, "openai_v1") as made:
        yield made


def sdk(served: Served, mount: str) -> openai.OpenAI:
    if mount == "azure_classic":
        return openai.AzureOpenAI(
            azure_endpoint=served.url, api_version="2024-10-21", api_key=served.key, max_retries=0
        )
    path = "/v1" if mount == "openai_v1" else "/openai/v1"
    return openai.OpenAI(base_url=served.url + path, api_key=served.key, max_retries=0)


def chat(client: openai.OpenAI, text: str, model: str = "speaking", **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


def raw(served: Served, path: str, body: Json) -> bytes:
    return httpx2.post(served.url + path, json=body, headers={"api-key": served.key}).content


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_prompt_is_a_400_that_says_why(client: openai.OpenAI, mount: str, stream: bool):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(client, VIOLENT, "strict", stream=stream)
    error = refusal.value
    assert (error.code, error.param) == ("content_filter", "prompt")
    assert isinstance(error.body, dict)
    if mount == "openai_v1":
        assert set(error.body) == {"message", "type", "param", "code"}
    else:
        assert error.body["innererror"] == {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {**PROMPT, "violence": {"filtered": True, "severity": "high"}},
        }
        assert error.body["status"] == 400
        assert error.response.headers["ms-azureml-model-error-reason"] == "model_error"
        assert error.response.headers["x-ms-rai-invoked"] == "true"


def test_an_answer_says_what_was_found_in_it_and_in_its_prompt(azure: openai.OpenAI):
    answer = chat(azure, "Hello there", n=2).to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    assert answer["prompt_filter_results"] == [{"prompt_index": 0, "content_filter_results": PROMPT}]
    assert [choice["content_filter_results"] for choice in answer["choices"]] == [HARMS, HARMS]
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["Hello there"] * 2


def test_a_header_says_that_something_was_looked_at(azure: openai.OpenAI, plain: openai.OpenAI):
    asked: Json = {"messages": [{"role": "user", "content": "Hello"}], "stream": False}
    for client, model, expected in ((azure, "speaking", "true"), (azure, "echo", None), (plain, "speaking", None)):
        answer = client.chat.completions.with_raw_response.create(model=model, **asked)
        assert answer.headers.get("x-ms-rai-invoked") == expected


def test_a_policy_holds_on_every_path_and_is_told_on_azures(plain: openai.OpenAI):
    answer = chat(plain, f"Hello {VIOLENT} there").to_dict()
    assert "prompt_filter_results" not in answer
    (choice,) = answer["choices"]
    assert "content_filter_results" not in choice
    assert choice["finish_reason"] == "content_filter"
    assert VIOLENT not in choice["message"]["content"]


def test_a_blocked_choice_has_no_message(azure: openai.OpenAI):
    answer = chat(azure, f"{POLITE} {VIOLENT} and more").to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    (choice,) = answer["choices"]
    assert "message" not in choice
    assert (choice["finish_reason"], choice["content_filter_results"]) == ("content_filter", GRAVE)
    assert answer["usage"]["completion_tokens"] > 40


def test_a_stream_that_crosses_the_line_shows_nothing_of_what_is_behind_it(azure: openai.OpenAI):
    told = list(chat(azure, f"{POLITE} {VIOLENT} and more", stream=True))
    first, *chunks = [chunk.to_dict() for chunk in told]
    assert first["prompt_filter_results"][0]["content_filter_results"]["violence"]["severity"] == "high"
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert POLITE.startswith(said.rstrip())
    assert said
    assert chunks[-1]["choices"][0] == {
        "content_filter_results": GRAVE, "delta": {}, "finish_reason": "content_filter", "index": 0, "logprobs": None,
    }  # fmt: skip
    looked_at = [chunk["choices"][0]["content_filter_results"] for chunk in chunks[:-1]]
    assert HARMS in looked_at
    assert all(results in ({}, HARMS) for results in looked_at)


def test_a_stream_ends_with_what_it_ends_with_and_its_usage_comes_last(azure: openai.OpenAI):
    told = [chunk.to_dict() for chunk in chat(azure, POLITE, stream=True, stream_options={"include_usage": True})]
    for chunk in told:
        check_answer("AzureCreateChatCompletionStreamResponse", chunk)
    assert told[0]["choices"] == []
    assert "usage" not in told[0]
    assert told[-1]["usage"]["completion_tokens"] == 40
    choices = [chunk["choices"][0] for chunk in told[1:-1]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == POLITE
    assert (choices[-1]["finish_reason"], choices[-1]["content_filter_results"]) == ("stop", {})


def test_the_stream_of_the_sdk_puts_it_together(azure: openai.OpenAI):
    asked: Json = {"model": "speaking", "messages": [{"role": "user", "content": POLITE}]}
    with azure.chat.completions.stream(**asked) as stream:
        assert stream.get_final_completion().choices[0].message.content == POLITE


def test_choices_are_looked_at_apart(azure: openai.OpenAI):
    told = [chunk.to_dict() for chunk in chat(azure, f"{POLITE} {VIOLENT}", n=2, stream=True)]
    ends = [choice for chunk in told for choice in chunk["choices"] if choice["finish_reason"]]
    assert sorted((choice["index"], choice["finish_reason"]) for choice in ends) == [
        (0, "content_filter"),
        (1, "content_filter"),
    ]


def test_late_results_come_between_the_end_and_the_usage(azure: openai.OpenAI):
    told = chat(azure, POLITE, "late", stream=True, stream_options={"include_usage": True})
    _, *chunks, usage = [chunk.to_dict() for chunk in told]
    late = [chunk for chunk in chunks if "content_filter_offsets" in chunk["choices"][0]]
    assert late == chunks[-len(late) :]
    (choice,) = late[-1]["choices"]
    assert choice["content_filter_results"] == HARMS
    assert choice["content_filter_offsets"]["end_offset"] == len(POLITE)
    assert "delta" not in choice
    assert not any("content_filter_results" in chunk["choices"][0] for chunk in chunks[: -len(late)])
    assert usage["usage"]["completion_tokens"] == 40


def test_a_late_block_ends_the_choice(azure: openai.OpenAI):
    chunks = [chunk.to_dict() for chunk in chat(azure, f"{POLITE} {VIOLENT}", "late", stream=True)]
    (choice,) = chunks[-1]["choices"]
    assert (choice["finish_reason"], choice["content_filter_results"]) == ("content_filter", GRAVE)
    answer = chat(azure, f"{POLITE} {VIOLENT}", "late").to_dict()
    assert "message" not in answer["choices"][0]


def test_keys_stand_in_azures_order(served: Served):
    body = {"model": "speaking", "messages": [{"role": "user", "content": "Hello"}]}
    written = raw(served, "/openai/v1/chat/completions", body)
    answer = json.loads(written)
    assert list(answer) == sorted(answer)
    assert list(answer["choices"][0]) == [
        "content_filter_results", "finish_reason", "index", "logprobs", "message",
    ]  # fmt: skip
    assert list(answer["prompt_filter_results"][0]) == ["prompt_index", "content_filter_results"]
    first = raw(served, "/openai/v1/chat/completions", {**body, "stream": True}).split(b"\n\n")[0]
    results = json.dumps(PROMPT, separators=(",", ":")).encode()
    prompts = b'[{"prompt_index":0,"content_filter_results":' + results + b"}]"
    head = b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":'
    assert json.loads(first.removeprefix(b"data: ")) == json.loads(head.removeprefix(b"data: ") + prompts + b"}")
    assert first.startswith(head + b'[{"prompt_index":0,"content_filter_results":{"hate":')


def test_tool_calls_are_looked_at_too(azure: openai.OpenAI):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    told = [chunk.to_dict() for chunk in chat(azure, 'call look {"at":"x"}', tools=[tool], stream=True)]
    choices = [choice for chunk in told for choice in chunk["choices"]]
    assert {str(choice["content_filter_results"]) for choice in choices if "tool_calls" in choice["delta"]} == {"{}"}
    assert choices[-1]["finish_reason"] == "tool_calls"
    (choice,) = chat(azure, f'call look {{"at":"{VIOLENT}"}}', tools=[tool]).to_dict()["choices"]
    assert (choice["finish_reason"], choice["content_filter_results"]) == ("content_filter", GRAVE)
    assert "message" not in choice


def test_text_completions_are_looked_at_by_prompt(azure: openai.OpenAI):
    answer = azure.completions.create(model="speaking", prompt=["fine", f"not {VIOLENT}"], n=2).to_dict()
    check_answer("CreateCompletionResponse", answer)
    assert [prompt["prompt_index"] for prompt in answer["prompt_filter_results"]] == [0, 1]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop", "stop", *["content_filter"] * 2]
    assert [choice["text"] for choice in answer["choices"]] == ["fine", "fine", "", ""]
    with pytest.raises(openai.BadRequestError, match="content management policy"):
        azure.completions.create(model="strict", prompt=["fine", VIOLENT])


def test_token_ids_are_read_before_they_are_judged(azure: openai.OpenAI):
    answer = azure.completions.create(model="strict", prompt=[[1, 2], [3]]).to_dict()
    check_answer("CreateCompletionResponse", answer)
    assert [prompt["content_filter_results"] for prompt in answer["prompt_filter_results"]] == [PROMPT, PROMPT]


def test_an_echoed_prompt_and_the_best_of_several_are_looked_at(azure: openai.OpenAI):
    answer = azure.completions.create(model="speaking", prompt="fine", echo=True, best_of=2).to_dict()
    assert [choice["content_filter_results"] for choice in answer["choices"]] == [HARMS]
    first, *chunks = azure.completions.create(model="speaking", prompt="fine", stream=True)
    assert first.to_dict()["prompt_filter_results"][0]["content_filter_results"] == PROMPT
    assert [chunk.choices[0].to_dict()["content_filter_results"] for chunk in chunks][-1] in ({}, HARMS)


def test_an_echo_without_a_policy_is_not_looked_at(azure: openai.OpenAI):
    answer = chat(azure, VIOLENT, "echo").to_dict()
    assert answer["choices"][0]["message"]["content"] == VIOLENT
    assert "content_filter_results" not in str(answer)


def test_azures_paths_have_the_usual_policy_and_openais_have_none(
    azure: openai.OpenAI, plain: openai.OpenAI, model: ToldModel
):
    model.says("Hello")
    with pytest.raises(openai.BadRequestError, match="content management policy"):
        chat(azure, VIOLENT, "usual")
    assert model.asked == []
    assert chat(plain, VIOLENT, "usual").choices[0].message.content == "Hello"
    assert chat(azure, VIOLENT, "free").choices[0].message.content == "Hello"


def test_a_blocked_answer_is_kept_as_it_was_told(azure: openai.OpenAI):
    answer = chat(azure, f"{POLITE} {VIOLENT}", store=True)
    kept = azure.get(f"/chat/completions/{answer.id}", cast_to=object)
    assert isinstance(kept, dict)
    assert kept["choices"] == answer.to_dict()["choices"]


def test_a_spoken_answer_passes_the_filter(azure: openai.OpenAI):
    spoken: Json = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    answer = chat(azure, "Hello there", **spoken).to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    (choice,) = answer["choices"]
    assert choice["message"]["audio"]["transcript"] == "Hello there"
    assert choice["content_filter_results"] == HARMS
    assert answer["prompt_filter_results"]
    (choice,) = chat(azure, f"{POLITE} {VIOLENT}", **spoken).to_dict()["choices"]
    assert "message" not in choice
    streamed: Json = {**spoken, "audio": {"voice": "alloy", "format": "pcm16"}, "stream": True}
    chunks = [chunk.to_dict() for chunk in chat(azure, f"{POLITE}. {VIOLENT}", **streamed)]
    assert "prompt_filter_results" in chunks[0]
    for chunk in chunks:
        check_answer("AzureCreateChatCompletionStreamResponse", chunk)
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert VIOLENT not in str(chunks)


def test_what_was_blocked_is_counted(served: Served, azure: openai.OpenAI, plain: openai.OpenAI):
    with pytest.raises(openai.BadRequestError):
        chat(azure, VIOLENT, "strict")
    chat(azure, VIOLENT)
    chat(plain, "[[moderate self-harm=0.99]]")
    page = httpx2.get(f"{served.url}/metrics", headers={"api-key": served.key}).text
    blocked = 'smalt_content_filtered_total{category="%s",deployment="%s",side="%s"}'
    assert blocked % ("violence", "strict", "prompt") in page
    assert all(blocked % (kind, "speaking", "completion") in page for kind in ("violence", "self_harm"))
    assert 'category="unknown"' not in page


def source(index: SearchService) -> Json:
    parameters = {
        "endpoint": index.url,
        "index_name": "handbook",
        "authentication": {"type": "api_key", "key": KEY},
    }
    return {"data_sources": [{"type": "azure_search", "parameters": parameters}]}


QUESTION = "Where is the key of the company bicycles?"


def test_answers_on_your_data_say_what_their_documents_do_not(
    client: openai.OpenAI, mount: str, model: ToldModel, index: SearchService
):
    model.says("The key hangs at the reception. Seventeen penguins from Norway guard the submarine.")
    answer = chat(client, QUESTION, "told", extra_body=source(index)).to_dict()
    (choice,) = answer["choices"]
    if mount == "openai_v1":
        assert "content_filter_results" not in choice
        return
    found = choice["content_filter_results"]["ungrounded_material"]
    assert (found["detected"], found["filtered"]) == (True, False)
    said = choice["message"]["content"]
    spans = [said[span["completion_start_offset"] : span["completion_end_offset"]] for span in found["details"]]
    assert any("penguins" in span for span in spans)
    assert not any("reception" in span for span in spans)


def test_documents_that_attack_are_refused_and_the_model_is_not_asked(client: openai.OpenAI, model: ToldModel):
    model.says("The key hangs at the reception.")
    records = search_services.handbook_records()
    records[2]["content"] += " [[moderate indirect_attack=0.99]]"
    with search_services.azure_search(records) as hostile, pytest.raises(openai.BadRequestError) as refusal:
        chat(client, QUESTION, "told", extra_body=source(hostile))
    assert refusal.value.code == "content_filter"
    assert model.asked == []


def test_a_blocked_question_is_not_searched_for(client: openai.OpenAI, model: ToldModel, index: SearchService):
    model.says("The key hangs at the reception.")
    index.asked.clear()
    with pytest.raises(openai.BadRequestError, match="content management policy"):
        chat(client, f"{QUESTION} {VIOLENT}", "told", extra_body=source(index))
    assert (index.asked, model.asked) == ([], [])


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_answer_on_your_data_has_no_message(
    azure: openai.OpenAI,
    model: ToldModel,
    index: SearchService,
    stream: bool,
):
    model.says(f"The key hangs at the reception. {VIOLENT} Ask nobody.")
    told = chat(azure, QUESTION, "told", stream=stream, extra_body=source(index))
    answers = [chunk.to_dict() for chunk in told] if stream else [told.to_dict()]
    choice = answers[-1]["choices"][0]
    assert (choice["finish_reason"], choice.get("message")) == ("content_filter", None)
    assert VIOLENT not in str(answers)
