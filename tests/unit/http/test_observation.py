import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import Response

from smalt.core.settings import LogSettings
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.event_stream import EventStream, data
from smalt.http.logging import UNPRINTED, JsonLines, TextLines, configure
from smalt.http.routing import Router

router = Router()


@router.post("/completions", operation_id="createCompletion", deployment=True)
async def complete(call: CurrentCall) -> Response:
    call.spend(
        "small",
        prompt_tokens=5,
        completion_tokens=3,
        cached_tokens=2,
        user="ann",
        user_security_context={"application_name": "app", "source_ip": "10.0.0.1", "unknown": 1},
    )
    return Json({})


@router.post("/stream", operation_id="stream")
async def stream() -> Response:
    async def chunks() -> AsyncGenerator[bytes]:
        yield data(b"{}")

    return EventStream(chunks())


async def test_openai_answers_have_openais_headers(run) -> None:
    headers = (await (await run(router)).client.post("/v1/completions")).headers
    assert headers["x-request-id"].startswith("req_")
    assert len(headers["x-request-id"]) == 36
    assert headers["openai-version"] == "2020-10-01"
    assert int(headers["openai-processing-ms"]) >= 0
    assert "apim-request-id" not in headers


async def test_azure_answers_have_azures_headers(run) -> None:
    running = await run(router)
    url = "/openai/deployments/mine/completions?api-version=2024-10-21"
    headers = (await running.client.post(url, headers={"x-ms-client-request-id": "mine-1"})).headers
    assert headers["apim-request-id"] == headers["x-request-id"]
    assert UUID(headers["x-request-id"]).version == 4
    assert str(UUID(headers["x-request-id"])) == headers["x-request-id"]
    assert headers["x-ms-deployment-name"] == "mine"
    assert headers["x-ms-client-request-id"] == "mine-1"
    assert "openai-version" not in headers


@pytest.mark.parametrize("path", ["/v1/nowhere", "/openai/nowhere", "/nowhere", "/health"])
async def test_every_answer_has_a_request_id(run, path: str) -> None:
    assert (await (await run(router)).client.get(path)).headers["x-request-id"]


async def test_an_odd_deployment_name_makes_no_odd_header(run) -> None:
    running = await run(router)
    url = "/openai/deployments/a%0d%0ax-evil%3a%201/completions?api-version=2024-10-21"
    response = await running.client.post(url)
    assert response.status_code == 200
    assert "x-ms-deployment-name" not in response.headers
    assert "x-evil" not in response.headers


async def test_metrics_count_requests_tokens_and_times(run) -> None:
    running = await run(router)
    await running.client.post("/v1/completions")
    await running.client.post("/v1/stream")
    await running.client.post("/openai/v1/nowhere")
    response = await running.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    assert 'smalt_requests_total{mount="openai_v1",operation="createCompletion",status="200"} 1.0' in lines
    assert 'smalt_requests_total{mount="azure_v1",operation="none",status="404"} 1.0' in lines
    assert 'smalt_tokens_total{kind="prompt",model="small"} 5.0' in lines
    assert 'smalt_tokens_total{kind="cached",model="small"} 2.0' in lines
    assert 'smalt_first_chunk_seconds_count{mount="openai_v1",operation="stream"} 1.0' in lines
    assert 'smalt_request_seconds_count{mount="openai_v1",operation="createCompletion"} 1.0' in lines
    assert "smalt_requests_at_work 1.0" in lines


@dataclass
class Worker:
    key: str = "chat"
    state: str = "ready"
    memory_bytes: int = 5


class Host:
    is_down = False

    async def status(self) -> list[Worker]:
        if self.is_down:
            raise ConnectionError
        return [Worker()]


async def test_metrics_tell_the_state_of_engine_workers(run) -> None:
    running = await run(router)
    running.app.state.host = Host()
    text = (await running.client.get("/metrics")).text
    assert 'smalt_workers{state="ready",worker="chat"} 1.0' in text
    assert 'smalt_worker_memory_bytes{worker="chat"} 5.0' in text


