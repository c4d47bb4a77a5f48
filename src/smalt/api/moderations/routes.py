"""Moderations."""

from fastapi import Response

from smalt.api.dependencies import ModelsDep, ModeratorDep
from smalt.api.moderations.answers import answer, is_text_moderation
from smalt.api.moderations.inputs import Asked
from smalt.api.moderations.pictures import PicturesDep
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router
from smalt.schemas.moderations import (
    CreateModerationRequest,
    CreateModerationResponse,
    CreateTextModerationResponse,
)

router = Router(tags=["moderations"])


@router.post(
    "/moderations",
    operation_id="createModeration",
    response_model=CreateModerationResponse | CreateTextModerationResponse,
    mounts={"openai_v1", "azure_v1"},
    metered=True,
)
async def create_moderation(
    body: CreateModerationRequest, call: CurrentCall, models: ModelsDep, moderator: ModeratorDep, pictures: PicturesDep
) -> Response:
    """Tell what is harmful in each text, or in a picture and its text together."""
    moderator.check(body.model, param="model")
    is_older = is_text_moderation(models, body.model)
    asked = Asked.of(body, takes_pictures=not is_older)
    judgements = await asked.judgements(moderator, pictures)
    call.spend(models.find(body.model).model, prompt_tokens=asked.tokens)
    return Json(answer(moderator.shown_name(body.model), judgements, is_older=is_older))
