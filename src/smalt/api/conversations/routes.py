"""Conversations and the items in them."""

from typing import Annotated, Any

from fastapi import Depends, Response

from smalt.api.conversations.kept_items import kept_items
from smalt.api.dependencies import DatabaseDep
from smalt.api.responses.stored import ShowingDep
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.paging import AskedSlice, listed
from smalt.http.routing import Router
from smalt.schemas.conversations import (
    ConversationItem,
    ConversationItemList,
    ConversationResource,
    CreateConversationBody,
    CreateConversationItemsBody,
    DeletedConversationResource,
    UpdateConversationBody,
)
from smalt.store.conversations import Conversation, Conversations
from smalt.store.paging import Page

router = Router(tags=["conversations"])


async def conversations(database: DatabaseDep) -> Conversations:
    """The conversations."""
    return Conversations(database)


ConversationsDep = Annotated[Conversations, Depends(conversations)]


@router.post("/conversations", operation_id="createConversation", response_model=ConversationResource)
async def create_conversation(
    call: CurrentCall, conversations: ConversationsDep, body: CreateConversationBody | None = None
) -> Response:
    """Make a conversation, with items in it or empty."""
    asked, project = body or CreateConversationBody(), call.caller.project
    items = await kept_items(asked, project, conversations)
    return Json(_described(await conversations.create(project, items, asked.metadata or {})))


@router.get("/conversations/{conversation_id}", operation_id="getConversation", response_model=ConversationResource)
async def get_conversation(conversation_id: str, call: CurrentCall, conversations: ConversationsDep) -> Response:
    """Return one conversation, without its items."""
    return Json(_described(await conversations.get(call.caller.project, conversation_id)))


@router.post("/conversations/{conversation_id}", operation_id="updateConversation", response_model=ConversationResource)
async def update_conversation(
    conversation_id: str, body: UpdateConversationBody, call: CurrentCall, conversations: ConversationsDep
) -> Response:
    """Replace the metadata of a conversation."""
    return Json(_described(await conversations.update(call.caller.project, conversation_id, body.metadata or {})))


@router.delete(
    "/conversations/{conversation_id}", operation_id="deleteConversation", response_model=DeletedConversationResource
)
async def delete_conversation(conversation_id: str, call: CurrentCall, conversations: ConversationsDep) -> Response:
    """Delete a conversation and the items in it; responses that were made in it stay."""
    await conversations.delete(call.caller.project, conversation_id)
    return Json({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@router.post(
    "/conversations/{conversation_id}/items",
    operation_id="createConversationItems",
    response_model=ConversationItemList,
)
async def create_conversation_items(
    conversation_id: str,
    body: CreateConversationItemsBody,
    call: CurrentCall,
    conversations: ConversationsDep,
    showing: ShowingDep,
) -> Response:
    """Add items at the end of a conversation."""
    project = call.caller.project
    items = await kept_items(body, project, conversations)
    await conversations.add(project, conversation_id, items)
    return Json(listed(Page(items, has_more=False), showing.item))


@router.get(
    "/conversations/{conversation_id}/items", operation_id="listConversationItems", response_model=ConversationItemList
)
async def list_conversation_items(
    conversation_id: str, call: CurrentCall, conversations: ConversationsDep, asked: AskedSlice, showing: ShowingDep
) -> Response:
    """List the items of a conversation, those that were added last first."""
    return Json(listed(await conversations.page(call.caller.project, conversation_id, asked), showing.item))


@router.get(
    "/conversations/{conversation_id}/items/{item_id}",
    operation_id="getConversationItem",
    response_model=ConversationItem,
)
async def get_conversation_item(
    conversation_id: str, item_id: str, call: CurrentCall, conversations: ConversationsDep, showing: ShowingDep
) -> Response:
    """Return one item of a conversation."""
    return Json(showing.item(await conversations.item(call.caller.project, conversation_id, item_id)))


@router.delete(
    "/conversations/{conversation_id}/items/{item_id}",
    operation_id="deleteConversationItem",
    response_model=ConversationResource,
)
async def delete_conversation_item(
    conversation_id: str, item_id: str, call: CurrentCall, conversations: ConversationsDep
) -> Response:
    """Take an item out of a conversation; responses go on without it from then on."""
    return Json(_described(await conversations.delete_item(call.caller.project, conversation_id, item_id)))


def _described(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created_at,
        "metadata": dict(conversation.metadata),
    }
