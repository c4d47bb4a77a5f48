"""What a chat request must be, whichever engine answers it."""

from smalt.api.chat.audio_request import check_audio
from smalt.api.chat.legacy_functions import with_tools
from smalt.core.errors import InvalidRequest, UnsupportedValue
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionAllowedToolsChoice,
    ChatCompletionNamedToolChoice,
    ChatCompletionNamedToolChoiceCustom,
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestToolMessage,
    ChatCompletionTool,
)


def accepted(body: AzureCreateChatCompletionRequest) -> AzureCreateChatCompletionRequest:
    """The request as engines get it; raise what is wrong with it, or not served yet, by field."""
    _refuse_custom_tools(body)
    _check_combinations(body)
    check_audio(body)
    _check_tool_messages(body)
    return _with_allowed_tools(with_tools(body))


def _refuse_custom_tools(body: AzureCreateChatCompletionRequest) -> None:
    for position, tool in enumerate(body.tools or ()):
        if not isinstance(tool, ChatCompletionTool):
            raise UnsupportedValue(
                f"Unsupported value: 'tools[{position}].type' does not support 'custom' with this model. "
                "Offer the tool as a function.",
                param=f"tools[{position}].type",
            )


def _check_combinations(body: AzureCreateChatCompletionRequest) -> None:
    if body.metadata and not body.store:
        raise InvalidRequest("The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata")
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise InvalidRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported. "
            "Send 'max_completion_tokens' alone.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    if body.functions is not None and body.tools is not None:
        raise InvalidRequest("'functions' and 'tools' cannot be used together. Send 'tools' alone.", param="functions")
    _check_choice(body)


def _check_choice(body: AzureCreateChatCompletionRequest) -> None:
    """A tool that must be called has to be among those offered."""
    choice = body.tool_choice
    if isinstance(choice, ChatCompletionNamedToolChoiceCustom):
        message = "Unsupported value: 'tool_choice.type' does not support 'custom' with this model."
        raise UnsupportedValue(message, param="tool_choice.type")
    if choice is not None and choice not in ("none", "auto") and not body.tools:
        message = "'tool_choice' is only allowed when 'tools' are specified."
        raise InvalidRequest(message, param="tool_choice")
    if isinstance(choice, ChatCompletionNamedToolChoice):
        _check_offered(choice.function.name, _tool_names(body), param="tool_choice")
    if body.function_call is not None and not isinstance(body.function_call, str):
        names = {function.name for function in body.functions or ()}
        _check_offered(body.function_call.name, names, param="function_call")


def _check_offered(name: str, offered: set[str], *, param: str) -> None:
    if name not in offered:
        raise InvalidRequest(
            f"Invalid value for '{param}': no function named '{name}' was specified. "
            f"Offered are: {', '.join(sorted(offered)) or 'none'}.",
            param=param,
            code="invalid_value",
        )


def _tool_names(body: AzureCreateChatCompletionRequest) -> set[str]:
    return {tool.function.name for tool in body.tools or () if isinstance(tool, ChatCompletionTool)}


def _check_tool_messages(body: AzureCreateChatCompletionRequest) -> None:
    """Every tool call has its result right behind it, and every result its call before it."""
    unanswered: set[str] = set()
    for position, message in enumerate(body.messages):
        if isinstance(message, ChatCompletionRequestToolMessage):
            if message.tool_call_id not in unanswered:
                raise InvalidRequest(
                    f"Invalid parameter: 'messages[{position}]' with role 'tool' must be a response to a preceding "
                    "message with 'tool_calls' that holds its 'tool_call_id'.",
                    param=f"messages[{position}].role",
                )
            unanswered.discard(message.tool_call_id)
            continue
        _check_answered(unanswered, position)
        if isinstance(message, ChatCompletionRequestAssistantMessage):
            unanswered = {call.id for call in message.tool_calls or ()}
    _check_answered(unanswered, len(body.messages))


def _check_answered(unanswered: set[str], position: int) -> None:
    if unanswered:
        raise InvalidRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. These have no response: {', '.join(sorted(unanswered))}.",
            param=f"messages[{position}].role",
        )


def _with_allowed_tools(body: AzureCreateChatCompletionRequest) -> AzureCreateChatCompletionRequest:
    """Offer only the tools that may be called this time, which is all that `allowed_tools` says."""
    choice = body.tool_choice
    if not isinstance(choice, ChatCompletionAllowedToolsChoice):
        return body
    names = {str(tool.get("function", {}).get("name") or tool.get("name")) for tool in choice.allowed_tools.tools}
    for name in names:
        _check_offered(name, _tool_names(body), param="tool_choice")
    tools = [tool for tool in body.tools or () if isinstance(tool, ChatCompletionTool) and tool.function.name in names]
    return body.model_copy(update={"tools": tools, "tool_choice": choice.allowed_tools.mode})
