"""Counts what jobs use: in the usage of the key that asked for the response, and against its minute."""

from smalt.api.responses.run import Spend
from smalt.engines.protocols import Usage
from smalt.http.call import Caller
from smalt.http.limits import Limits
from smalt.store.keys import Keys
from smalt.store.responses import StoredResponse
from smalt.store.usage import EndUser, Tokens, UsageRecorder

OPERATION = "createResponse"


class JobSpending:
    """What responses in the background cost, and whom; close it."""

    def __init__(self, usage: UsageRecorder, limits: Limits, keys: Keys) -> None:
        self._usage = usage
        self._limits = limits
        self._keys = keys

    async def of(self, stored: StoredResponse) -> Spend:
        """What hears how much the making of this response has used."""
        key = await self._keys.get(stored.key_id)
        caller = Caller(
            key_id=stored.key_id,
            key_name=stored.key_name,
            project=stored.project,
            tokens_per_minute=None if key is None else key.tokens_per_minute,
        )
        user = stored.body.get("user")

        def spend(model: str, used: Usage) -> None:
            self._limits.charge(caller, used.prompt_tokens + used.completion_tokens)
            self._usage.record(
                Tokens(used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.reasoning_tokens),
                key_id=caller.key_id,
                project=caller.project,
                model=model,
                operation=OPERATION,
                end_user=None if user is None else EndUser(user),
            )

        return spend

    async def flush(self) -> None:
        """Write down the usage that is in memory."""
        await self._usage.flush()

    async def close(self) -> None:
        """Write down the rest, and let go of the file of limits."""
        await self._usage.close()
        self._limits.close()
