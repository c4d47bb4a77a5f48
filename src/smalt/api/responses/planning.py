"""Understands a request for a response: what came before it, what it names, and the tools it may call."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.api.moderating import Moderator
from smalt.api.responses.beginnings import beginning
from smalt.api.responses.checks import check_items, check_request
from smalt.api.responses.choices import check_choice
from smalt.api.responses.input_files import InputFiles
from smalt.api.responses.input_items import input_items
from smalt.api.responses.messages import LOGPROBS
from smalt.api.responses.moderation import ResponseModeration
from smalt.api.responses.plan import Plan
from smalt.api.responses.reasoning import check_sealed
from smalt.api.responses.templates import check_variables, filled_message, filled_text, names_in
from smalt.api.responses.toolset import ToolRooms, tool_set
from smalt.api.responses.unknown_fields import check_fields
from smalt.core.errors import InvalidRequest, ModelNotFound, NotFound
from smalt.core.ids import item_id, response_id
from smalt.engines.protocols import Deployment
from smalt.http.validation import invalid_request
from smalt.schemas.responses import AzureCreateResponse
from smalt.store.conversations import Conversations
from smalt.store.cursors import Slice
from smalt.store.database import Database
from smalt.store.prompts import Prompts, PromptVersion
from smalt.store.response_items import ResponseItems
from smalt.store.responses import Jobs, Responses, StoredResponse

Json = dict[str, Any]

CHAT = "chat_completion"
EVERYTHING = Slice(limit=2**31, order="asc")


class PlanningRooms(ToolRooms, Protocol):
    """What plans are made with; `smalt.app.opening.Rooms` is one."""

    @property
    def database(self) -> Database:
        """Where objects are kept."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Where durable jobs are asked for."""
        ...

    @cached_property
    def input_files(self) -> InputFiles:
        """Reads the files that requests name."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template with its variables put in; without one, nothing."""

    instructions: str | None = None
    messages: Sequence[Json] = ()


