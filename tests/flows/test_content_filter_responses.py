"""The content filter in responses, on every mount: refusals, held-back streams, jobs, and what is told of them.

The models are echoes, and texts say themselves how they are to be scored.
"""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response

from serving import Served, serving
from smalt.core.content_filter_settings import (
    AnswerPolicySettings,
    ContentFilterSettings,
    ContentPolicySettings,
    PromptPolicySettings,
)
from smalt.core.settings import DeploymentSettings, Settings
from smalt.schemas.vocabulary import check_answer

MOUNTS = {"/v1": "", "/openai/v1": "", "/openai": "?api-version=2025-04-01-preview"}
AZURE = [mount for mount in MOUNTS if mount != "/v1"]
GRAVE = "[[moderate violence=0.99]]"
ATTACK = "[[moderate indirect_attack=0.99]]"
UNSEEN = PromptPolicySettings(hate="off", sexual="off", violence="off", self_harm="off", jailbreak="off")
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    policies = {
        "strict": ContentPolicySettings(prompts=PromptPolicySettings(indirect_attack="block")),
        "answers": ContentPolicySettings(prompts=UNSEEN),
        "late": ContentPolicySettings(mode="asynchronous", prompts=UNSEEN),
        "telling": ContentPolicySettings(prompts=UNSEEN, answers=AnswerPolicySettings(violence="annotate")),
    }
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("filtered"),
        starter=False,
        deployments={
            "judge": DeploymentSettings(engine="echo", abilities=["moderation"], model="judge-1"),
            "echo": DeploymentSettings(engine="echo"),
            "tireless": DeploymentSettings(engine="echo", options={"tokens": 50_000}, content_filter="answers"),
            **{name: DeploymentSettings(engine="echo", content_filter=name) for name in policies},
        },
        content_filter=ContentFilterSettings(moderation_model="judge", policies=policies),
    )
    with serving(settings, jobs=True) as server:
        yield server


@pytest.fixture(scope="module")
def azure(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=served.key, max_retries=0) as client:
        yield client


def asked(served: Served, mount: str, model: str, sent: Any, **fields: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {served.key}", "api-key": served.key}
    body = {"model": model, "input": sent, **fields}
    return httpx.post(f"{served.url}{mount}/responses{MOUNTS[mount]}", json=body, headers=headers)


def answered(served: Served, mount: str, model: str, sent: Any, **fields: Any) -> dict[str, Any]:
    answer = asked(served, mount, model, sent, **fields)
    assert answer.status_code == 200, answer.text
    check_answer("AzureResponse", answer.json())
    return answer.json()


def sides(response: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """Of every entry: the side, whether it was blocked, and how violent it was."""
    return [
        (one["source_type"], one["blocked"], one["content_filter_results"].get("violence", {}).get("severity"))
        for one in response["content_filters"]
    ]


def finished(client: openai.OpenAI, response: Response, seconds: float = 60) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while response.status in {"queued", "in_progress"}:
        assert time.monotonic() < until
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    return response.model_dump(mode="json")


@pytest.mark.parametrize("mount", AZURE)
def test_azure_tells_of_both_sides(served: Served, mount: str):
    response = answered(served, mount, "strict", "A quiet day")
    assert sides(response) == [("prompt", False, "safe"), ("completion", False, "safe")]
    results = response["content_filters"][0]["content_filter_results"]
    assert results["jailbreak"] == {"filtered": False, "detected": False}
    assert [one["content_filter_offsets"]["end_offset"] for one in response["content_filters"]] == [11, 11]


def test_openai_s_mount_filters_and_tells_nothing(served: Served):
    assert "content_filters" not in answered(served, "/v1", "strict", "A quiet day")
    assert answered(served, "/v1", "answers", f"So {GRAVE}")["incomplete_details"] == {"reason": "content_filter"}


def test_a_deployment_without_a_filter_tells_nothing(served: Served):
    assert answered(served, "/openai/v1", "echo", GRAVE)["content_filters"] is None


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"store": False}])
@pytest.mark.parametrize("mount", MOUNTS)
def test_a_refused_prompt_is_a_400_before_any_event(served: Served, mount: str, fields: dict[str, bool]):
    answer = asked(served, mount, "strict", f"So {GRAVE}", **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "content_filter", "prompt")
    if mount in AZURE:
        inner = error["innererror"]
        assert inner["code"] == "ResponsibleAIPolicyViolation"
        assert inner["content_filter_result"]["violence"] == {"filtered": True, "severity": "high"}
    else:
        assert error["type"] == "invalid_request_error"


