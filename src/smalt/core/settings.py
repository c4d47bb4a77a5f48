"""What an operator may choose, read from `smalt.toml` and the environment (`SMALT_SECTION__FIELD`)."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.sections import Section

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def default_data_dir() -> Path:
    """The folder for everything Smalt keeps when no setting names one."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "smalt"


class ServerSettings(Section):
    """Where the server listens and how much of it there is."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=64, description="API processes; they share one engine host.")


class AuthSettings(Section):
    """Who may call."""

    enabled: bool = Field(default=True, description="Ask for a key; may be false only on a loopback address.")
    issuer: str | None = Field(default=None, description="Issuer of accepted Entra ID (OpenID Connect) tokens.")
    audience: str | None = Field(default=None, description="Audience that accepted tokens must name.")
    jwks_url: str | None = Field(
        default=None, description="Key set of the issuer; found by OpenID discovery when absent."
    )

    @model_validator(mode="after")
    def _issuer_and_audience_together(self) -> Self:
        if bool(self.issuer) != bool(self.audience):
            raise ValueError("auth.issuer and auth.audience belong together: set both or neither")
        return self


class LimitSettings(Section):
    """How much one key, one body and one request may take."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Requests a minute per key; none when absent."
    )
    tokens_per_minute: int | None = Field(default=None, ge=1, description="Tokens a minute per key; none when absent.")
    body_bytes: int = Field(default=64 * 2**20, ge=1024, description="Largest JSON body.")
    upload_bytes: int = Field(default=512 * 2**20, ge=1024, description="Largest multipart body.")
    request_timeout_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Longest time one request may work; counted anew while an upload arrives or a recording is heard.",
    )


class EngineSettings(Section):
    """How the engine host treats its workers."""

    memory_bytes: int | None = Field(
        default=None, ge=2**20, description="Memory for all workers; 70 % of the machine's if absent."
    )
    idle_seconds: float = Field(default=900.0, gt=0, description="An unused worker is stopped after this time.")
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, description="Longest time a worker may take to become ready."
    )
    health_seconds: float = Field(default=10.0, gt=0, description="Time between two health checks of a worker.")
    entry_points: bool = Field(default=True, description="Load engines of other packages (entry points smalt.engines).")


class DatabaseSettings(Section):
    """Where objects are kept."""

    url: SecretStr | None = Field(
        default=None, description="postgresql://USER:PASSWORD@HOST/NAME; a SQLite file in data_dir when absent."
    )


class StorageSettings(Section):
    """Where the content of files is kept."""

    url: str | None = Field(
        default=None, description="s3://BUCKET/PREFIX, az://…, gs://… or file:///…; a folder in data_dir when absent."
    )
    options: dict[str, str] = Field(
        default_factory=dict[str, str], description="Options of the storage, such as endpoint, region or access keys."
    )
    sweep_after_seconds: float = Field(
        default=3600.0, gt=0, description="What was begun and not finished for this long is removed."
    )


class JobSettings(Section):
    """How durable jobs run."""

    ingestion: int = Field(default=2, ge=1, le=64, description="Files that are brought into vector stores at once.")
    responses: int = Field(default=4, ge=1, le=64, description="Responses that are made in the background at once.")
    poll_seconds: float = Field(default=1.0, gt=0, description="Time between two looks for new jobs.")
    silence_seconds: float = Field(
        default=60.0, gt=0, description="The jobs of a runner that was not heard of for this long are taken over."
    )
    idle_seconds: float = Field(
        default=300.0, ge=0, description="The job runner's process ends when it had nothing to do for this long."
    )
    attempts: int = Field(
        default=100, ge=1, description="A job that was begun more often than this, and never ended, fails."
    )
    keep_days: float = Field(default=7.0, ge=0, description="Finished jobs are forgotten after this time.")


