"""What an operation may ask of the wire: the current call."""

from typing import Annotated

from fastapi import Depends, Request

from smalt.http.call import Call, call_of


async def current_call(request: Request) -> Call:
    """The call that this request is."""
    return call_of(request.scope)


CurrentCall = Annotated[Call, Depends(current_call)]
