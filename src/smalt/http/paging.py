"""Lists as the API pages through them: what a client may ask, and the envelope it gets."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from smalt.store.cursors import Slice
from smalt.store.paging import Order, Page

Item = TypeVar("Item")

MOST = 100

After = Annotated[str | None, Query(description="The id of the last object of the page before.")]
Before = Annotated[str | None, Query(description="The id of the first object of the page behind.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most objects on one page.")]
Direction = Annotated[Order, Query(description="By creation time, oldest first (asc) or newest first (desc).")]


async def asked_slice(
    *, after: After = None, before: Before = None, limit: Limit = 20, order: Direction = "desc"
) -> Slice:
    """The page that a client asks for."""
    return Slice(after, before, limit, order)


AskedSlice = Annotated[Slice, Depends(asked_slice)]


def listed(page: Page[Item], show: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """The list envelope of one page; `show` turns an item into its object, which has an `id`."""
    objects = [show(item) for item in page.items]
    return {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": page.has_more,
    }