def test_the_sdk_reads_the_refusal_and_the_results(azure: openai.OpenAI):
    with pytest.raises(openai.BadRequestError) as refusal:
        azure.responses.create(model="strict", input=GRAVE)
    assert refusal.value.code == "content_filter"
    response = azure.responses.create(model="strict", input="A quiet day")
    assert response.model_extra
    assert [one["source_type"] for one in response.model_extra["content_filters"]] == ["prompt", "completion"]


@pytest.mark.parametrize("mount", MOUNTS)
def test_nothing_of_a_stream_is_shown_after_the_line(served: Served, mount: str):
    before = "word " * 40
    answer = asked(served, mount, "answers", f"{before}then {GRAVE} and more", stream=True)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    end = events[-1]
    assert end["type"] == "response.incomplete"
    assert end["response"]["incomplete_details"] == {"reason": "content_filter"}
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert before.startswith(text)
    assert text
    assert "moderate" not in answer.text
    assert "more" not in answer.text


def test_what_is_only_annotated_is_shown(served: Served):
    response = answered(served, "/openai/v1", "telling", f"So {GRAVE}")
    assert sides(response)[1] == ("completion", False, "high")
    assert response["status"] == "completed"


def test_an_asynchronous_filter_shows_first_and_ends_then(served: Served):
    response = answered(served, "/openai/v1", "late", f"So {GRAVE}")
    assert sides(response)[-1] == ("completion", True, "high")
    assert response["incomplete_details"] == {"reason": "content_filter"}


def test_results_of_tools_are_looked_at_as_documents(served: Served):
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": f"Sun. {ATTACK}"}
    sent = [{"role": "user", "content": "Look out"}, call, result]
    answer = asked(served, "/openai/v1", "strict", sent, tools=[LOOK])
    assert answer.status_code == 400
    found = answer.json()["error"]["innererror"]["content_filter_result"]
    assert found["indirect_attack"] == {"filtered": True, "detected": True}
    assert answered(served, "/openai/v1", "strict", f"Sun. {ATTACK}")["status"] == "completed"


