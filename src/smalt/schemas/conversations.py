"""The wire vocabulary of conversations: items that are kept together and go on growing."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from smalt.schemas.responses.item_params import ItemParam
from smalt.schemas.responses.items import ItemResource
from smalt.schemas.wire import Body, Metadata, Wire

MOST_ITEMS_OF_A_REQUEST = 20

ConversationItem = TypeAliasType("ConversationItem", ItemResource)


class CreateConversationBody(Body):
    """Makes a conversation, with items in it or empty."""

    metadata: Metadata | None = None
    items: Annotated[list[ItemParam], Field(max_length=MOST_ITEMS_OF_A_REQUEST)] | None = None


class UpdateConversationBody(Body):
    """Replaces the metadata of a conversation; null takes it away."""

    metadata: Metadata | None


class CreateConversationItemsBody(Body):
    """Adds items to the end of a conversation."""

    items: Annotated[list[ItemParam], Field(min_length=1, max_length=MOST_ITEMS_OF_A_REQUEST)]


class ConversationResource(Wire):
    """A conversation, without its items."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: Metadata


class ConversationItemList(Wire):
    """Items of a conversation."""

    object: Literal["list"]
    data: list[ConversationItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedConversationResource(Wire):
    """Says that a conversation is gone; its items may be kept by responses."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: bool
