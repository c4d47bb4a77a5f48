"""Puts the parts of an upload together to the file that they are."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from smalt.api.line_inspection import faults
from smalt.api.stored_files import new_file_id
from smalt.core.errors import InvalidRequest
from smalt.http.call import Call
from smalt.schemas.files import CompleteUploadRequest
from smalt.store.blobs import Blobs
from smalt.store.files import NewFile, StoredFile
from smalt.store.uploads import Upload, Uploads


class UploadCompletion:
    """Makes files of uploads; a file is visible when all of it is there."""

    def __init__(self, uploads: Uploads, blobs: Blobs, *, longest_line: int) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._longest_line = longest_line

    async def complete(self, call: Call, upload_id: str, body: CompleteUploadRequest) -> tuple[Upload, StoredFile]:
        """The ended upload, and the file of its parts in the order that the body says."""
        project = call.caller.project
        upload, parts = await self._uploads.arranged(project, upload_id, body.part_ids)
        md5 = hashlib.md5(usedforsecurity=False)
        content = self._uploads.content(parts)
        async with self._blobs.staged(_hashed(content, md5.update) if body.md5 else content) as staged:
            if body.md5 and md5.hexdigest() != body.md5.lower():
                message = f"The parts have the MD5 {md5.hexdigest()}, not {body.md5}. Send the differing parts again."
                raise InvalidRequest(message, param="md5", code="invalid_value")
            found = await faults(staged.path, upload.purpose, longest_line=self._longest_line)
            new = NewFile(
                id=new_file_id(call, upload.purpose),
                blob=await self._blobs.keep(staged),
                filename=upload.filename,
                purpose=upload.purpose,
                expires_after_seconds=upload.file_expires_after_seconds,
                status="error" if found else "processed",
                status_details=found,
            )
        return await self._uploads.complete(project, upload_id, new)


async def _hashed(content: AsyncIterator[bytes], update: Callable[[bytes], None]) -> AsyncGenerator[bytes]:
    async for chunk in content:
        update(chunk)
        yield chunk
