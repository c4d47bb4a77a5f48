"""One request as every room above sees it: where it came in, who asks, and what it costs."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Protocol

from smalt.store.usage import EndUser, Tokens

Mount = Literal["azure_v1", "openai_v1", "azure_classic", "search", "connectors", "outside"]
"""`/openai/v1`, `/v1`, `/openai` with a dated version, `/indexes`, `/connectors`, and paths of the server itself."""

MOUNTS: frozenset[Mount] = frozenset({"azure_v1", "openai_v1", "azure_classic"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key (or token) and the project whose objects it sees."""

    key_id: str
    key_name: str
    project: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


ANONYMOUS = Caller(key_id="anonymous", key_name="anonymous", project="default")


class Meter(Protocol):
    """Hears what a call has used."""

    def spent(self, call: "Call", model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        """Count the tokens against limits, usage and metrics."""
        ...


@dataclass(slots=True)
class Call:
    """One request, from the moment its path is understood.

    `path` is what the client asked for; `deployment` the one its path names; `operation` is known once a route matched.
    """

    mount: Mount
    method: str
    path: str
    request_id: str
    deployment: str | None = None
    api_version: str | None = None
    caller: Caller = ANONYMOUS
    operation: str = ""
    model: str | None = None
    """What answered, as far as it is known."""
    first_chunk_at: float | None = None
    has_data_sources: bool = False
    """Whether it is answered from a data source, whose service has an error envelope of its own on classic paths."""
    failed_with: Exception | None = None
    """What ended a stream after its status had gone out."""
    started_at: float = field(default_factory=perf_counter)
    progressed_at: float | None = None
    """When more of a body that is read as it comes has arrived, or more of a recording was heard."""
    reserved_tokens: int = 0
    """What admission took from the minute's tokens; set right when the real usage is known."""
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    """Headers that the edge adds to the answer, whatever it is."""
    meters: tuple[Meter, ...] = ()

    @property
    def is_azure(self) -> bool:
        """Whether the answer has Azure's manners."""
        return self.mount in {"azure_v1", "azure_classic"}

    def progress(self) -> None:
        """Say that the work has got on: `limits.request_timeout_seconds` counts from here again."""
        self.progressed_at = perf_counter()

    def spend(
        self,
        model: str,
        *,
        prompt_tokens: int,
        completion_tokens: int = 0,
        cached_tokens: int = 0,
        reasoning_tokens: int = 0,
        user: str | None = None,
        user_security_context: Mapping[str, Any] | None = None,
    ) -> None:
        """Report what this call has used; feeds limits, the usage table and metrics. Once per model that answered."""
        self.model = model
        tokens = Tokens(prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens)
        end_user = _end_user(user, user_security_context or {})
        for meter in self.meters:
            meter.spent(self, model, tokens, end_user)


def _end_user(user: str | None, context: Mapping[str, Any]) -> EndUser | None:
    if user is None and not context:
        return None
    names = ("application_name", "end_user_id", "end_user_tenant_id", "source_ip")
    return EndUser(user, *(context.get(name) for name in names))


def call_of(scope: MutableMapping[str, Any]) -> Call:
    """The call that the mounts put into an ASGI scope."""
    return scope["state"]["call"]
