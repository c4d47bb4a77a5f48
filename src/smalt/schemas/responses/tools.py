"""The tools that a response may call."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag, field_validator
from typing_extensions import TypeAliasType

from smalt.schemas.chat.tools import CustomToolTextFormat
from smalt.schemas.vector_stores import ComparisonFilter, CompoundFilter, HybridSearchOptions, check_filter_size
from smalt.schemas.wire import ARRAY, NAME_PATTERN, OBJECT, STRING, Request, by_kind, open_enum

MOST_FILES_OF_A_CONTAINER = 50
MOST_RESULTS = 50

ToolType = TypeAliasType(
    "ToolType",
    Literal[
        "file_search",
        "function",
        "computer_use_preview",
        "web_search_preview",
        "mcp",
        "code_interpreter",
        "image_generation",
        "local_shell",
        "web_search",
        "custom",
    ],
)
ContainerMemoryLimit = TypeAliasType("ContainerMemoryLimit", Literal["1g", "4g", "16g", "64g"])
LocationType = TypeAliasType("LocationType", Literal["approximate"])

Filters = TypeAliasType("Filters", Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")])


class FunctionTool(Request):
    """A function of the client's that the model may call."""

    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=NAME_PATTERN)]
    description: str | None = Field(None, description="When and how to call it, told to the model.")
    parameters: dict[str, Any] | None = Field(None, description="A JSON Schema for the arguments.")
    strict: bool | None = Field(None, description="Hold the arguments to the schema exactly.")


class CustomGrammarFormatParam(Request):
    """Only text of a grammar may be passed to the tool."""

    type: Literal["grammar"]
    syntax: Literal["lark", "regex"]
    definition: str


class CustomToolParam(Request):
    """A tool of the client's whose input is text instead of JSON."""

    type: Literal["custom"]
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=NAME_PATTERN)]
    description: str | None = None
    format: Annotated[CustomToolTextFormat | CustomGrammarFormatParam, Field(discriminator="type")] | None = None


class RankingOptions(Request):
    """How results are ranked, and which are too far off."""

    ranker: Literal["none", "auto", "default-2024-11-15"] | None = Field(None, json_schema_extra={"default": "auto"})
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(None, json_schema_extra={"default": 0})
    hybrid_search: HybridSearchOptions | None = None


class FileSearchTool(Request):
    """Searches vector stores."""

    type: Literal["file_search"]
    vector_store_ids: Annotated[list[str], Field(min_length=1)]
    max_num_results: Annotated[int, Field(ge=1, le=MOST_RESULTS)] | None = None
    ranking_options: RankingOptions | None = None
    filters: Filters | None = None

    @field_validator("filters", mode="before")
    @classmethod
    def _of_a_sane_size(cls, value: Any) -> Any:
        check_filter_size(value)
        return value


class ComputerUsePreviewTool(Request):
    """A screen that the client lets the model act on."""

    type: Literal["computer_use_preview"]
    environment: Literal["windows", "mac", "linux", "ubuntu", "browser"]
    display_width: Annotated[int, Field(ge=1)]
    display_height: Annotated[int, Field(ge=1)]


class ApproximateLocation(Request):
    """Roughly where the user is."""

    type: Literal["approximate"]
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


Location = TypeAliasType("Location", ApproximateLocation)


class WebSearchPreviewTool(Request):
    """Searches the web."""

    type: Literal["web_search_preview", "web_search_preview_2025_03_11"]
    user_location: Location | None = None
    search_context_size: Literal["low", "medium", "high"] | None = Field(None, json_schema_extra={"default": "medium"})
    search_content_types: list[Literal["text", "image"]] | None = Field(None, description="Only text is served.")


class WebSearchFilters(Request):
    """Which sites a search may find."""

    allowed_domains: list[str] | None = None


class WebSearchApproximateLocation(Request):
    """Roughly where the user is; there is only one kind of location, so that it need not be named."""

    type: Literal["approximate"] | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class WebSearchTool(Request):
    """Searches the web, by the tool's newer name."""

    type: Literal["web_search", "web_search_2025_08_26"]
    filters: WebSearchFilters | None = None
    user_location: WebSearchApproximateLocation | None = None
    search_context_size: Literal["low", "medium", "high"] | None = Field(None, json_schema_extra={"default": "medium"})
    external_web_access: bool | None = Field(None, description="Only true is served: every search asks the live web.")