class Planner:
    """Makes plans, for requests and for jobs."""

    def __init__(self, rooms: PlanningRooms, responses: Responses | None = None) -> None:
        self._rooms = rooms
        self._responses = responses or Responses(rooms.database, rooms.jobs)
        self._conversations = Conversations(rooms.database)
        self._prompts = Prompts(rooms.database)
        self._items = ResponseItems(rooms.database)

    async def plan(self, body: AzureCreateResponse, project: str, *, is_azure: bool) -> Plan:
        """The plan of a new response; whatever is wrong with the request is raised here, by field.

        Azure's answers carry the name that was asked for, others the name of the model behind it.
        """
        new_id = response_id()
        body, version = await self._prompted(body, project)
        check_fields(body)
        asked = body.model_dump(exclude_unset=True, by_alias=True)
        check_request(asked)
        deployment = self._deployment(body.model, is_azure=is_azure)
        check_choice(asked.get("tool_choice"), asked.get("tools") or [])
        template = await self._filled(version, asked, new_id, project)
        conversation_id = _conversation_id(asked)
        context = [*template.messages, *await self._context(asked, conversation_id, project)]
        given = await self._given(asked, context, new_id, project)
        _check_approvals(asked, context, given)
        instructions = template.instructions if asked.get("instructions") is None else asked["instructions"]
        tools = tool_set(asked.get("tools") or [], self._rooms, project)
        return Plan(
            id=new_id,
            project=project,
            request=_with_logprobs(body),
            response=beginning(
                asked,
                response_id=new_id,
                model=body.model if is_azure else deployment.model,
                instructions=instructions,
                conversation_id=conversation_id,
                is_azure=is_azure,
            ),
            input=given,
            context=context,
            tools=tools.hosted,
            client_functions=tools.client_functions,
            is_stored=asked.get("store") is not False,
            is_background=bool(asked.get("background")),
            conversation_id=conversation_id,
            is_azure=is_azure,
            moderation=self._moderation(asked),
        )

    async def resumed(self, stored: StoredResponse) -> Plan:
        """The plan of a stored response once more, as its request was understood then."""
        body = AzureCreateResponse.model_validate(stored.body)
        asked = body.model_dump(exclude_unset=True, by_alias=True)
        template = await self._filled(await self._version(asked, stored.project), asked, stored.id, stored.project)
        page = await self._responses.input_items(stored.project, stored.id, EVERYTHING)
        own = await self._responses.own_input(stored.project, stored.id)
        before = list(page.items)[: len(page.items) - len(own)]
        context = await self._rooms.input_files.read(stored.project, before, param="input")
        tools = tool_set(asked.get("tools") or [], self._rooms, stored.project)
        unanswered: Json = {"status": "queued" if stored.is_background else "in_progress", "output": [], "usage": None}
        return Plan(
            id=stored.id,
            project=stored.project,
            request=body,
            response={**stored.response, **unanswered},
            input=own,
            context=[*template.messages, *context],
            tools=tools.hosted,
            client_functions=tools.client_functions,
            is_stored=True,
            is_background=stored.is_background,
            conversation_id=stored.conversation_id,
            is_azure="content_filters" in stored.response,
            moderation=self._moderation(asked),
        )

    def _moderation(self, asked: Json) -> ResponseModeration | None:
        """What honours the request's `moderation`; raises when the model that it names does not moderate."""
        wish: Json | None = asked.get("moderation")
        if wish is None:
            return None
        moderator = Moderator(self._rooms.models, self._rooms.settings.content_filter.image_model)
        moderator.check(wish["model"])
        return ResponseModeration(moderator, wish)

    def _deployment(self, model: str, *, is_azure: bool) -> Deployment:
        try:
            deployment: Deployment = self._rooms.models.find(model)
        except ModelNotFound as error:
            if is_azure:
                raise
            # OpenAI says so here otherwise than everywhere else.
            raise InvalidRequest(error.message, param="model", code="model_not_found") from error
        if deployment.abilities and CHAT not in deployment.abilities:
            raise InvalidRequest(
                f"The responses operation does not work with the specified model, {model}. Choose a chat model.",
                param="model",
                code="OperationNotSupported",
            )
        return deployment

    async def _prompted(
        self, body: AzureCreateResponse, project: str
    ) -> tuple[AzureCreateResponse, PromptVersion | None]:
        """The request with what its prompt template says where it says nothing, and with the version that was found."""
        if body.prompt is None:
            return body, None
        asked = body.model_dump(exclude_unset=True, by_alias=True)
        version = await self._version(asked, project)
        if version is None:
            return body, None
        said = {name: value for name, value in asked.items() if value is not None}
        pinned = {**asked["prompt"], "id": version.id, "version": version.version}
        try:
            return AzureCreateResponse.model_validate({**version.defaults, **said, "prompt": pinned}), version
        except ValidationError as error:
            found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            refusal = invalid_request(RequestValidationError(found, body=version.defaults))
            refusal.message = f"The prompt '{version.id}' has a default that cannot be. {refusal.message}"
            raise refusal from None

    async def _version(self, asked: Json, project: str) -> PromptVersion | None:
        prompt: Json | None = asked.get("prompt")
        if prompt is None:
            return None
        return await self._prompts.get(project, prompt["id"], prompt.get("version"))

    async def _filled(self, version: PromptVersion | None, asked: Json, new_id: str, project: str) -> Template:
        if version is None:
            return Template()
        given: Json = asked["prompt"].get("variables") or {}
        check_variables(names_in(version.instructions, version.messages), given)
        instructions = filled_text(version.instructions, given) if version.instructions else None
        make_id = partial(item_id, response_id=new_id)
        messages = [filled_message(message, given, make_id) for message in version.messages]
        return Template(instructions, await self._rooms.input_files.read(project, messages, param="prompt"))

    async def _context(self, asked: Json, conversation_id: str | None, project: str) -> list[Json]:
        """Everything that came before, with what its files say."""
        if previous := asked.get("previous_response_id"):
            items = await self._responses.context(project, previous)
        elif conversation_id is not None:
            items = await self._conversations.items(project, conversation_id)
        else:
            return []
        return await self._rooms.input_files.read(project, items, param="input")

    async def _given(self, asked: Json, context: Sequence[Json], new_id: str, project: str) -> list[Json]:
        """The request's own items: whole, with ids, with what they name."""
        items = input_items(asked.get("input"), partial(item_id, response_id=new_id))
        items = await self._dereferenced(items, context, project)
        check_items(context, items)
        check_sealed(items)
        return await self._rooms.input_files.read(project, items)

    async def _dereferenced(self, items: Sequence[Json], context: Sequence[Json], project: str) -> list[Json]:
        wanted = [item["id"] for item in items if item["type"] == "item_reference"]
        if not wanted:
            return list(items)
        known = {item["id"] for item in context}
        found = await self._items.find_items(project, wanted)
        found |= await self._conversations.find_items(project, [one for one in wanted if one not in found])
        whole: list[Json] = []
        for position, item in enumerate(items):
            if item["type"] != "item_reference":
                whole.append(item)
            elif item["id"] in known:
                # It is told already, in its own place.
                continue
            elif item["id"] in found:
                whole.append(found[item["id"]])
            else:
                raise NotFound(
                    f"Item with id '{item['id']}' not found. Items of responses with store set to false are not kept: "
                    "send the item itself.",
                    param=f"input[{position}].id",
                )
        return whole


def _conversation_id(asked: Json) -> str | None:
    conversation: str | Json | None = asked.get("conversation")
    return conversation["id"] if isinstance(conversation, dict) else conversation


def _check_approvals(asked: Json, context: Sequence[Json], given: Sequence[Json]) -> None:
    if any(item["type"] == "mcp_approval_response" for item in given):
        from smalt.tools.mcp.approvals import check_approvals

        labels = {tool["server_label"] for tool in asked.get("tools") or () if tool["type"] == "mcp"}
        check_approvals(given, context, labels)


def _with_logprobs(body: AzureCreateResponse) -> AzureCreateResponse:
    """Whoever asks for alternatives to tokens wants to see them, also without `include`."""
    if not body.top_logprobs or LOGPROBS in (body.include or ()):
        return body
    return body.model_copy(update={"include": [*(body.include or ()), LOGPROBS]})
