"""The wire vocabulary of vector stores: the stores, the files and batches in them, searches and what they find."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from smalt.schemas.wire import Body, Metadata, Request, Wire

MOST_FILES_OF_A_STORE_REQUEST = 500
MOST_FILES_OF_A_BATCH = 2000
MOST_QUERIES = 32
MOST_FILTERS = 256
MOST_FILTER_LEVELS = 16
MOST_VALUES = 2048
DEFAULT_CHUNK_TOKENS = 800
DEFAULT_OVERLAP_TOKENS = 400

# No database takes a NUL in a text.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
FileId = Annotated[str, Field(min_length=1, max_length=512)]
Number = int | Annotated[float, Field(allow_inf_nan=False)]

VectorStoreFileAttributes = TypeAliasType(
    "VectorStoreFileAttributes",
    Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)] | bool | Number],
        Field(max_length=16, description="Up to 16 pairs that searches may filter by; numbers and booleans stay such."),
    ],
)
ListVectorStoreFilesFilter = TypeAliasType(
    "ListVectorStoreFilesFilter", Literal["in_progress", "completed", "failed", "cancelled"]
)


class AutoChunkingStrategyRequestParam(Request):
    """Cuts files into chunks of at most 800 tokens, of which 400 repeat the chunk before."""

    type: Literal["auto"]


class StaticChunkingStrategy(Request):
    """How long chunks are, and how much of one the next repeats."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[
        int, Field(ge=0, description="At most half of `max_chunk_size_tokens`, in tokens of the embedding model.")
    ]

    @field_validator("chunk_overlap_tokens")
    @classmethod
    def _at_most_half(cls, value: int, info: ValidationInfo) -> int:
        size = info.data.get("max_chunk_size_tokens")
        if size is not None and value > size // 2:
            raise PydanticCustomError(
                "invalid_value",
                "it must not exceed half of max_chunk_size_tokens, which is {half}",
                {"half": size // 2},
            )
        return value


class StaticChunkingStrategyRequestParam(Request):
    """Cuts files into chunks of a chosen length."""

    type: Literal["static"]
    static: StaticChunkingStrategy


ChunkingStrategyRequestParam = TypeAliasType(
    "ChunkingStrategyRequestParam",
    Annotated[AutoChunkingStrategyRequestParam | StaticChunkingStrategyRequestParam, Field(discriminator="type")],
)


class StaticChunkingStrategyResponseParam(Wire):
    """How a file was cut into chunks."""

    type: Literal["static"]
    static: StaticChunkingStrategy


class OtherChunkingStrategyResponseParam(Wire):
    """A file was cut into chunks in a way that has no name."""

    type: Literal["other"]


ChunkingStrategyResponseParam = TypeAliasType(
    "ChunkingStrategyResponseParam",
    Annotated[StaticChunkingStrategyResponseParam | OtherChunkingStrategyResponseParam, Field(discriminator="type")],
)


class VectorStoreExpirationAfter(Request):
    """When a vector store that nobody uses expires."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class CreateVectorStoreRequest(Body):
    """Makes a vector store, with files in it or empty."""

    file_ids: Annotated[list[FileId], Field(max_length=MOST_FILES_OF_A_STORE_REQUEST)] | None = None
    name: Annotated[Text, Field(max_length=1024)] | None = None
    description: Annotated[Text, Field(max_length=4096)] | None = None
    expires_after: VectorStoreExpirationAfter | None = None
    chunking_strategy: ChunkingStrategyRequestParam | None = None
    metadata: Metadata | None = None


class UpdateVectorStoreRequest(Body):
    """Changes what is given of a vector store; null takes it away."""

    name: Annotated[Text, Field(max_length=1024)] | None = None
    description: Annotated[Text, Field(max_length=4096)] | None = None
    expires_after: VectorStoreExpirationAfter | None = None
    metadata: Metadata | None = None


class CreateVectorStoreFileRequest(Body):
    """Attaches a file to a vector store."""

    file_id: FileId
    chunking_strategy: ChunkingStrategyRequestParam | None = None
    attributes: VectorStoreFileAttributes | None = None


class UpdateVectorStoreFileAttributesRequest(Body):
    """Replaces the attributes of a file in a vector store."""

    attributes: VectorStoreFileAttributes | None


class CreateVectorStoreFileBatchRequest(Body):
    """Attaches many files at once: `file_ids` that share their options, or `files` with options of their own."""

    file_ids: Annotated[list[FileId], Field(min_length=1, max_length=MOST_FILES_OF_A_BATCH)] | None = None
    files: (
        Annotated[list[CreateVectorStoreFileRequest], Field(min_length=1, max_length=MOST_FILES_OF_A_BATCH)] | None
    ) = None
    chunking_strategy: ChunkingStrategyRequestParam | None = None
    attributes: VectorStoreFileAttributes | None = None

    @field_validator("files")
    @classmethod
    def _not_both(
        cls, value: list[CreateVectorStoreFileRequest] | None, info: ValidationInfo
    ) -> list[CreateVectorStoreFileRequest] | None:
        if value is not None and info.data.get("file_ids") is not None:
            raise PydanticCustomError("invalid_value", "it cannot be given together with file_ids; send one of the two")
        return value


class VectorStoreFileCounts(Wire):
    """How many files stand where."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStoreObject(Wire):
    """A vector store: files, cut into chunks that can be searched."""

    id: str
    object: Literal["vector_store"]
    created_at: int
    name: str | None
    description: str | None = None
    usage_bytes: int
    file_counts: VectorStoreFileCounts
    status: Literal["expired", "in_progress", "completed"]
    expires_after: VectorStoreExpirationAfter | None = None
    expires_at: int | None = None
    last_active_at: int | None
    metadata: Metadata | None


class VectorStoreFileError(Wire):
    """Why a file could not be brought into a vector store."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFileObject(Wire):
    """A file in a vector store."""

    id: str
    object: Literal["vector_store.file"]
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    last_error: VectorStoreFileError | None
    chunking_strategy: ChunkingStrategyResponseParam | None = None
    attributes: VectorStoreFileAttributes | None = None


class VectorStoreFileBatchObject(Wire):
    """Files that were attached at once."""

    id: str
    object: Literal["vector_store.files_batch"]
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    file_counts: VectorStoreFileCounts


class ListVectorStoresResponse(Wire):
    """A page of vector stores."""

    object: Literal["list"]
    data: list[VectorStoreObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ListVectorStoreFilesResponse(Wire):
    """A page of the files in a vector store or batch."""

    object: Literal["list"]
    data: list[VectorStoreFileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeleteVectorStoreResponse(Wire):
    """Says that a vector store is gone."""

    id: str
    deleted: bool
    object: Literal["vector_store.deleted"]


class DeleteVectorStoreFileResponse(Wire):
    """Says that a file is no longer in a vector store; the file itself stays."""

    id: str
    deleted: bool
    object: Literal["vector_store.file.deleted"]


class VectorStoreFileContentPart(Wire):
    """A piece of a file's text."""

    type: Literal["text"]
    text: str


class VectorStoreFileContentResponse(Wire):
    """The text that was read from a file."""

    object: Literal["vector_store.file_content.page"]
    data: list[VectorStoreFileContentPart]
    has_more: bool
    next_page: str | None


class ComparisonFilter(Request):
    """Compares one attribute with a value; `in` and `nin` compare it with each value of a list."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Annotated[str, Field(max_length=512)]
    value: Text | bool | Number | Annotated[list[Text | bool | Number], Field(max_length=MOST_VALUES)]

    @field_validator("value")
    @classmethod
    def _fits_the_comparison(cls, value: Any, info: ValidationInfo) -> Any:
        comparison = info.data.get("type")
        takes_list = comparison in {"in", "nin"}
        if comparison is not None and takes_list != isinstance(value, list):
            told = "an array" if takes_list else "one value; use in or nin for an array"
            context = {"type": comparison, "told": told}
            raise PydanticCustomError("invalid_value", "the comparison {type} takes {told}", context)
        if comparison in {"gt", "gte", "lt", "lte"} and isinstance(value, bool):
            raise PydanticCustomError("invalid_value", "a boolean can only be compared with eq, ne, in or nin")
        return value


class CompoundFilter(Request):
    """Joins filters, which may be compound themselves."""

    type: Literal["and", "or"]
    filters: Annotated[
        list[Annotated["ComparisonFilter | CompoundFilter", Field(discriminator="type")]],
        Field(min_length=1, max_length=MOST_FILTERS),
    ]


def check_filter_size(root: Any) -> None:
    """Refuse a filter of too many parts or levels, before anything follows its nesting."""
    level = _objects([root])
    count = depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > MOST_FILTER_LEVELS:
            limit = {"most": MOST_FILTER_LEVELS}
            raise PydanticCustomError("invalid_value", "it nests deeper than {most} levels", limit)
        if count > MOST_FILTERS:
            raise PydanticCustomError("invalid_value", "it has more than {most} parts", {"most": MOST_FILTERS})
        level = [child for one in level for child in _objects(one.get("filters"))]


def _objects(values: Any) -> list[dict[str, Any]]:
    return [one for one in cast("list[Any]", values) if isinstance(one, dict)] if isinstance(values, list) else []


class HybridSearchOptions(Request):
    """How much likeness of meaning and of words weigh."""

    embedding_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    text_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class VectorStoreSearchRankingOptions(Request):
    """How results are ranked, and which are too far off."""

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    hybrid_search: HybridSearchOptions | None = None


class VectorStoreSearchRequest(Body):
    """Searches a vector store."""

    query: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MOST_QUERIES)]
    )
    rewrite_query: bool = False
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")] | None = None
    ranking_options: VectorStoreSearchRankingOptions | None = None

    @field_validator("filters", mode="before")
    @classmethod
    def _of_a_sane_size(cls, value: Any) -> Any:
        check_filter_size(value)
        return value


class VectorStoreSearchResultContentObject(Wire):
    """The text of a chunk that was found."""

    type: Literal["text"]
    text: str


class VectorStoreSearchResultItem(Wire):
    """A chunk that was found, and the file that it is of."""

    file_id: str
    filename: str
    score: Annotated[float, Field(ge=0, le=1)]
    attributes: VectorStoreFileAttributes | None
    content: list[VectorStoreSearchResultContentObject]


class VectorStoreSearchResultsPage(Wire):
    """What a search found, best first."""

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[VectorStoreSearchResultItem]
    has_more: bool
    next_page: str | None
