"""Writes what calls use into the usage table."""

from smalt.http.call import Call
from smalt.store.usage import EndUser, Tokens, UsageRecorder


class UsageMeter:
    """A meter over the store's recorder."""

    def __init__(self, recorder: UsageRecorder) -> None:
        self._recorder = recorder

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        """Record the tokens under the caller's key and project."""
        self._recorder.record(
            tokens,
            key_id=call.caller.key_id,
            project=call.caller.project,
            model=model,
            operation=call.operation,
            end_user=end_user,
        )