async def test_a_server_that_cannot_reach_its_engine_host_is_not_ready(run, caplog: pytest.LogCaptureFixture) -> None:
    running = await run(router)
    running.app.state.host = Host()
    assert (await running.client.get("/ready")).json()["checks"]["engine_host"] == "ok"
    running.app.state.host.is_down = True
    response = await running.client.get("/ready")
    assert (response.status_code, response.json()["checks"]["engine_host"]) == (503, "failing")
    assert (await running.client.get("/health")).status_code == 200
    assert (await running.client.get("/metrics")).status_code == 200


async def test_a_server_without_its_database_is_not_ready(run, caplog: pytest.LogCaptureFixture) -> None:
    running = await run(router)
    real = running.app.state.database

    class Broken:
        async def read(self, _work) -> None:
            raise OSError

    running.app.state.database = Broken()
    response = await running.client.get("/ready")
    running.app.state.database = real
    assert (response.status_code, response.json()["checks"]["database"]) == (503, "failing")


async def test_what_a_call_spends_is_in_the_usage_table(run) -> None:
    from smalt.store.usage import read_usage

    running = await run(router)
    await running.client.post("/v1/completions")
    await running.app.state.usage.flush()
    rows = await read_usage(running.app.state.database, by="key")
    assert [(row.group, row.prompt_tokens, row.completion_tokens, row.cached_tokens) for row in rows] == [
        ("tester", 5, 3, 2)
    ]
    assert [row.group for row in await read_usage(running.app.state.database, by="user")] == ["ann"]
    assert [row.group for row in await read_usage(running.app.state.database, by="operation")] == ["createCompletion"]


async def test_a_request_is_one_line_with_its_ids(run, caplog: pytest.LogCaptureFixture) -> None:
    running = await run(router)
    with caplog.at_level(logging.INFO, "smalt.access"):
        response = await running.client.post("/v1/completions?api-key=in-the-query", json={"prompt": "in the body"})
    (record,) = [record for record in caplog.records if record.name == "smalt.access"]
    line = json.loads(JsonLines().format(record))
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["operation"], line["status"], line["model"]) == ("createCompletion", 200, "small")
    assert line["key"].startswith("key_")
    assert line["path"] == "/v1/completions"
    assert "in-the-query" not in str(vars(record))
    assert "in the body" not in str(vars(record))


def record(message: str = "request", **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "smalt", **fields})


def test_a_text_line_cannot_be_forged() -> None:
    line = TextLines().format(record(path="/x\nfake line", other="two words", ms=1.25))
    assert "\n" not in line
    assert "other='two words' ms=1.2" in line


def test_an_exception_is_in_the_log_in_both_forms() -> None:
    error = ValueError("why")
    made = record(exc_info=(ValueError, error, None))
    assert "ValueError: why" in TextLines().format(made)
    assert "ValueError: why" in json.loads(JsonLines().format(made))["exception"]


@pytest.fixture
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    flags = {name: getattr(logging, name, True) for name in UNPRINTED}
    yield
    for name, value in flags.items():
        setattr(logging, name, value)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


def test_configuring_sends_everything_to_one_handler(root_as_it_was: None, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure(LogSettings(format="json", level="warning"))
    logging.getLogger("smalt.x").info("unheard")
    logging.getLogger("uvicorn.error").warning("heard", extra={"n": 1})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["message"], line["n"], line["level"]) for line in lines] == [("heard", 1, "warning")]


SEVERAL = """
import asyncio, sys
from smalt.core.settings import load_settings
from smalt.http.call import Call
from smalt.http.metrics import Metrics
metrics = Metrics(load_settings(data_dir=sys.argv[1], server={"workers": 2}))
metrics.begin()
metrics.end(Call("openai_v1", "GET", "/v1/x", "r", operation="x"), 200)
metrics.begin()
print(metrics.page([]).decode())
"""


async def test_api_processes_add_up_their_counts_and_the_dead_are_not_at_work(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}

    def page() -> str:
        command = [sys.executable, "-c", SEVERAL, str(tmp_path)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert 'smalt_requests_total{mount="openai_v1",operation="x",status="200"} 1.0' in await asyncio.to_thread(page)
    second = await asyncio.to_thread(page)
    assert 'smalt_requests_total{mount="openai_v1",operation="x",status="200"} 2.0' in second
    assert "smalt_requests_at_work 1.0" in second
