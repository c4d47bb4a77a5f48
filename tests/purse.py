"""A meter of calls that remembers what models were asked to do."""

from typing import Any

from smalt.http.call import Call
from smalt.store.usage import Tokens


class Purse:
    """Hears what was spent."""

    def __init__(self) -> None:
        self.spent_tokens: list[tuple[str, int, int]] = []

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: Any) -> None:
        del call, end_user
        self.spent_tokens.append((model, tokens.prompt_tokens, tokens.completion_tokens))