class RetrievalSettings(Section):
    """How documents become chunks, and how chunks are found."""

    embedding_model: str = Field(
        default="text-embedding-3-small", description="The model or alias that embeds new vector stores."
    )
    rewrite_model: str | None = Field(
        default=None, description="Chat model that rewrites queries; plain rules do it when absent."
    )
    index: Literal["embedded", "pgvector"] = Field(default="embedded", description="What searches chunks.")
    index_memory_bytes: int = Field(
        default=2**30, ge=2**24, description="Most memory for open indexes; the least used are closed first."
    )
    extraction_seconds: float = Field(default=300.0, gt=0, description="Longest time one document may take to read.")
    extraction_memory_bytes: int = Field(
        default=2 * 2**30, ge=2**28, description="Most memory that reading one document may take."
    )
    ocr: bool = Field(default=True, description="Read text in pictures, when the extra ocr is installed.")
    data_source_hosts: list[str] | None = Field(
        default=None, description="Hosts that data_sources of a request may name; any when absent."
    )


class McpSettings(Section):
    """How MCP servers that a response names are asked for their tools."""

    hosts: list[str] | None = Field(
        default=None, description="Hosts that MCP tools of a request may name; any when absent."
    )
    cache_seconds: float = Field(
        default=300.0, ge=0, description="A server's list of tools is asked for again after this time."
    )
    connect_seconds: float = Field(
        default=20.0, gt=0, description="Longest time that reaching a server, or its list of tools, may take."
    )
    call_seconds: float = Field(default=120.0, gt=0, description="Longest time one call of a tool may take.")


class ResponseSettings(Section):
    """How responses are made."""

    turns: int = Field(
        default=16, ge=1, le=256, description="Most turns of the model in one response; it calls no tool in the last."
    )
    file_hosts: list[str] | None = Field(
        default=None, description="Hosts that file_url of a request may name; those with public addresses when absent."
    )


class WebSearchSettings(Section):
    """What answers the tool `web_search`; requests that offer it are refused when nothing is set."""

    backend: Literal["searxng", "brave", "tavily"] = Field(
        default="searxng", description="What kind of service it is: a SearXNG, or one of two public ones."
    )
    url: str | None = Field(
        default=None,
        description="Address of the service; SearXNG must give JSON (search.formats). Public ones have one.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Key of a public service; rather set it in the environment."
    )
    timeout_seconds: float = Field(default=15.0, gt=0, description="Longest time one search may take.")

    @property
    def is_set(self) -> bool:
        """Whether there is a service to ask."""
        return bool(self.url) if self.backend == "searxng" else self.api_key is not None


class CodeInterpreterSettings(Section):
    """How the code of the tool `code_interpreter` runs: in bubblewrap's sandbox."""

    bwrap: Path | None = Field(
        default=None, description="The program bwrap; found in PATH, or in the extra `code`, when absent."
    )
    sandboxes: int = Field(
        default=8, ge=1, le=256, description="Containers whose interpreter runs; the least used one ends for another."
    )
    seconds: float = Field(default=60.0, gt=0, description="Longest time one call may run.")
    cpu_seconds: int = Field(
        default=600, ge=1, description="Most processor time of one container's interpreter; it ends then."
    )
    memory_bytes: int = Field(
        default=4 * 2**30, ge=2**30, description="Largest memory_limit that a container may ask for."
    )
    files_bytes: int = Field(
        default=512 * 2**20,
        ge=2**20,
        description="Most that the files of one container may take; in RAM while it runs.",
    )
    output_bytes: int = Field(default=64 * 2**10, ge=1024, description="Most that one call may print; the rest is cut.")


class AudioSettings(Section):
    """Recordings and speech."""

    upload_bytes: int = Field(default=25 * 2**20, ge=1024, description="Largest recording to be transcribed.")
    hours: float = Field(default=12.0, gt=0, description="Longest recording to be transcribed, in hours.")
    transcription_model: str = Field(
        default="whisper-1", description="What hears recordings in chat, where the chat model cannot."
    )
    speech_model: str = Field(default="tts-1", description="What speaks chat answers, where the chat model cannot.")
    spoken_seconds: int = Field(
        default=3600, ge=60, description="How long a spoken answer can be referred to by its id in later requests."
    )