@pytest.mark.parametrize(("mark", "kind"), [(GRAVE, "violence"), (ATTACK, "indirect_attack")])
@pytest.mark.parametrize("fields", [{}, {"tools": [LOOK]}])
def test_files_are_looked_at_as_what_is_said_and_as_documents(
    served: Served, mark: str, kind: str, fields: dict[str, Any]
):
    page = base64.b64encode(f"<p>The key {mark} hangs at the reception.</p>".encode()).decode()
    file = {"type": "input_file", "filename": "page.html", "file_data": page}
    sent = [{"role": "user", "content": [file, {"type": "input_text", "text": "Sum it up."}]}]
    answer = asked(served, "/openai/v1", "strict", sent, **fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["innererror"]["content_filter_result"][kind]["filtered"] is True


def test_arguments_of_calls_are_looked_at(served: Served):
    sent = f'call look {{"at": "{GRAVE}"}}'
    response = answered(served, "/openai/v1", "answers", sent, tools=[LOOK])
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert "moderate" not in str(response["output"])


def test_what_was_told_is_kept_and_followed(azure: openai.OpenAI, served: Served):
    made = answered(served, "/openai/v1", "strict", "A quiet day")
    read = azure.responses.retrieve(made["id"])
    assert read.model_extra
    assert read.model_extra["content_filters"] == made["content_filters"]
    following = answered(served, "/openai/v1", "strict", "And night", previous_response_id=made["id"])
    assert following["content_filters"][0]["content_filter_offsets"]["end_offset"] == len(
        "A quiet day" * 2 + "And night"
    )


def test_a_whole_response_is_looked_at_once_and_a_stream_on_the_way(served: Served):
    text = f"{'word ' * 40}then {GRAVE} and more"
    whole = answered(served, "/openai/v1", "answers", text)
    assert (whole["incomplete_details"], whole["output"]) == ({"reason": "content_filter"}, [])
    streamed = asked(served, "/openai/v1", "answers", text, stream=True).text
    assert "response.output_text.delta" in streamed


def test_a_model_stops_when_its_response_is_blocked(served: Served):
    answer = asked(served, "/openai/v1", "tireless", f"So {GRAVE}", stream=True)
    end = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    assert end["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert 0 < end["response"]["usage"]["output_tokens"] < 5_000


def test_jobs_filter_too(azure: openai.OpenAI):
    quiet, grave, refused = (
        azure.responses.create(model=model, input=sent, background=True)
        for model, sent in (("strict", "A quiet day"), ("answers", f"So {GRAVE}"), ("strict", GRAVE))
    )
    done = finished(azure, quiet)
    assert (done["status"], sides(done)) == ("completed", [("prompt", False, "safe"), ("completion", False, "safe")])
    cut = finished(azure, grave)
    assert (cut["status"], sides(cut)[-1]) == ("incomplete", ("completion", True, "high"))
    failed = finished(azure, refused)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "invalid_prompt")
    assert sides(failed) == [("prompt", True, "high")]


def test_what_jobs_block_is_counted_where_it_is_scraped(served: Served, azure: openai.OpenAI):
    blocked = 'smalt_content_filtered_total{category="violence",deployment="%s",side="%s"}'
    wanted = {blocked % ("answers", "completion"): f"So {GRAVE}", blocked % ("strict", "prompt"): GRAVE}
    before = counts(served)
    for name, sent in wanted.items():
        model = "answers" if "answers" in name else "strict"
        finished(azure, azure.responses.create(model=model, input=sent, background=True))
    once, again = counts(served), counts(served)
    assert {name: once[name] - before.get(name, 0) for name in wanted} == dict.fromkeys(wanted, 1)
    assert {name: again[name] for name in wanted} == {name: once[name] for name in wanted}


def counts(served: Served) -> dict[str, float]:
    """Every line of the page of metrics."""
    page = httpx.get(f"{served.url}/metrics", headers={"api-key": served.key}).text
    return {
        name: float(value) for line in page.splitlines() for name, _, value in [line.rpartition(" ")] if line[0] != "#"
    }


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_request_may_ask_for_moderation(served: Served, mount: str):
    response = answered(served, mount, "echo", f"So {GRAVE}", moderation={"model": "judge"})
    assert {side: found["flagged"] for side, found in response["moderation"].items()} == {"input": True, "output": True}
    assert response["output"][0]["content"][0]["text"] == f"So {GRAVE}"
    block = {"model": "judge", "policy": {"input": {"mode": "block"}}}
    refusal = asked(served, mount, "echo", GRAVE, moderation=block).json()["error"]
    assert (refusal["code"], refusal["param"]) == ("moderation_blocked", "input")
    hold = {"model": "judge", "policy": {"output": {"mode": "block"}}}
    cut = answered(served, mount, "echo", GRAVE, moderation=hold)
    assert (cut["status"], cut["output"]) == ("incomplete", [])


def test_the_sdk_reads_moderation(azure: openai.OpenAI):
    response = azure.responses.create(model="echo", input=GRAVE, extra_body={"moderation": {"model": "judge"}})
    assert response.model_dump()["moderation"]["input"]["categories"]["violence"]
