"""Shortens a conversation that does not fit the model's context, when the request allows it."""

import re
from collections.abc import Sequence

from smalt.core.errors import ApiError, ContextLengthExceeded
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionRequestMessage

NUMBERS = re.compile(r"maximum context length is (\d+) tokens\D+(\d+) tokens")
KEPT_ROLES = ("system", "developer")
LEAST_SHARE = 10
"""A shortening drops a tenth of the conversation at least, so that a few attempts are enough."""

LEAST_ANSWER_TOKENS = 64


def truncated(request: AzureCreateChatCompletionRequest, error: ApiError) -> AzureCreateChatCompletionRequest | None:
    """The request without its oldest messages, after the model said that it is too long.

    What the system and the developer say stays, and so does the last message of the user; a call goes with its results.
    None when the error is another one, or nothing is left to drop.
    """
    if not isinstance(error, ContextLengthExceeded) and error.code != "context_length_exceeded":
        return None
    messages = request.messages
    sizes = [len(message.model_dump_json(exclude_unset=True)) for message in messages]
    excess = _excess(sum(sizes), error.message)
    dropped: set[int] = set()
    for group in _groups(messages):
        if excess <= 0:
            break
        dropped.update(group)
        excess -= sum(sizes[position] for position in group)
    if not dropped:
        return None
    kept = [message for position, message in enumerate(messages) if position not in dropped]
    return request.model_copy(update={"messages": kept})


def _excess(size: int, message: str) -> int:
    """How many characters are too many, at a guess."""
    told = NUMBERS.search(message)
    if told is None:
        return size // LEAST_SHARE + 1
    most, got = int(told[1]), int(told[2])
    over = max(got - most, 0) + min(LEAST_ANSWER_TOKENS, most // LEAST_SHARE)
    # The share of tokens that are too many is about the share of characters.
    return max(size * over // max(got, 1), size // LEAST_SHARE) + 1


def _groups(messages: Sequence[ChatCompletionRequestMessage]) -> list[list[int]]:
    """What may be dropped, oldest first: a message alone, or a call with its results."""
    asked = max((position for position, message in enumerate(messages) if message.role == "user"), default=-1)
    groups: list[list[int]] = []
    for position, message in enumerate(messages):
        if message.role == "tool" and groups and groups[-1][-1] == position - 1:
            groups[-1].append(position)
        elif message.role not in KEPT_ROLES and position != asked:
            groups.append([position])
    # What came last is what the model goes on from.
    return groups[:-1] if groups and groups[-1][-1] == len(messages) - 1 else groups
