"""What a person reads when the server is ready."""

import json
import shlex

import pytest

from smalt.cli.banner import banner, curl
from smalt.core.settings import Settings


def settings(**values):
    return Settings(data_dir="/tmp/none", **values)


def words(command):
    return shlex.split(command)


def test_the_line_asks_the_starter_model_with_the_new_key():
    parts = words(curl(settings(), "http://127.0.0.1:8080", "sk-smalt-new"))
    assert "api-key: sk-smalt-new" in parts
    assert json.loads(parts[parts.index("-d") + 1])["model"] == "gpt-4o-mini"
    assert parts[-1] == "http://127.0.0.1:8080/openai/v1/chat/completions"


def test_a_key_that_is_not_known_any_more_is_a_variable_that_the_shell_fills_in():
    line = curl(settings(), "http://127.0.0.1:8080", None)
    assert '"api-key: $SMALT_API_KEY"' in line
    assert "smalt keys create" in banner(settings(), "http://127.0.0.1:8080", None)


def test_without_authentication_no_key_is_sent():
    open_settings = settings(auth={"enabled": False})
    assert "api-key" not in curl(open_settings, "http://127.0.0.1:8080", None)
    assert "none is asked for" in banner(open_settings, "http://127.0.0.1:8080", None)


def test_without_the_starter_a_deployment_that_can_chat_is_asked():
    deployments = {
        "vectors": {"engine": "onnx_embedding"},
        "judge": {"engine": "moderation"},
        "ask": {"engine": "upstream", "abilities": ["embeddings"]},
        "it's": {"engine": "echo"},
    }
    parts = words(curl(settings(starter=False, deployments=deployments), "http://h:1", "k"))
    assert json.loads(parts[parts.index("-d") + 1])["model"] == "it's"


def test_without_any_model_the_models_are_asked_for():
    assert words(curl(settings(starter=False), "http://h:1", "k"))[-1] == "http://h:1/openai/v1/models"


@pytest.mark.parametrize("secret", ["sk-smalt-new", None])
def test_the_line_stands_alone_so_that_it_can_be_pasted(secret):
    text = banner(settings(), "http://127.0.0.1:8080", secret)
    assert f"\n\n  {curl(settings(), 'http://127.0.0.1:8080', secret)}\n\n" in text
    assert "http://127.0.0.1:8080/docs" in text


def test_the_models_that_answer_are_named():
    assert "gemma-3-270m, all-minilm-l6-v2, whisper-base, kokoro-82m" in banner(settings(), "http://h:1", "k")


def test_a_model_whose_engine_lacks_something_is_told_with_what_to_do(lonely_engine):
    text = banner(settings(deployments={"mine": {"engine": lonely_engine}}), "http://h:1", "k")
    assert "mine: The engine 'lonely' of lonely-engine cannot be loaded" in text
    assert "kokoro-82m, mine" not in text