class ContainerNetworkPolicyDisabledParam(Request):
    """No network."""

    type: Literal["disabled"]


class ContainerNetworkPolicyAllowlistParam(Request):
    """Only these hosts."""

    type: Literal["allowlist"]
    allowed_domains: Annotated[list[str], Field(min_length=1)]


ContainerNetworkPolicy = Annotated[
    ContainerNetworkPolicyDisabledParam | ContainerNetworkPolicyAllowlistParam, Field(discriminator="type")
]


class CodeInterpreterToolAuto(Request):
    """A container made for the response, with these files in it."""

    type: Literal["auto"]
    file_ids: Annotated[list[str], Field(max_length=MOST_FILES_OF_A_CONTAINER)] | None = None
    memory_limit: ContainerMemoryLimit | None = None
    network_policy: ContainerNetworkPolicy | None = None


class CodeInterpreterTool(Request):
    """Runs Python, in a container that exists (its id) or in one made for the response."""

    type: Literal["code_interpreter"]
    container: Annotated[
        Annotated[str, Tag(STRING)] | Annotated[CodeInterpreterToolAuto, Tag(OBJECT)], by_kind("a string", "an object")
    ]


class ImageGenInputImageMask(Request):
    """Where an image is to be painted anew."""

    image_url: str | None = None
    file_id: str | None = None


class ImageGenTool(Request):
    """Makes and changes images."""

    type: Literal["image_generation"]
    model: Annotated[str, open_enum("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2")] | None = None
    quality: Literal["low", "medium", "high", "auto"] | None = Field(None, json_schema_extra={"default": "auto"})
    size: Annotated[str, open_enum("1024x1024", "1024x1536", "1536x1024", "auto")] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = Field(None, json_schema_extra={"default": "png"})
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = Field(None, json_schema_extra={"default": 100})
    moderation: Literal["auto", "low"] | None = Field(None, json_schema_extra={"default": "auto"})
    background: Literal["transparent", "opaque", "auto"] | None = Field(None, json_schema_extra={"default": "auto"})
    input_fidelity: Literal["high", "low"] | None = None
    input_image_mask: ImageGenInputImageMask | None = None
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = Field(None, json_schema_extra={"default": 0})
    action: Literal["generate", "edit", "auto"] | None = None


class LocalShellTool(Request):
    """A shell that the client runs commands in."""

    type: Literal["local_shell"]


class MCPToolFilter(Request):
    """Some tools of a server: those with these names, those that only read, or both at once."""

    tool_names: list[str] | None = None
    read_only: bool | None = None


class MCPToolApproval(Request):
    """Which tools need the client's approval for each call, and which never do."""

    always: MCPToolFilter | None = None
    never: MCPToolFilter | None = None


class MCPTool(Request):
    """The tools of an MCP server."""

    type: Literal["mcp"]
    server_label: Annotated[str, Field(min_length=1)]
    server_url: str | None = None
    server_description: str | None = None
    authorization: str | None = Field(None, description="An access token for the server; it is never kept or shown.")
    headers: dict[str, str] | None = Field(None, description="Sent with every call; they are never kept or shown.")
    allowed_tools: (
        Annotated[
            Annotated[list[str], Tag(ARRAY)] | Annotated[MCPToolFilter, Tag(OBJECT)],
            by_kind("an array of strings", "an object"),
        ]
        | None
    ) = None
    require_approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag(STRING)] | Annotated[MCPToolApproval, Tag(OBJECT)],
            by_kind("a string", "an object"),
        ]
        | None
    ) = Field(None, json_schema_extra={"default": "always"})


Tool = TypeAliasType(
    "Tool",
    Annotated[
        FunctionTool
        | FileSearchTool
        | ComputerUsePreviewTool
        | WebSearchPreviewTool
        | WebSearchTool
        | CodeInterpreterTool
        | ImageGenTool
        | LocalShellTool
        | MCPTool
        | CustomToolParam,
        Field(discriminator="type"),
    ],
)
