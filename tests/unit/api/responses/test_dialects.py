"""Each mount spells events as its service does; the names that are OpenAI's are those its own SDK knows."""

from typing import get_args

import orjson
import pytest
from openai.types.responses import ResponseStreamEvent as SdkEvent

from smalt.api.responses.dialects import OPENAI_NAMES, named, spelled

SDK_NAMES = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(SdkEvent)[0])}


@pytest.mark.parametrize(("old", "new"), OPENAI_NAMES.items())
def test_a_new_name_is_one_that_the_sdk_knows(old: str, new: str):
    assert new in SDK_NAMES
    assert named({"type": old}, "openai_v1") == {"type": new}
    assert named({"type": old}, "azure_v1") == {"type": old}


def test_events_become_the_bytes_of_a_stream():
    events = [{"type": "response.created", "sequence_number": 0}, {"type": "error", "sequence_number": 1}]
    blocks = spelled(events, "azure_v1").split(b"\n\n")
    assert blocks.pop() == b""
    for event, block in zip(events, blocks, strict=True):
        name, data = block.split(b"\n")
        assert name == b"event: " + event["type"].encode()
        assert orjson.loads(data.removeprefix(b"data: ")) == event


def test_padding_is_for_deltas_alone_and_openai_alone():
    events = [{"type": "response.output_text.delta", "delta": "a"}, {"type": "response.output_text.done", "text": "a"}]
    shown = spelled(events, "openai_v1", is_obfuscated=True)
    assert shown.count(b'"obfuscation"') == 1
    assert b'"obfuscation"' not in spelled(events, "azure_v1", is_obfuscated=True)
