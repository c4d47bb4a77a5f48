"""Runs over many rows outlive kills: every row is done, none twice, and none is lost.

`SMALT_TEST_ROWS` says how many rows: `SMALT_TEST_ROWS=10000 pytest tests/faults/test_connector_run_kill.py`.
"""

import csv
import hashlib
import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from aiohttp import web

from connector_running import TERMINAL, Server, Terminal, children, kill_tree, until
from loopback import web_service

ROWS = int(os.environ.get("SMALT_TEST_ROWS", "400"))
PATIENCE = 60 + ROWS / 10
SERVER = """
starter = false
[deployments.echo]
engine = "echo"
[deployments.slow]
engine = "echo"
options = { delay_seconds = 0.04, tokens = 5 }
[deployments.slower]
engine = "echo"
options = { delay_seconds = 0.3, tokens = 5 }
[log]
level = "warning"
"""


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "server", SERVER)
    server.begin()
    yield server
    server.kill()


@pytest.fixture
def terminal(server, tmp_path):
    terminal = Terminal(tmp_path / "terminal", KEY=server.key)
    added = ["--connector", "openai-gpt", "--base-url", server.url, "--env", "api_key=KEY"]
    terminal.run("connections", "add", "elsewhere", *added)
    return terminal


def write_rows(path):
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["number", "subject"])
        writer.writerows([number, f"subject {number} of many"] for number in range(ROWS))


def kept_answers(server):
    """The answers that the service recorded, by the digests of their idempotency keys."""
    found = server.rows("SELECT key_digest, content FROM idempotent_answers WHERE status IS NOT NULL")
    return {digest: json.loads(content) for digest, content in found}


@pytest.mark.timeout(120 + ROWS)
def test_every_row_has_its_one_result_however_often_server_and_runner_are_killed(server, terminal):
    write_rows(terminal.folder / "rows.csv")
    asked = ["--param", "model=echo", "--map", "prompt=About {{subject}}", "--concurrency", "16"]
    running = terminal.start(
        *("connectors", "run", "openai-gpt", "create_completion", "--connection", "elsewhere"),
        *("--each", "rows.csv", *asked, "--out", "results.csv"),
    )

    def wait_for(share):
        until(lambda: terminal.counts().get("succeeded", 0) >= ROWS * share, terminal.log.read_text, PATIENCE)

    try:
        wait_for(0.1)
        server.kill()
        server.begin()
        wait_for(0.3)
        # The runner alone: another takes its place.
        for child in children(running):
            child.kill()
        wait_for(0.5)
        server.kill()
        kill_tree(running)
        server.begin()
        assert 0 < terminal.counts().get("succeeded", 0) < ROWS
        running = terminal.start("connectors", "resume", terminal.run_id())
        assert running.wait(PATIENCE) == 0, terminal.log.read_text()
    finally:
        kill_tree(running)
    check(server, terminal)


def read_csv(terminal, name="out.csv"):
    with (terminal.folder / name).open(newline="") as source:
        return list(csv.DictReader(source))


def check(server, terminal):
    results = read_csv(terminal, "results.csv")
    assert [row["number"] for row in results] == [str(number) for number in range(ROWS)]
    assert {row["status"] for row in results} == {"succeeded"}
    assert all(row["first_completion"].startswith(f"About {row['subject']}") for row in results)
    # At the service: one generation recorded for each row, and it is the one that the row has.
    kept, run_id = kept_answers(server), terminal.run_id()
    assert len(kept) == ROWS
    digests = [hashlib.sha256(f"{run_id}-{number}-0".encode()).hexdigest() for number in range(ROWS)]
    assert [kept[digest]["id"] for digest in digests] == [row["result.id"] for row in results]
    assert len({answer["id"] for answer in kept.values()}) == ROWS


