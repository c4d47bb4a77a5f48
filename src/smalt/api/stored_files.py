"""What files may be for on each mount, what they are called there, and how they are shown."""

from typing import Any

from smalt.core.errors import InvalidRequest
from smalt.core.ids import random_id, short_id
from smalt.http.call import Call
from smalt.store.files import StoredFile

UPLOADABLE = ("assistants", "batch", "fine-tune", "evals")
LISTABLE = ("assistants", "assistants_output", "batch", "batch_output", "fine-tune", "fine-tune-results", "evals")
OPENAI_ONLY = ("vision", "user_data")


def uploadable(call: Call, purpose: str) -> str:
    """The purpose of a new file, when the mount has it."""
    return _known(UPLOADABLE, purpose, call)


def listable(call: Call, purpose: str) -> str:
    """The purpose that a list is narrowed to, when the mount has it."""
    return _known(LISTABLE, purpose, call)


def new_file_id(call: Call, purpose: str) -> str:
    """A new file's id, in the shape that the mount's own service gives it."""
    if not call.is_azure:
        return short_id("file-", 22)
    return short_id("assistant-") if purpose == "assistants" else random_id("file-")


def file_json(file: StoredFile, call: Call) -> dict[str, Any]:
    """One file; Azure leaves out what is null."""
    shown = {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.filename,
        "bytes": file.bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "status": file.status,
        "status_details": file.status_details,
    }
    return {name: value for name, value in shown.items() if value is not None} if call.is_azure else shown


def _known(purposes: tuple[str, ...], purpose: str, call: Call) -> str:
    known = purposes if call.is_azure else (*purposes, *OPENAI_ONLY)
    if purpose not in known:
        listed = ", ".join(f"'{one}'" for one in known)
        raise InvalidRequest(f"'{purpose[:64]}' is not one of [{listed}] - 'purpose'", param="purpose")
    return purpose
