"""Finding engines by name."""

import pytest

from smalt.core.errors import NotInstalled
from smalt.engines.extras import extras, install_command, missing_packages
from smalt.engines.protocols import Engine
from smalt.engines.registry import abilities_of, engine_class, engine_names


def test_our_own_engines_are_there():
    assert {"echo", "llama_cpp", "onnx_embedding", "upstream"} <= set(engine_names())


def test_an_engine_is_a_class_with_abilities():
    upstream = engine_class("upstream")
    assert issubclass(upstream, Engine)
    every = {"chat_completion", "completion", "embeddings", "audio_transcription", "audio_speech"}
    assert abilities_of(upstream) == every | {"moderation", "image_moderation"}
    assert abilities_of(engine_class("llama_cpp")) == {"chat_completion", "completion"}
    assert abilities_of(engine_class("moderation")) == {"moderation"}
    assert abilities_of(engine_class("image_moderation")) == {"image_moderation"}


def test_an_unknown_engine_is_answered_with_those_there_are():
    with pytest.raises(NotInstalled, match=r"no engine 'nothing' here\. There are: .*upstream"):
        engine_class("nothing")


def test_the_extra_of_extras_holds_what_they_hold():
    assert set(extras()["local"]) | set(extras()["hub"]) <= set(extras()["all"])
    assert "numpy" in extras()["local"]
    assert "smalt" not in extras()["all"]


def test_nothing_is_missing_from_an_extra_nobody_knows():
    assert missing_packages("nothing") == ()


def test_an_extra_is_installed_by_its_command():
    assert install_command("local") == "pip install 'smalt[local]'"
