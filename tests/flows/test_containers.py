"""Containers through the SDK on every mount, and a response that computes with what is in one."""

import csv
import json
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import openai
import pytest

from serving import Served
from smalt.schemas.vocabulary import check_answer

ITEM_OUTPUTS: Any = ["code_interpreter_call.outputs"]


def call(code: str) -> str:
    """What makes an echo call the interpreter."""
    return f"call python {json.dumps({'code': code})}"


def stocks() -> bytes:
    """Prices of shares since 1990, which come with matplotlib."""
    (found,) = [one for one in files("matplotlib") or [] if one.name == "Stocks.csv"]
    return Path(str(found.locate())).read_bytes()


@pytest.fixture(params=["/v1", "/openai/v1"])
def v1_client(echo_server: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=echo_server.url + request.param, api_key=echo_server.key, max_retries=0) as client:
        yield client


def checked(name: str, answer: Any) -> Any:
    """An answer of the SDK, once its JSON has been compared with its schema."""
    check_answer(name, answer.http_response.json())
    return answer.parse()


def test_a_container_is_made_listed_and_deleted(client: openai.OpenAI) -> None:
    containers = client.containers.with_raw_response
    made = checked("ContainerResource", containers.create(name="abacus", memory_limit="4g"))
    assert (made.name, made.status, made.memory_limit) == ("abacus", "running", "4g")
    assert (made.expires_after.anchor, made.expires_after.minutes) == ("last_active_at", 20)
    assert made.network_policy.type == "disabled"
    brief = client.containers.create(name="brief", expires_after={"anchor": "last_active_at", "minutes": 5})
    assert checked("ContainerResource", containers.retrieve(brief.id)).expires_after.minutes == 5
    page = containers.list(limit=1, order="desc")
    assert [one.id for one in checked("ContainerListResource", page).data] == [brief.id]
    assert [one.id for one in client.containers.list(name="abacus") if one.id == made.id] == [made.id]
    for one in (made, brief):
        client.containers.delete(one.id)
        with pytest.raises(openai.NotFoundError, match=one.id):
            client.containers.retrieve(one.id)


