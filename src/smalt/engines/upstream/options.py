"""What an operator may say about an upstream."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Deployment


class UpstreamOptions(BaseModel):
    """The options of a deployment that an OpenAI-compatible server answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str
    """Address up to and without `/chat/completions`, such as `http://127.0.0.1:8000/v1`."""
    api_key: SecretStr | None = None
    api_key_env: str | None = None
    """Environment variable that holds the key, for when `api_key` is absent."""
    api_version: str | None = None
    """Sent as `?api-version=`, and the key then goes in the header `api-key`, as Azure's classic paths want it."""
    key_header: str | None = None
    """Header for the bare key; `Authorization: Bearer` when absent."""
    headers: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    """More headers for every request."""
    connect_timeout_seconds: float = Field(10.0, gt=0)
    timeout_seconds: float = Field(300.0, gt=0)
    """Longest silence of the upstream, before its answer and within it."""
    retries: int = Field(2, ge=0, le=10)
    """How often a request is sent again when nothing of an answer has come."""
    retry_seconds: float = Field(10.0, ge=0)
    """Longest pause before one retry; an upstream that asks for more gets no retry."""
    proxy: str | None = None
    """Address of an HTTP proxy on the way to the upstream."""
    stream_usage: bool = True
    """Ask for usage in streams; say false for a server that refuses `stream_options`."""
    speech_events: bool = False
    """Ask for speech as server-sent events, which end with the usage; for models that can, such as gpt-4o-mini-tts."""
    hears: bool = False
    """Whether the chat model takes recordings; otherwise it is sent what is said in them."""

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _key_from_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("api_key_env")
        if isinstance(name, str) and not values.get("api_key"):
            return {**values, "api_key": os.environ.get(name)}
        return values

    def request_headers(self) -> dict[str, str]:
        """The headers of every request, the key among them."""
        headers = {"Accept-Encoding": "identity"}
        headers.update({name: value.get_secret_value() for name, value in self.headers.items()})
        if self.api_key is not None:
            key = self.api_key.get_secret_value()
            key_header = self.key_header or ("api-key" if self.api_version else None)
            headers.update({key_header: key} if key_header else {"Authorization": f"Bearer {key}"})
        return headers

    def url(self, path: str) -> str:
        """The address of one operation."""
        query = f"?api-version={self.api_version}" if self.api_version else ""
        return f"{self.base_url}{path}{query}"


def read_options(deployment: Deployment) -> UpstreamOptions:
    """Check a deployment's options; a slip is told by field, and never with the key."""
    options: Mapping[str, Any] = deployment.options
    try:
        return UpstreamOptions.model_validate(dict(options))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidRequest(f"The settings of deployment '{deployment.name}' are wrong: {faults}.") from None
