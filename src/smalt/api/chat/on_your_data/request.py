"""What a chat request over a data source must be."""

from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ResponseFormatText
from smalt.schemas.on_your_data import AzureChatDataSource

CLASSIC_EXTRAS = ("stream_options", "parallel_tool_calls", "store", "metadata")
"""What On Your Data does not take on classic paths, where clients know it from the service."""


def source_of(body: AzureCreateChatCompletionRequest) -> AzureChatDataSource:
    """The one source of a request that was checked."""
    assert body.data_sources
    return body.data_sources[0]


def check_grounded(body: AzureCreateChatCompletionRequest, call: Call) -> None:
    """Refuse what cannot be had together with documents, by field."""
    sources = body.data_sources or []
    if len(sources) != 1:
        raise InvalidRequest(
            f"Invalid 'data_sources': expected an array with exactly one data source, but got {len(sources)}.",
            param="data_sources",
            code="invalid_value",
        )
    if body.logprobs or body.top_logprobs:
        raise UnsupportedParameter(
            "logprobs", "An answer from data_sources has marks put into it, which have no probability."
        )
    if body.response_format is not None and not isinstance(body.response_format, ResponseFormatText):
        raise UnsupportedParameter("response_format", "An answer from data_sources is text with marks such as [doc1].")
    if (body.tools or body.functions) and body.tool_choice != "none" and body.function_call != "none":
        name = "tools" if body.tools else "functions"
        raise UnsupportedParameter(
            name,
            f"With data_sources no tool can be called. Send tool_choice 'none', or leave out {name} or data_sources.",
        )
    if call.mount == "azure_classic":
        _check_classic(body)


def _check_classic(body: AzureCreateChatCompletionRequest) -> None:
    for name in CLASSIC_EXTRAS:
        if getattr(body, name):
            raise InvalidRequest("Extra inputs are not permitted", param=name, code="unknown_parameter")