def test_files_go_into_a_container_and_come_out_again(client: openai.OpenAI) -> None:
    uploaded = client.files.create(file=("data.csv", b"1,2\n"), purpose="assistants")
    container = client.containers.create(name="box", file_ids=[uploaded.id])
    inside = client.containers.files
    sent = checked(
        "ContainerFileResource", inside.with_raw_response.create(container.id, file=("notes.txt", b"Some notes."))
    )
    assert (sent.path, sent.bytes, sent.source, sent.container_id) == ("/mnt/data/notes.txt", 11, "user", container.id)
    listed = checked("ContainerFileListResource", inside.with_raw_response.list(container.id, order="asc"))
    assert [file.path for file in listed.data] == ["/mnt/data/data.csv", "/mnt/data/notes.txt"]
    assert inside.retrieve(sent.id, container_id=container.id).to_dict() == sent.to_dict()
    assert inside.content.retrieve(sent.id, container_id=container.id).content == b"Some notes."
    copied = inside.create(container.id, file_id=uploaded.id)
    assert copied.path == "/mnt/data/data.csv"
    inside.delete(sent.id, container_id=container.id)
    with pytest.raises(openai.NotFoundError, match=sent.id):
        inside.content.retrieve(sent.id, container_id=container.id)
    client.containers.delete(container.id)
    with pytest.raises(openai.NotFoundError):
        inside.list(container.id)
    assert client.files.content(uploaded.id).content == b"1,2\n"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "x", "memory_limit": "64g"}, "memory_limit"),
        ({"name": "x", "memory_limit": "2g"}, "memory_limit"),
        ({"name": "x", "expires_after": {"anchor": "created_at", "minutes": 5}}, "expires_after.anchor"),
        ({"name": "x", "network_policy": {"type": "allowlist", "allowed_domains": ["a.org"]}}, "network_policy"),
        ({"name": "x", "skills": [{"type": "skill_reference", "skill_id": "s"}]}, "skills"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(client: openai.OpenAI, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/containers", body=body, cast_to=object)
    assert caught.value.param == param


def test_a_file_that_nobody_has_is_not_put_in(client: openai.OpenAI) -> None:
    container = client.containers.create(name="box")
    with pytest.raises(openai.NotFoundError, match="file-none"):
        client.containers.create(name="box", file_ids=["file-none"])
    with pytest.raises(openai.NotFoundError, match="file-none"):
        client.containers.files.create(container.id, file_id="file-none")
    for body in ({}, {"file_id": 7}, []):
        with pytest.raises(openai.BadRequestError):
            client.post(f"/containers/{container.id}/files", body=body, cast_to=object)


def test_a_response_plots_real_data(v1_client: openai.OpenAI) -> None:
    known = [float(row["IBM"]) for row in csv.DictReader(stocks().decode().splitlines()[1:]) if row["IBM"]]
    uploaded = v1_client.files.create(file=("stocks.csv", stocks()), purpose="assistants")
    code = (
        "import pandas as pd, matplotlib.pyplot as plt\n"
        "prices = pd.read_csv('stocks.csv', comment='#', parse_dates=['Date']).set_index('Date')\n"
        "prices[['AAPL', 'IBM']].plot()\nplt.show()\n"
        "prices['IBM'].describe().to_csv('ibm.csv')\n"
        "print('rows', prices['IBM'].count(), 'highest', prices['IBM'].max().round(1))"
    )
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [uploaded.id]}}
    responses = v1_client.responses.with_raw_response
    answer = responses.create(model="echo", input=call(code), tools=[tool], include=ITEM_OUTPUTS)
    response = checked("AzureResponse", answer)
    done: Any = response.output[0]
    assert (done.type, done.status, done.code) == ("code_interpreter_call", "completed", code)
    logs, image = done.outputs
    assert logs.logs == f"rows {len(known)} highest {max(known):.1f}"
    assert image.url.startswith("data:image/png;base64,")
    assert logs.logs in response.output_text
    cited = {
        note["filename"]: note
        for item in response.to_dict()["output"][1:]
        for note in item["content"][0]["annotations"]
    }
    assert len(cited) == 2
    for note in cited.values():
        assert (note["type"], note["container_id"]) == ("container_file_citation", done.container_id)
    content = v1_client.containers.files.content
    table = content.retrieve(cited["ibm.csv"]["file_id"], container_id=done.container_id).text
    assert f"count,{len(known)}.0" in table
    (picture,) = [note for name, note in cited.items() if name.endswith(".png")]
    png = content.retrieve(picture["file_id"], container_id=done.container_id).content
    assert png.startswith(b"\x89PNG")
    again = v1_client.responses.create(
        model="echo", input=call("print(prices.columns[0])"), tools=[tool], previous_response_id=response.id
    )
    assert "IBM" in again.output_text
    plain: Any = again.output[0]
    assert (plain.container_id, plain.outputs) == (done.container_id, None)


def test_a_stream_tells_the_code_as_it_is_written(v1_client: openai.OpenAI) -> None:
    code = "total = sum(range(101))\nprint(total)"
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    with v1_client.responses.create(model="echo", input=call(code), tools=[tool], stream=True) as stream:
        events = list(stream)
    told = [event for event in events if "code_interpreter" in event.type]
    for event in told:
        check_answer("ResponseStreamEvent", event.to_dict())
    deltas: list[Any] = [event for event in told if event.type.endswith("code.delta")]
    assert "".join(event.delta for event in deltas) == code
    kinds = [event.type.removeprefix("response.code_interpreter_call") for event in told if event not in deltas]
    assert kinds == [".in_progress", "_code.done", ".interpreting", ".completed"]
    final: Any = events[-1]
    assert final.type == "response.completed"
    assert "5050" in final.response.output_text


def test_a_container_that_is_not_there_is_the_requests_fault(v1_client: openai.OpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": "cntr_none"}
    with pytest.raises(openai.NotFoundError, match="cntr_none"):
        v1_client.responses.create(model="echo", input="hello", tools=[tool])


@pytest.mark.real
def test_a_small_model_that_must_use_it_calls_it(starter_server: Any) -> None:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key, max_retries=0) as client:
        response = client.responses.create(
            model="gpt-4o-mini",
            input="What is 123 * 456? Use Python.",
            tools=[tool],
            tool_choice={"type": "code_interpreter"},
            include=ITEM_OUTPUTS,
            temperature=0,
            max_output_tokens=200,
        )
        done: Any = response.output[0]
        assert done.type == "code_interpreter_call"
        assert done.status == "completed", done
        assert "123 * 456" in done.code
        assert "56088" in done.outputs[0].logs
        assert client.containers.retrieve(done.container_id).status == "running"
