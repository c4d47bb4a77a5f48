"""Writes chat completions as the mount's own service does: Azure sorts the keys of every object."""

from collections.abc import Callable

import orjson

from smalt.api.generation import Chunk
from smalt.http.call import Call


def spelling(call: Call) -> Callable[[Chunk], bytes]:
    """What turns an answer or a chunk into bytes."""
    return _sorted if call.is_azure else orjson.dumps


def _sorted(answer: Chunk) -> bytes:
    # Azure does not sort these: the index of the prompt comes before what was found.
    if (prompts := answer.get("prompt_filter_results")) is not None:
        answer = {**answer, "prompt_filter_results": orjson.Fragment(orjson.dumps(prompts))}
    return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS)