def test_ctrl_c_lets_a_run_rest_with_what_it_has_and_resume_goes_on(server, terminal):
    leave_a_servers_job(terminal)
    (terminal.folder / "rows.csv").write_text("prompt\n" + "".join(f"number {number}\n" for number in range(20)))
    running = terminal.start(
        *(
            "connectors",
            "run",
            "openai-gpt",
            "create_completion",
            "--param",
            "model=slower",
            "--connection",
            "elsewhere",
        ),
        *("--each", "rows.csv", "--out", "out.csv", "--concurrency", "2"),
    )
    until(lambda: terminal.counts().get("succeeded", 0) >= 2, terminal.log.read_text)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130, terminal.log.read_text()
    assert f"smalt connectors resume {terminal.run_id()}" in terminal.log.read_text()
    before = read_csv(terminal)
    assert {row["status"] for row in before} == {"succeeded", "pending"}
    done = {row["result.id"] for row in before if row["status"] == "succeeded"}
    terminal.run("connectors", "resume", terminal.run_id())
    after = read_csv(terminal)
    assert [row["status"] for row in after] == ["succeeded"] * 20
    assert done < {row["result.id"] for row in after}
    # Such a runner has no models, so what needs them waits for a server.
    assert terminal.rows("SELECT status, attempts FROM jobs WHERE kind = 'respond'") == [("queued", 0)]


def leave_a_servers_job(terminal):
    terminal.run("jobs", "list")
    with closing(sqlite3.connect(terminal.data_dir / "smalt.db")) as database, database:
        database.execute(
            "INSERT INTO jobs (id, kind, queue, project, input, wanted, status, is_dispatched, attempts, created_at) "
            "VALUES ('resp_1', 'respond', 'responses', 'default', '{}', 'run', 'queued', 0, 0, 1)"
        )


class Cloud:
    """A service that is no Smalt: it counts what it is asked, and takes its time when it is told to."""

    def __init__(self):
        self.prompts = []
        self.may_answer = threading.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return web.json_response({"error": {"message": "No."}}, status=404)
        body = await request.json()
        assert "idempotency-key" not in {name.lower() for name in request.headers}
        self.prompts.append(body["prompt"])
        while not self.may_answer.is_set():
            await web.asyncio.sleep(0.02)
        return web.json_response(
            {"id": "c", "object": "text_completion", "choices": [{"text": body["prompt"].upper()}]}
        )


def test_a_call_that_a_kill_cut_off_is_not_made_again_at_a_cloud_unless_that_is_asked_for(tmp_path):
    cloud = Cloud()
    terminal = Terminal(tmp_path, TERMINAL, KEY="sk-cloud")
    (tmp_path / "rows.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n{"prompt": "three"}\n')
    run = ["connectors", "run", "openai-gpt", "create_completion", "--param", "model=m", "--connection", "cloud"]
    with web_service(cloud.answer) as url:
        terminal.run(
            *("connections", "add", "cloud", "--connector", "openai-gpt", "--base-url", f"{url}/v1"),
            *("--env", "api_key=KEY", "--no-smalt"),
        )
        running = terminal.start(*run, "--each", "rows.jsonl", "--concurrency", "1", "--out", "results.jsonl")
        until(lambda: cloud.prompts == ["one"], terminal.log.read_text)
        kill_tree(running)
        cloud.may_answer.set()
        time.sleep(0.5)
        assert cloud.prompts == ["one"]

        told = terminal.run("connectors", "resume", terminal.run_id(), exit_code=1).stderr
        assert cloud.prompts == ["one", "two", "three"]
        assert "--repeat-interrupted" in told
        assert [row["status"] for row in lines(tmp_path)] == ["interrupted", "succeeded", "succeeded"]
        assert "may have been done, and paid" in lines(tmp_path)[0]["error"]

        # Once more, nothing is left that may be done.
        terminal.run("connectors", "resume", terminal.run_id(), exit_code=1)
        assert cloud.prompts == ["one", "two", "three"]

        terminal.run("connectors", "resume", terminal.run_id(), "--repeat-interrupted")
        assert cloud.prompts == ["one", "two", "three", "one"]
        assert [row["first_completion"] for row in lines(tmp_path)] == ["ONE", "TWO", "THREE"]


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
