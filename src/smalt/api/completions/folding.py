"""Folds the chunks of a text completion into the whole answer."""

from smalt.api.generation import Chunk
from smalt.safety.results import filtered_kinds, gravest


class CompletionFold:
    """Takes a completion's chunks in their order; `answer` is what an unstreamed request gets."""

    def __init__(self) -> None:
        self._last: Chunk = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Chunk | None = None
        self._prompts: Chunk = {}

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        if chunk["id"]:
            self._last = chunk
        if "prompt_filter_results" in chunk:
            self._prompts = {"prompt_filter_results": chunk["prompt_filter_results"]}
        self._usage = chunk.get("usage") or self._usage
        for piece in chunk["choices"]:
            index = piece["index"]
            choice = self._choices.get(index) or self._choices.setdefault(index, _Choice())
            choice.add(piece)

    def answer(self) -> Chunk:
        """The whole completion."""
        head = {key: value for key, value in self._last.items() if key not in ("choices", "usage")}
        choices = [choice.answer(index) for index, choice in sorted(self._choices.items())]
        usage = {} if self._usage is None else {"usage": self._usage}
        return {**head, **self._prompts, "choices": choices, **usage}


class _Choice:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._logprobs: Chunk | None = None
        self._finish_reason: str | None = None
        self._found: Chunk | None = None

    def add(self, piece: Chunk) -> None:
        if "content_filter_results" in piece:
            self._found = gravest(self._found or {}, piece["content_filter_results"])
        self._texts.append(piece["text"])
        self._finish_reason = piece["finish_reason"] or self._finish_reason
        if piece["logprobs"] is not None:
            self._logprobs = piece["logprobs"] if self._logprobs is None else _joined(self._logprobs, piece["logprobs"])

    def answer(self, index: int) -> Chunk:
        """The choice; one that the content filter has blocked has no text, not even what came before."""
        is_blocked = self._finish_reason == "content_filter" and bool(filtered_kinds(self._found or {}))
        answer: Chunk = {
            "text": "" if is_blocked else "".join(self._texts),
            "index": index,
            "logprobs": None if is_blocked else self._logprobs,
            "finish_reason": self._finish_reason,
        }
        if self._found is not None:
            answer["content_filter_results"] = self._found
        return answer


def _joined(known: Chunk, more: Chunk) -> Chunk:
    """Four lists of one length, longer by the piece; alternatives may be missing on one side only."""
    joined = {key: known[key] + more[key] for key in ("tokens", "token_logprobs", "text_offset")}
    tops = [side["top_logprobs"] or [None] * len(side["tokens"]) for side in (known, more)]
    has_top = known["top_logprobs"] is not None or more["top_logprobs"] is not None
    return {**joined, "top_logprobs": tops[0] + tops[1] if has_top else None}
