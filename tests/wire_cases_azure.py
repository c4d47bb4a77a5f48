"""The requests of the two Azure OpenAI connectors, as their documents and the service have them."""

from typing import Any

from wire_case import HI, SAID, Case

SAMPLING = {
    "temperature": "0.5",
    "top_p": "0.9",
    "stream": "false",
    "stop": ["END", "###"],
    "max_tokens": "50",
    "presence_penalty": "-1",
    "frequency_penalty": 0.25,
    "logit_bias": '{"50256": -100}',
    "user": "ann",
}
SENT_SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.9,
    "stream": False,
    "stop": ["END", "###"],
    "max_tokens": 50,
    "presence_penalty": -1,
    "frequency_penalty": 0.25,
    "logit_bias": {"50256": -100},
    "user": "ann",
}
SEARCHING = {
    "data_sources.type": "azure_search",
    "top_n_documents": "5",
    "in_scope": "true",
    "strictness": "3",
    "role_information": "Be brief.",
    "index_name": "docs",
    "title_field": "title",
    "url_field": "url",
    "filepath_field": "path",
    "content_fields": ["text"],
    "content_fields_separator": "\n",
    "vector_fields": ["vector"],
    "query_type": "vector_semantic_hybrid",
    "semantic_configuration": "default",
    "filter": "lang eq 'en'",
    "embedding_dependency.type": "deployment_name",
    "deployment_name": "ada",
}
SENT_SOURCE = {
    "type": "azure_search",
    "parameters": {
        "endpoint": "https://docs.search.windows.net",
        "authentication": {"type": "api_key", "key": "search-key"},
        "top_n_documents": 5,
        "in_scope": True,
        "strictness": 3,
        "role_information": "Be brief.",
        "index_name": "docs",
        "fields_mapping": {
            "title_field": "title",
            "url_field": "url",
            "filepath_field": "path",
            "content_fields": ["text"],
            "content_fields_separator": "\n",
            "vector_fields": ["vector"],
        },
        "query_type": "vector_semantic_hybrid",
        "semantic_configuration": "default",
        "filter": "lang eq 'en'",
        "embedding_dependency": {"type": "deployment_name", "deployment_name": "ada"},
    },
}
CHOICES = {"n": "2", "seed": "7", "logprobs": "true", "top_logprobs": "3", "response_format.type": "json_object"}
SENT_CHOICES = {"n": 2, "seed": 7, "logprobs": True, "top_logprobs": 3, "response_format": {"type": "json_object"}}
DEPLOYED = {"deployment-id": "my-gpt", "api-version": "2024-02-15-preview"}


def azure(connector: str, *enhancements: dict[str, Any]) -> list[Case]:
    """What the two Azure connectors have in common; `enhancements` are given and sent by one of them."""
    given, sent = enhancements or ({}, {})
    path = "/openai/deployments/my-gpt"
    return [
        Case(
            connector,
            "create_chat_completion",
            {**DEPLOYED, **SAMPLING, **SAID, **SEARCHING, **given, **CHOICES},
            "POST",
            f"{path}/chat/completions?api-version=2024-02-15-preview",
            {**SENT_SAMPLING, "messages": HI, "data_sources": [SENT_SOURCE], **sent, **SENT_CHOICES},
        ),
        Case(
            connector,
            "create_chat_completion",
            {**DEPLOYED, **SAID},
            "POST",
            f"{path}/chat/completions?api-version=2024-02-15-preview",
            {"messages": HI},
        ),
        Case(
            connector,
            "get_embedding",
            {**DEPLOYED, "input": "Hi", "user": "ann", "input_type": "query"},
            "POST",
            f"{path}/embeddings?api-version=2024-02-15-preview",
            {"input": "Hi", "user": "ann", "input_type": "query"},
            result={"model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2}},
        ),
        Case(
            connector,
            "create_extensions_chat_completion",
            {
                **DEPLOYED,
                "deploymentId": "my-gpt",
                "index": "0",
                "recipient": "",
                **SAID,
                "end_turn": "true",
                "type": "AzureCognitiveSearch",
                "parameters": '{"indexName": "docs"}',
                "temperature": "1",
            },
            "POST",
            f"{path}/extensions/chat/completions?deploymentId=my-gpt&api-version=2024-02-15-preview",
            {
                "messages": [{"index": 0, "role": "user", "content": "Hi", "end_turn": True}],
                "dataSources": [
                    {
                        "type": "AzureCognitiveSearch",
                        "parameters": {
                            "endpoint": "https://docs.search.windows.net",
                            "key": "search-key",
                            "indexName": "docs",
                        },
                    }
                ],
                "temperature": 1,
            },
        ),
    ]


GROUNDED = (
    {"enhancements.grounding.enabled": "true", "enhancements.ocr.enabled": "false"},
    {"enhancements": {"grounding": {"enabled": True}, "ocr": {"enabled": False}}},
)
AZURE = [
    *azure("azure-openai"),
    Case(
        "azure-openai",
        "get_multiple_embeddings",
        {**DEPLOYED, "input": '["Hi", "Ho"]', "user": "ann", "input_type": "query"},
        "POST",
        "/openai/deployments/my-gpt/embeddings?api-version=2024-02-15-preview",
        {"input": ["Hi", "Ho"], "user": "ann", "input_type": "query"},
        result={"embeddings": [[0.5, -1.0], [0.25, 1]]},
    ),
    *azure("azure-openai-preview", *GROUNDED),
]
