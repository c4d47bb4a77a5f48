"""Takes in one part of an upload while it arrives."""

from smalt.core.errors import InvalidRequest
from smalt.http.body import Body
from smalt.http.call import call_of
from smalt.store.uploads import UploadPart, Uploads

MOST_BYTES = 64 * 2**20


async def take_part(body: Body, uploads: Uploads, upload_id: str) -> UploadPart:
    """The part that a request's form holds."""
    project = call_of(body.scope).caller.project
    taken: UploadPart | None = None
    async for part in body.form_parts():
        if part.name != "data":
            continue
        if taken is not None:
            raise InvalidRequest("The form has two parts. Send one `data` in each request.", param="data")
        content = part.limited(MOST_BYTES, advice="Cut the file into smaller parts.")
        taken = await uploads.add_part(project, upload_id, content)
    if taken is None:
        message = "Missing required parameter: 'data'. The form needs the bytes of the part as the file `data`."
        raise InvalidRequest(message, param="data", code="missing_required_parameter")
    return taken
