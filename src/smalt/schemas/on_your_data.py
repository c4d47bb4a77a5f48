"""Azure OpenAI On Your Data: the data sources a chat may draw from, and what an answer says of them."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.wire import Body, Request, Wire

AzureChatDataSourceType = TypeAliasType(
    "AzureChatDataSourceType",
    Literal["azure_search", "azure_cosmos_db", "elasticsearch", "pinecone", "mongo_db"],
)
AzureChatDataSourceAuthenticationOptionsType = TypeAliasType(
    "AzureChatDataSourceAuthenticationOptionsType",
    Literal[
        "api_key",
        "username_and_password",
        "connection_string",
        "key_and_key_id",
        "encoded_api_key",
        "access_token",
        "system_assigned_managed_identity",
        "user_assigned_managed_identity",
    ],
)
AzureChatDataSourceVectorizationSourceType = TypeAliasType(
    "AzureChatDataSourceVectorizationSourceType", Literal["endpoint", "deployment_name", "model_id", "integrated"]
)


class AzureChatDataSourceApiKeyAuthenticationOptions(Request):
    """Signs in with an API key."""

    type: Literal["api_key"]
    key: str


class AzureChatDataSourceUsernameAndPasswordAuthenticationOptions(Request):
    """Signs in with a user name and a password."""

    type: Literal["username_and_password"]
    username: str
    password: str


class AzureChatDataSourceConnectionStringAuthenticationOptions(Request):
    """Signs in with a connection string."""

    type: Literal["connection_string"]
    connection_string: str


class AzureChatDataSourceKeyAndKeyIdAuthenticationOptions(Request):
    """Signs in to Elasticsearch with a key and its id."""

    type: Literal["key_and_key_id"]
    key: str
    key_id: str


class AzureChatDataSourceEncodedApiKeyAuthenticationOptions(Request):
    """Signs in to Elasticsearch with an encoded key."""

    type: Literal["encoded_api_key"]
    encoded_api_key: str


class AzureChatDataSourceAccessTokenAuthenticationOptions(Request):
    """Signs in with a bearer token."""

    type: Literal["access_token"]
    access_token: str


class AzureChatDataSourceSystemAssignedManagedIdentityAuthenticationOptions(Request):
    """Signs in as the identity of the service."""

    type: Literal["system_assigned_managed_identity"]


class AzureChatDataSourceUserAssignedManagedIdentityAuthenticationOptions(Request):
    """Signs in as an identity given to the service."""

    type: Literal["user_assigned_managed_identity"]
    managed_identity_resource_id: str


AzureChatDataSourceAuthenticationOptions = TypeAliasType(
    "AzureChatDataSourceAuthenticationOptions",
    Annotated[
        AzureChatDataSourceApiKeyAuthenticationOptions
        | AzureChatDataSourceUsernameAndPasswordAuthenticationOptions
        | AzureChatDataSourceConnectionStringAuthenticationOptions
        | AzureChatDataSourceKeyAndKeyIdAuthenticationOptions
        | AzureChatDataSourceEncodedApiKeyAuthenticationOptions
        | AzureChatDataSourceAccessTokenAuthenticationOptions
        | AzureChatDataSourceSystemAssignedManagedIdentityAuthenticationOptions
        | AzureChatDataSourceUserAssignedManagedIdentityAuthenticationOptions,
        Field(discriminator="type"),
    ],
)

_ApiKeyOrToken = Annotated[
    AzureChatDataSourceApiKeyAuthenticationOptions | AzureChatDataSourceAccessTokenAuthenticationOptions,
    Field(discriminator="type"),
]


class AzureChatDataSourceEndpointVectorizationSource(Request):
    """Vectors come from an embeddings endpoint."""

    type: Literal["endpoint"]
    endpoint: str
    authentication: _ApiKeyOrToken
    dimensions: int | None = None


class AzureChatDataSourceDeploymentNameVectorizationSource(Request):
    """Vectors come from an embeddings deployment of this server."""

    type: Literal["deployment_name"]
    deployment_name: str
    dimensions: int | None = None


class AzureChatDataSourceModelIdVectorizationSource(Request):
    """Vectors come from a model inside Elasticsearch."""

    type: Literal["model_id"]
    model_id: str


class AzureChatDataSourceIntegratedVectorizationSource(Request):
    """Vectors come from the search service itself."""

    type: Literal["integrated"]


AzureChatDataSourceVectorizationSource = TypeAliasType(
    "AzureChatDataSourceVectorizationSource",
    Annotated[
        AzureChatDataSourceEndpointVectorizationSource
        | AzureChatDataSourceDeploymentNameVectorizationSource
        | AzureChatDataSourceModelIdVectorizationSource
        | AzureChatDataSourceIntegratedVectorizationSource,
        Field(discriminator="type"),
    ],
)

_EndpointOrDeployment = Annotated[
    AzureChatDataSourceEndpointVectorizationSource | AzureChatDataSourceDeploymentNameVectorizationSource,
    Field(discriminator="type"),
]


class FieldsMapping(Request):
    """Which fields of the index hold what."""

    content_fields: list[str] | None = None
    content_fields_separator: str | None = None
    filepath_field: str | None = None
    title_field: str | None = None
    url_field: str | None = None


class VectorFieldsMapping(FieldsMapping):
    """Which fields of the index hold what, vectors among them."""

    vector_fields: list[str] | None = None


class SearchFieldsMapping(VectorFieldsMapping):
    """Which fields of the index hold what, vectors of text and of images among them."""

    image_vector_fields: list[str] | None = None


class DataSourceParameters(Request):
    """What every kind of data source has."""

    index_name: str
    top_n_documents: int | None = Field(None, ge=1, le=1000, description="How many documents to show the model.")
    max_search_queries: int | None = Field(None, ge=1, description="How many queries one message may become.")
    allow_partial_result: bool | None = Field(
        None, description="Go on when some of the queries failed.", json_schema_extra={"default": False}
    )
    in_scope: bool | None = Field(
        None, description="Answer from the documents only.", json_schema_extra={"default": True}
    )
    role_information: str | None = Field(
        None, description="What the model is told of its role; a system message says the same."
    )
    strictness: int | None = Field(None, ge=1, le=5, description="How relevant a document must be.")
    include_contexts: list[Literal["citations", "intent", "all_retrieved_documents"]] | None = Field(
        None, description="What to tell of the search.", json_schema_extra={"default": ["citations", "intent"]}
    )


class AzureSearchParameters(DataSourceParameters):
    """Where and how to search with Azure AI Search."""

    endpoint: str
    authentication: Annotated[
        AzureChatDataSourceApiKeyAuthenticationOptions
        | AzureChatDataSourceAccessTokenAuthenticationOptions
        | AzureChatDataSourceSystemAssignedManagedIdentityAuthenticationOptions
        | AzureChatDataSourceUserAssignedManagedIdentityAuthenticationOptions,
        Field(discriminator="type"),
    ]
    fields_mapping: SearchFieldsMapping | None = None
    query_type: Literal["simple", "semantic", "vector", "vector_simple_hybrid", "vector_semantic_hybrid"] | None = None
    semantic_configuration: str | None = None
    filter: str | None = None
    embedding_dependency: (
        Annotated[
            AzureChatDataSourceEndpointVectorizationSource
            | AzureChatDataSourceDeploymentNameVectorizationSource
            | AzureChatDataSourceIntegratedVectorizationSource,
            Field(discriminator="type"),
        ]
        | None
    ) = None


class AzureSearchChatDataSource(Request):
    """An index of Azure AI Search."""

    type: Literal["azure_search"]
    parameters: AzureSearchParameters


class AzureCosmosDBParameters(DataSourceParameters):
    """Where and how to search in Azure Cosmos DB."""

    authentication: AzureChatDataSourceConnectionStringAuthenticationOptions
    database_name: str
    container_name: str
    fields_mapping: VectorFieldsMapping
    embedding_dependency: AzureChatDataSourceVectorizationSource


class AzureCosmosDBChatDataSource(Request):
    """A container of Azure Cosmos DB for MongoDB."""

    type: Literal["azure_cosmos_db"]
    parameters: AzureCosmosDBParameters


class ElasticsearchParameters(DataSourceParameters):
    """Where and how to search in Elasticsearch."""

    endpoint: str
    authentication: Annotated[
        AzureChatDataSourceKeyAndKeyIdAuthenticationOptions | AzureChatDataSourceEncodedApiKeyAuthenticationOptions,
        Field(discriminator="type"),
    ]
    fields_mapping: VectorFieldsMapping | None = None
    query_type: Literal["simple", "vector"] | None = None
    embedding_dependency: AzureChatDataSourceVectorizationSource | None = None


class ElasticsearchChatDataSource(Request):
    """An index of Elasticsearch."""

    type: Literal["elasticsearch"]
    parameters: ElasticsearchParameters


class PineconeParameters(DataSourceParameters):
    """Where and how to search in Pinecone."""

    environment: str
    authentication: AzureChatDataSourceApiKeyAuthenticationOptions
    fields_mapping: FieldsMapping
    embedding_dependency: AzureChatDataSourceVectorizationSource


class PineconeChatDataSource(Request):
    """An index of Pinecone."""

    type: Literal["pinecone"]
    parameters: PineconeParameters


class MongoDBParameters(DataSourceParameters):
    """Where and how to search in MongoDB Atlas."""

    endpoint: str
    app_name: str
    database_name: str
    collection_name: str
    authentication: AzureChatDataSourceUsernameAndPasswordAuthenticationOptions
    fields_mapping: VectorFieldsMapping
    embedding_dependency: _EndpointOrDeployment


class MongoDBChatDataSource(Request):
    """A vector index of MongoDB Atlas."""

    type: Literal["mongo_db"]
    parameters: MongoDBParameters


AzureChatDataSource = TypeAliasType(
    "AzureChatDataSource",
    Annotated[
        AzureSearchChatDataSource
        | AzureCosmosDBChatDataSource
        | ElasticsearchChatDataSource
        | PineconeChatDataSource
        | MongoDBChatDataSource,
        Field(discriminator="type"),
    ],
)


class AzureChatCitation(Wire):
    """A document that the answer rests on."""

    content: str
    title: str | None = None
    url: str | None = None
    filepath: str | None = None
    chunk_id: str | None = None
    rerank_score: float | None = None


class AzureChatRetrievedDocument(AzureChatCitation):
    """A document that the search found, whether it was used or not."""

    search_queries: list[str]
    data_source_index: int
    original_search_score: float | None = None
    filter_reason: Literal["score", "rerank"] | None = None


class AzureChatMessageContext(Wire):
    """What the search behind an answer was and found."""

    intent: str | None = None
    citations: list[AzureChatCitation] | None = None
    all_retrieved_documents: list[AzureChatRetrievedDocument] | None = None


class ExtensionsDataSource(Request):
    """A data source in the first form of On Your Data, whose names are in camel case."""

    type: str
    parameters: dict[str, Any]


class ExtensionsChatCompletionsRequest(Body):
    """Asks for an answer from a data source, in the first form of On Your Data."""

    messages: list[dict[str, Any]] = Field(min_length=1, description="The conversation so far.")
    data_sources: list[ExtensionsDataSource] = Field(
        min_length=1, max_length=1, alias="dataSources", description="The one source to answer from."
    )
    stream: bool | None = Field(None, description="Send the answer piece by piece.")