class ConnectorSettings(Section):
    """Calls that connectors make, here or to a cloud."""

    throttle: bool = Field(default=True, description="Hold calls back so that a connection stays below its limit.")
    calls_per_minute: int | None = Field(
        default=None, ge=1, description="Calls a minute per connection; the limit of its connector when absent."
    )
    secrets: Literal["auto", "keyring", "file"] = Field(
        default="auto",
        description="Where the key of stored secrets is: the system's keyring, or a file in data_dir; auto takes the "
        "file when there is one, else the keyring when that works.",
    )


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is written."
    )
    format: Literal["json", "text"] = Field(default="text", description="One JSON object a line, or lines for people.")


class DeploymentSettings(Section):
    """One model name that clients may ask for: `[deployments.NAME]`."""

    engine: str = Field(description="An engine's entry point: llama_cpp, onnx_embedding, upstream, echo, …")
    model: str | None = Field(default=None, description="The name answers carry; the upstream's own name for it.")
    abilities: (
        list[
            Literal[
                "chat_completion",
                "completion",
                "embeddings",
                "audio_transcription",
                "audio_speech",
                "moderation",
                "image_moderation",
            ]
        ]
        | None
    ) = Field(default=None, description="What it can do; the engine's usual abilities when absent.")
    weights: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Role to source: pack:NAME, a path, or hf:OWNER/REPOSITORY/FILE[@REVISION].",
    )
    sha256: dict[str, str] = Field(default_factory=dict[str, str], description="Role to digest that must match.")
    base_url: str | None = Field(default=None, description="Address of the OpenAI-compatible server (engine upstream).")
    api_key: SecretStr | None = Field(default=None, description="Key for base_url; rather set it in the environment.")
    options: dict[str, Any] = Field(default_factory=dict[str, Any], description="The engine's own options.")
    content_filter: str | None = Field(
        default=None,
        description="A policy of [content_filter.policies], for every path; none for no filter; the default if absent.",
    )


class Settings(BaseSettings):
    """All settings; the environment wins over `smalt.toml`."""

    model_config = SettingsConfigDict(env_prefix="SMALT_", env_nested_delimiter="__", extra="forbid")

    data_dir: Annotated[Path, Field(description="Folder for the database, models and sockets.")] = Field(
        default_factory=default_data_dir
    )
    offline: bool = Field(default=False, description="Never fetch a model; say which command would.")
    starter: bool = Field(default=True, description="Serve the starter models and their aliases beside deployments.")
    server: ServerSettings = Field(default_factory=ServerSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    engines: EngineSettings = Field(default_factory=EngineSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)
    code_interpreter: CodeInterpreterSettings = Field(default_factory=CodeInterpreterSettings)
    mcp: McpSettings = Field(default_factory=McpSettings)
    responses: ResponseSettings = Field(default_factory=ResponseSettings)
    web_search: WebSearchSettings = Field(default_factory=WebSearchSettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    content_filter: ContentFilterSettings = Field(default_factory=ContentFilterSettings)
    connectors: ConnectorSettings = Field(default_factory=ConnectorSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    deployments: dict[str, DeploymentSettings] = Field(default_factory=dict[str, DeploymentSettings])
    aliases: dict[str, str] = Field(default_factory=dict[str, str], description="Another name for a deployment.")

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        if not self.auth.enabled and self.server.host not in LOOPBACK:
            raise ValueError(f"auth.enabled = false needs a loopback address, not {self.server.host}")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file that `SMALT_CONFIG` or `--config` names."""
        del dotenv_settings, file_secret_settings
        named = os.environ.get("SMALT_CONFIG")
        if named is not None and not Path(named).is_file():
            raise FileNotFoundError(f"There is no settings file {named}. Check SMALT_CONFIG.")
        path = Path(named or "smalt.toml")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over the environment and the file."""
    return Settings(**overrides)
