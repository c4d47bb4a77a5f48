"""What one line of a JSONL file must be, for each purpose that has such files."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

Json = dict[str, Any]

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
MOST_REQUESTS = 100_000
LONGEST_CUSTOM_ID = 512
EXAMPLES = "messages, or prompt and completion, or input, preferred_output and non_preferred_output"


class LineRules(Protocol):
    """Looks at the lines of one file in their order."""

    def fault(self, line: Json) -> str | None:
        """What is wrong with a line, or None."""
        ...


class BatchRules:
    """Requests of a batch: each with an id of its own."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def fault(self, line: Json) -> str | None:
        """What is wrong with a request, or None."""
        return self._identity_fault(line.get("custom_id")) or _request_fault(line)

    def _identity_fault(self, custom_id: Any) -> str | None:
        if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_CUSTOM_ID:
            return f"custom_id must be a string of 1 to {LONGEST_CUSTOM_ID} characters"
        if custom_id in self._seen:
            return f"custom_id '{custom_id[:64]}' was used by an earlier line"
        if len(self._seen) == MOST_REQUESTS:
            return f"a batch has at most {MOST_REQUESTS} requests; split the file"
        self._seen.add(custom_id)
        return None


class EvalRules:
    """Items of an evaluation."""

    def fault(self, line: Json) -> str | None:
        """What is wrong with an item, or None."""
        if not isinstance(line.get("item"), dict):
            return "item must be an object"
        if not isinstance(line.get("sample", {}), dict):
            return "sample must be an object"
        return None


class FineTuneRules:
    """Training examples, all of the same kind."""

    def __init__(self) -> None:
        self._kind: str | None = None

    def fault(self, line: Json) -> str | None:
        """What is wrong with an example, or None."""
        kind = _kind(line)
        if kind is None:
            return (
                "an example has messages, or prompt and completion, or input, preferred_output and non_preferred_output"
            )
        found = EXAMPLE_FAULTS[kind](line)
        if found is not None:
            return found
        if self._kind not in {None, kind}:
            return f"this is a {kind} example, the lines before are {self._kind} examples"
        self._kind = kind
        return None


RULES: Mapping[str, Callable[[], LineRules]] = {
    "batch": BatchRules,
    "evals": EvalRules,
    "fine-tune": FineTuneRules,
}
"""The purposes whose files are JSONL."""


def _request_fault(line: Json) -> str | None:
    if line.get("method") != "POST":
        return 'method must be "POST"'
    url = line.get("url")
    if not isinstance(url, str) or not url.startswith("/"):
        return "url must be a path such as /v1/chat/completions"
    return None if isinstance(line.get("body"), dict) else "body must be an object"


def _kind(line: Json) -> str | None:
    if "preferred_output" in line or "non_preferred_output" in line:
        return "preference"
    if "messages" in line:
        return "chat"
    return "completion" if "prompt" in line or "completion" in line else None


def _chat_fault(line: Json) -> str | None:
    """A supervised conversation, or a reinforcement example: messages beside fields that its grader reads."""
    return _messages_fault(line["messages"], "messages")


def _completion_fault(line: Json) -> str | None:
    for name in ("prompt", "completion"):
        if not isinstance(line.get(name), str):
            return f"{name} must be a string"
    return None


def _preference_fault(line: Json) -> str | None:
    prompt = line.get("input")
    if not isinstance(prompt, dict):
        return "input must be an object with messages"
    found = _messages_fault(cast("Json", prompt).get("messages"), "input.messages")
    for name in ("preferred_output", "non_preferred_output"):
        found = found or _messages_fault(line.get(name), name)
    return found


def _messages_fault(messages: Any, where: str) -> str | None:
    if not isinstance(messages, list) or not messages:
        return f"{where} must be an array with at least one message"
    for index, message in enumerate(cast("list[Any]", messages)):
        found = _message_fault(message)
        if found is not None:
            return f"{where}[{index}]{found}"
    return None


def _message_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return " must be an object"
    known = cast("Json", message)
    role = known.get("role")
    if not isinstance(role, str) or role not in ROLES:
        return f".role must be one of {', '.join(sorted(ROLES))}"
    content = known.get("content")
    if content is None and not (role == "assistant" and ("tool_calls" in known or "function_call" in known)):
        return ".content is missing"
    return None if isinstance(content, str | list | None) else ".content must be a string or an array"


EXAMPLE_FAULTS: Mapping[str, Callable[[Json], str | None]] = {
    "chat": _chat_fault,
    "completion": _completion_fault,
    "preference": _preference_fault,
}
