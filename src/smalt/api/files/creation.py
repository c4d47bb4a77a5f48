"""Makes a file of a form while it arrives."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from smalt.api.files.expiration import expiration_of, seconds_of
from smalt.api.line_inspection import faults
from smalt.api.stored_files import new_file_id, uploadable
from smalt.core.errors import InvalidRequest
from smalt.core.settings import LimitSettings
from smalt.http.body import Body
from smalt.http.call import Call, call_of
from smalt.http.multipart import Part
from smalt.store.blobs import Blobs, Staged
from smalt.store.files import Files, NewFile, StoredFile

EXPIRY_FIELDS = {
    "expires_after[anchor]": "anchor",
    "expires_after[seconds]": "seconds",
    "expires_after.anchor": "anchor",
    "expires_after.seconds": "seconds",
}
UNNAMED = "upload"
ADVICE = "Send it in parts with POST /uploads, or raise limits.upload_bytes."


@dataclass
class FileForm:
    """What a form has said so far."""

    purpose: str | None = None
    filename: str = UNNAMED
    content: Staged | None = None
    expires_after: dict[str, Any] = field(default_factory=dict[str, Any])


class FileCreation:
    """Takes in forms with files; nothing is visible before a whole form was understood."""

    def __init__(self, files: Files, blobs: Blobs, limits: LimitSettings) -> None:
        self._files = files
        self._blobs = blobs
        self._limits = limits

    async def create(self, body: Body) -> StoredFile:
        """Make the file that a request holds; its fields may stand before or behind it."""
        call = call_of(body.scope)
        form = FileForm()
        async with AsyncExitStack() as stack:
            async for part in body.form_parts():
                if part.name == "file":
                    await self._take_file(part, form, stack)
                else:
                    await _take_field(part, form, call)
            return await self._keep(form, call)

    async def _take_file(self, part: Part, form: FileForm, stack: AsyncExitStack) -> None:
        if form.content is not None:
            raise InvalidRequest("The form has two files. Send one file in each request.", param="file")
        form.filename = part.filename or UNNAMED
        content = part.limited(self._limits.upload_bytes, advice=ADVICE)
        form.content = await stack.enter_async_context(self._blobs.staged(content))

    async def _keep(self, form: FileForm, call: Call) -> StoredFile:
        if form.content is None:
            raise _missing("file")
        if form.purpose is None:
            raise _missing("purpose")
        seconds = seconds_of(form.expires_after)
        found = await faults(form.content.path, form.purpose, longest_line=self._limits.body_bytes)
        new = NewFile(
            id=new_file_id(call, form.purpose),
            blob=await self._blobs.keep(form.content),
            filename=form.filename,
            purpose=form.purpose,
            expires_after_seconds=seconds,
            status="error" if found else "processed",
            status_details=found,
        )
        return await self._files.create(call.caller.project, new)


async def _take_field(part: Part, form: FileForm, call: Call) -> None:
    if part.name == "purpose":
        form.purpose = uploadable(call, await part.text())
    elif part.name == "expires_after":
        form.expires_after |= expiration_of(await part.text())
    elif part.name in EXPIRY_FIELDS:
        form.expires_after[EXPIRY_FIELDS[part.name]] = await part.text()


def _missing(name: str) -> InvalidRequest:
    message = f"Missing required parameter: '{name}'. The form needs the fields file and purpose."
    return InvalidRequest(message, param=name, code="missing_required_parameter")
