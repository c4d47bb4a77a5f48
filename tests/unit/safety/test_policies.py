"""Which policy a deployment has."""

import pytest

from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Deployment
from smalt.safety.policies import Policies


def policies(**fields):
    return Policies(ContentFilterSettings.model_validate(fields))


def deployment(engine="llama_cpp", content_filter=None):
    return Deployment("chat", engine, "chat", frozenset({"chat_completion"}), content_filter=content_filter)


STRICT = {"strict": {"prompts": {"hate": "low", "profanity": "block"}, "answers": {"violence": "off"}}}


def test_the_default_holds_on_azures_paths_alone():
    found = policies().of(deployment(), is_azure=True)
    assert found.name == "default"
    assert set(found.prompts.harms.values()) == set(found.answers.harms.values()) == {"medium"}
    assert found.prompts.detections == {"jailbreak": "block"}
    assert found.answers.detections == {"protected_material_text": "block", "protected_material_code": "annotate"}
    assert policies().of(deployment(), is_azure=False) is None


def test_a_deployment_for_tests_has_a_policy_when_it_names_one():
    assert policies().of(deployment("echo"), is_azure=True) is None
    assert policies().of(deployment("echo", "default"), is_azure=True).name == "default"


@pytest.mark.parametrize("is_azure", [True, False])
def test_a_policy_that_is_named_holds_on_every_path(is_azure):
    found = policies(policies=STRICT).of(deployment(content_filter="strict"), is_azure=is_azure)
    assert found.prompts.harms["hate"] == "low"
    assert found.prompts.detections["profanity"] == "block"
    assert "violence" not in found.answers.harms
    assert policies(policies=STRICT).of(deployment(content_filter="none"), is_azure=is_azure) is None
    assert policies(policies=STRICT, enabled=False).of(deployment(content_filter="strict"), is_azure=is_azure) is None


def test_a_policy_named_default_replaces_the_built_in_one():
    made = policies(policies={"default": {"mode": "asynchronous", "prompts": {"jailbreak": "off"}}})
    found = made.of(deployment(), is_azure=True)
    assert found.is_asynchronous
    assert found.prompts.detections == {}


def test_a_policy_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(InvalidRequest, match=r"deployments\.chat.content_filter: .*'lax'\. There are: default, strict"):
        policies(policies=STRICT).check(deployment(content_filter="lax"))
    with pytest.raises(InvalidRequest, match="this name means no filter"):
        policies(policies={"none": {}})


def test_a_policy_of_lists_alone_needs_no_model():
    off = dict.fromkeys(["hate", "sexual", "violence", "self_harm"], "off")
    made = policies(policies={"words": {"prompts": {**off, "jailbreak": "off"}, "answers": off, "blocklists": ["a"]}})
    assert not made.named["words"].needs_scores
    assert made.named["words"].looks_at_answers
    assert made.named["default"].needs_scores
