"""The content of files, by its digest: whole or not there at all."""

from smalt.store.blobs.content import Blobs
from smalt.store.blobs.ledger import Blob
from smalt.store.blobs.staging import Staged

__all__ = ["Blob", "Blobs", "Staged"]
