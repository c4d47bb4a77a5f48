"""Folds the chunks of a chat completion into the whole answer."""

from smalt.api.generation import Chunk
from smalt.safety.results import filtered_kinds, gravest

TOP_LEVEL = ("prompt_filter_results", "moderation")
"""What a chunk without choices tells of the whole answer."""


class ChatFold:
    """Takes a completion's chunks in their order; `answer` is what an unstreamed request gets."""

    def __init__(self) -> None:
        self._last: Chunk = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Chunk | None = None
        self._told: Chunk = {}

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        if chunk["id"]:
            self._last = chunk
        self._told |= {key: chunk[key] for key in TOP_LEVEL if key in chunk}
        self._usage = chunk.get("usage") or self._usage
        for piece in chunk["choices"]:
            index = piece["index"]
            choice = self._choices.get(index) or self._choices.setdefault(index, _Choice())
            choice.add(piece)

    def answer(self) -> Chunk:
        """The whole completion."""
        last = self._last
        answer: Chunk = {
            "id": last["id"],
            "object": "chat.completion",
            "created": last["created"],
            "model": last["model"],
            "choices": [{"index": index, **choice.answer()} for index, choice in sorted(self._choices.items())],
        }
        if self._usage is not None:
            answer["usage"] = self._usage
        for key in ("service_tier", "system_fingerprint"):
            if key in last:
                answer[key] = last[key]
        return answer | self._told


class _Choice:
    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, Chunk] = {}
        self._function: Chunk | None = None
        self._logprobs: dict[str, list[Chunk]] | None = None
        self._finish_reason: str | None = None
        self._context: Chunk | None = None
        self._end_turn: bool | None = None
        self._audio: Chunk = {}
        self._found: Chunk | None = None

    def add(self, piece: Chunk) -> None:
        if "content_filter_results" in piece:
            self._found = gravest(self._found or {}, piece["content_filter_results"])
        self._finish_reason = piece["finish_reason"] or self._finish_reason
        if "delta" in piece:  # late results of the content filter have none
            self._say(piece)

    def _say(self, piece: Chunk) -> None:
        delta = piece["delta"]
        for key in ("content", "reasoning_content", "refusal"):
            if delta.get(key) is not None:
                self._texts.setdefault(key, []).append(delta[key])
        for call in delta.get("tool_calls") or ():
            self._call(call)
        if "function_call" in delta:
            self._function = _joined(self._function, delta["function_call"])
        if "audio" in delta:
            self._hear(delta["audio"])
        if piece["logprobs"] is not None:
            self._score(piece["logprobs"])
        self._context = delta.get("context", self._context)
        self._end_turn = piece.get("end_turn", self._end_turn)

    def answer(self) -> Chunk:
        """The choice; one that the content filter has blocked has no message, not even what came before."""
        if self._finish_reason == "content_filter" and filtered_kinds(self._found or {}):
            return {"logprobs": None, "finish_reason": self._finish_reason, "content_filter_results": self._found}
        answer: Chunk = {
            "message": self._message(),
            "logprobs": self._logprobs and {"content": None, "refusal": None, **self._logprobs},
            "finish_reason": self._finish_reason,
        }
        if self._found is not None:
            answer["content_filter_results"] = self._found
        return answer

    def _call(self, call: Chunk) -> None:
        known = self._calls.get(call["index"])
        if known is None:
            self._calls[call["index"]] = {
                "id": call["id"],
                "type": "function",
                "function": _joined(None, call["function"]),
            }
        else:
            known["function"] = _joined(known["function"], call["function"])

    def _score(self, logprobs: Chunk) -> None:
        if self._logprobs is None:
            self._logprobs = {}
        for key, entries in logprobs.items():
            if entries is not None:
                self._logprobs.setdefault(key, []).extend(entries)

    def _hear(self, audio: Chunk) -> None:
        """Take in a piece of the spoken answer; its sound comes in pieces that can be joined in base64."""
        for key, value in audio.items():
            if key in ("data", "transcript"):
                self._texts.setdefault(key, []).append(value)
            else:
                self._audio[key] = value

    def _text(self, key: str) -> str | None:
        pieces = self._texts.get(key)
        return None if pieces is None else "".join(pieces)

    def _message(self) -> Chunk:
        calls_something = bool(self._calls) or self._function is not None
        content = self._text("content")
        message: Chunk = {
            "role": "assistant",
            "content": None if calls_something and not content else content,
            "refusal": self._text("refusal"),
            "annotations": [],
        }
        if "reasoning_content" in self._texts:
            message["reasoning_content"] = self._text("reasoning_content")
        if self._calls:
            message["tool_calls"] = [call for _, call in sorted(self._calls.items())]
        if self._function is not None:
            message["function_call"] = self._function
        if self._audio:
            message["audio"] = {
                "id": self._audio["id"],
                "data": self._text("data") or "",
                "expires_at": self._audio["expires_at"],
                "transcript": self._text("transcript"),
            }
        if self._context is not None:
            message |= {"end_turn": self._end_turn, "context": self._context}
        return message


def without_sound(answer: Chunk) -> Chunk:
    """The completion as it is kept: a spoken answer by its id and its words."""
    choices: list[Chunk] = []
    for choice in answer["choices"]:
        message: Chunk = choice.get("message", {})
        if "audio" in message:
            choices.append({**choice, "message": {**message, "audio": {**message["audio"], "data": ""}}})
        else:
            choices.append(choice)
    return {**answer, "choices": choices}


def _joined(known: Chunk | None, piece: Chunk) -> Chunk:
    if known is None:
        return {"name": piece["name"], "arguments": piece["arguments"]}
    return {"name": known["name"], "arguments": known["arguments"] + piece["arguments"]}
