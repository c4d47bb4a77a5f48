"""`smalt connections`, as an operator keeps connections with it and tries them out."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from aiohttp import web
from typer.testing import CliRunner

from loopback import web_service
from serving import serving_echoes
from smalt.cli.commands import app
from smalt.core.errors import Conflict, InvalidRequest, NotFound

SECRET = "sk-Lapis4Lazuli"
HERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def echoes(tmp_path_factory):
    with serving_echoes(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns what it prints, standard error included."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SMALT_CONNECTORS__SECRETS", "file")
    monkeypatch.setenv("KEY", SECRET)

    def run(*arguments, exit_code=0, typed=None):
        result = CliRunner().invoke(app, ["connections", *arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def add(told, name="mine", connector="openai-gpt", *more, secret="--env=api_key=KEY", **options):
    return told("add", name, "--connector", connector, secret, *more, **options)


def test_a_connection_is_added_listed_shown_replaced_and_removed(told, tmp_path):
    said = add(told, "cloud", "azure-openai", "--set", "resource_name=pigments")
    assert "smalt connections test cloud" in said
    add(told, "fusion", "fusion-openai", "--set", "organization_id=org-1")
    listed = json.loads(told("list", "--json"))
    assert [(one["name"], one["connector"], one["secret_names"]) for one in listed] == [
        ("cloud", "azure-openai", ["api_key"]),
        ("fusion", "fusion-openai", ["api_key"]),
    ]
    assert listed[1]["fields"] == {"connection_name": "fusion", "organization_id": "org-1"}
    shown = told("show", "cloud")
    assert "pigments" in shown
    assert "********" in shown
    with pytest.raises(Conflict, match="already"):
        add(told, "cloud", "azure-openai", "--set", "resource_name=ores")
    assert "Changed" in add(told, "cloud", "azure-openai", "--set", "resource_name=ores", "--replace")
    assert json.loads(told("show", "cloud", "--json"))["fields"] == {"resource_name": "ores"}
    everything = told("list") + told("list", "--json") + told("show", "cloud") + told("show", "cloud", "--json") + said
    assert SECRET not in everything
    assert told("remove", "cloud") == "Removed the connection 'cloud'.\n"
    with pytest.raises(NotFound, match="There are: fusion"):
        told("show", "cloud")


def test_secrets_are_taken_from_the_environment_or_standard_input_and_never_from_arguments(told, tmp_path):
    assert "without the word Bearer" in add(told, "one")
    assert "Bearer" not in add(told, "two", secret="--stdin=api_key", typed=f"Bearer {SECRET}\n")
    said = add(told, "three", secret=f"--set=api_key={SECRET}", exit_code=2)
    assert "--env api_key=VARIABLE" in said
    assert SECRET not in said
    assert SECRET not in add(told, "three", secret=f"--set={SECRET}", exit_code=2)
    assert "MISSING is not set" in add(told, "three", secret="--env=api_key=MISSING", exit_code=2)
    with pytest.raises(InvalidRequest, match="'api_key'"):
        told("add", "three", "--connector", "openai-gpt")
    assert [one["name"] for one in json.loads(told("list", "--json"))] == ["one", "two"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"two" in kept
    assert SECRET.encode() not in kept


def test_a_person_at_a_terminal_is_asked_and_does_not_see_the_key(told, tmp_path):
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "smalt", "connections", "add", "asked", "--connector", "azure-openai"]
    asking = subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True)
    os.close(its_end)
    shown = b""
    for question, answer in [
        (b"resource name", "pigments"),
        (b"API key", SECRET),
        (b"endpoint URL", ""),
        (b"Search API key", ""),
    ]:
        shown = read_until(terminal, shown, question)
        time.sleep(0.1)  # the terminal stops echoing right after the question is written
        os.write(terminal, f"{answer}\n".encode())
    shown = read_until(terminal, shown, b"Added the connection 'asked'")
    assert asking.wait(30) == 0
    os.close(terminal)
    assert b"pigments" in shown
    assert SECRET.encode() not in shown
    assert json.loads(told("show", "asked", "--json"))["secret_names"] == ["api_key"]


def read_until(terminal, shown, words):
    deadline = time.monotonic() + 30
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096)
    return shown


@pytest.mark.parametrize(
    ("connector", "path"),
    [("openai-gpt", ""), ("openai-gpt", "/openai/v1"), ("azure-openai", ""), ("fusion-openai", "")],
)
def test_a_connection_to_a_smalt_works_and_is_known_as_one(told, echoes, monkeypatch, connector, path):
    monkeypatch.setenv("KEY", echoes.key)
    said = add(told, "here", connector, "--base-url", f"{echoes.url}{path}")
    assert "not encrypted" not in said
    assert json.loads(told("show", "here", "--json"))["is_smalt"] is True
    verdict = json.loads(told("test", "here", "--json"))
    assert verdict["works"] is True
    assert verdict["is_smalt"] is True
    assert re.search(r"takes the credentials: [1-9]\d* models", verdict["message"])


def test_a_wrong_key_of_a_smalt_is_told(told, echoes):
    add(told, "here", "openai-gpt", "--base-url", echoes.url)
    said = told("test", "here", exit_code=1)
    assert "refuses the credentials (401)" in said
    assert "It says: " in said
    assert SECRET not in said


@pytest.fixture
def stand_in():
    """A service that answers as the test wants it, and what it was asked."""
    service = {"asked": [], "status": 401, "body": {}, "headers": {}}

    async def answer(request):
        service["asked"].append(request)
        if request.path.endswith("/ready"):
            # As other servers say that they are well.
            return web.json_response({"status": "ok"})
        return web.json_response(service["body"], status=service["status"], headers=service["headers"])

    with web_service(answer) as url:
        yield {**service, "service": service, "url": url}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "refuses the credentials (401)"),
        (403, {}, "Cognitive Services OpenAI User"),
        (404, {}, "Check the base URL"),
        (302, {"Location": "http://127.0.0.1:9/elsewhere"}, "redirection (302)"),
        (503, {}, "out of order (503)"),
        (418, {}, "does not answer as the service of 'azure-openai' does (418)"),
        (200, {}, "does not answer as the service of 'azure-openai' does (200)"),
    ],
)
def test_what_a_service_refuses_is_told_in_its_words_without_the_key(told, stand_in, status, headers, words):
    stand_in["service"].update(
        status=status, headers=headers, body={"error": {"message": f"The key {SECRET} is no good."}}
    )
    add(told, "mine", "azure-openai", "--base-url", stand_in["url"])
    said = told("test", "mine", exit_code=1)
    assert words in said
    assert "It says: The key *** is no good." in said
    assert SECRET not in said
    last = next(one for one in reversed(stand_in["asked"]) if "/models" in one.path)
    assert (last.path, last.query["api-version"]) == ("/openai/models", "2024-10-21")
    assert last.headers["api-key"] == SECRET
    assert not any(SECRET in str(one.headers) for one in stand_in["asked"] if "/models" not in one.path)


def test_a_limit_that_is_reached_is_no_fault_of_the_connection(told, stand_in):
    stand_in["service"].update(status=429)
    add(told, "mine", "openai-gpt", "--base-url", stand_in["url"])
    assert "limit is reached" in told("test", "mine")
    assert json.loads(told("show", "mine", "--json"))["is_smalt"] is False


def test_a_server_that_does_not_run_is_told_and_looked_at_again_later(told, echoes, monkeypatch, tmp_path):
    monkeypatch.setenv("KEY", echoes.key)
    assert "No server answers there now" in add(told, "mine", "openai-gpt", "--base-url", HERE)
    said = told("test", "mine", exit_code=1)
    assert "No server answers at http://127.0.0.1:9" in said
    assert add(told, "here", "openai-gpt", "--base-url", echoes.url, "--no-smalt")
    assert json.loads(told("show", "here", "--json"))["is_smalt"] is False
    told("test", "here")
    assert json.loads(told("show", "here", "--json"))["is_smalt"] is True


def test_an_unencrypted_way_over_a_network_is_told(told):
    assert "not encrypted" in add(told, "mine", "openai-gpt", "--base-url", "http://192.0.2.1:9", "--no-smalt")
