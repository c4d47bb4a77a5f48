"""Edits."""

from fastapi import Response

from smalt.api.dependencies import GenerationDep
from smalt.api.edits.editing import edited
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router
from smalt.schemas.edits import CreateEditRequest, CreateEditResponse

router = Router(tags=["edits"])


@router.post(
    "/edits",
    operation_id="createEdit",
    response_model=CreateEditResponse,
    mounts={"openai_v1", "azure_v1"},
    deprecated=True,
    metered=True,
)
async def create_edit(body: CreateEditRequest, call: CurrentCall, generation: GenerationDep) -> Response:
    """Change a text as an instruction says."""
    return Json(await edited(body, call, generation))
