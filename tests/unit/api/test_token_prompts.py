"""Prompts of token ids become texts for the filter where their engine can read them, and stay as they are elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smalt.api.token_prompts import spelled_out
from smalt.core.settings import DeploymentSettings, Settings
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
        "far": DeploymentSettings(engine="upstream", base_url="http://127.0.0.1:9/v1", abilities=["completion"]),
    }
    models = Models(Settings(data_dir=tmp_path, starter=False, deployments=deployments))
    yield models
    await models.close()


def completion(model: str, prompt: Any) -> CreateCompletionRequest:
    return CreateCompletionRequest.model_validate({"model": model, "prompt": prompt, "max_tokens": 7})


@pytest.mark.parametrize(("prompt", "texts"), [([1, 2], [" 1 2"]), ([[1, 2], [3]], [" 1 2", " 3"])])
async def test_token_ids_become_texts_and_the_request_stays_as_it_was(models: Models, prompt: Any, texts: list[str]):
    asked = completion("echo", prompt)
    shown = await spelled_out(models, asked)
    assert isinstance(shown, CreateCompletionRequest)
    assert (shown.prompt, shown.max_tokens) == (texts, 7)
    assert asked.prompt == prompt


@pytest.mark.parametrize(("model", "prompt"), [("far", [1, 2]), ("echo", "one"), ("echo", ["one"]), ("echo", None)])
async def test_what_cannot_be_read_or_is_a_text_is_left_alone(models: Models, model: str, prompt: Any):
    asked = completion(model, prompt)
    assert await spelled_out(models, asked) is asked


async def test_a_conversation_is_left_alone(models: Models):
    fields = {"model": "echo", "messages": [{"role": "user", "content": "one"}]}
    asked = AzureCreateChatCompletionRequest.model_validate(fields)
    assert await spelled_out(models, asked) is asked
