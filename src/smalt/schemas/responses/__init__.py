"""Responses: what is asked, the items that go in and out, the object that is kept, the events of its stream."""

from smalt.schemas.responses.events import ResponseStreamEvent, ResponseStreamEventType
from smalt.schemas.responses.item_params import ItemParam
from smalt.schemas.responses.items import ItemResource, ResponseItemList
from smalt.schemas.responses.request import AzureCreateResponse, Includable
from smalt.schemas.responses.response import AzureResponse, DeleteResponse, ResponseError, ResponseUsage

__all__ = [
    "AzureCreateResponse",
    "AzureResponse",
    "DeleteResponse",
    "Includable",
    "ItemParam",
    "ItemResource",
    "ResponseError",
    "ResponseItemList",
    "ResponseStreamEvent",
    "ResponseStreamEventType",
    "ResponseUsage",
]
