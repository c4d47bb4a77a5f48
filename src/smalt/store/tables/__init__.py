"""The tables of the database, as the newest migration leaves them."""

from smalt.store.tables.accounts import end_users, keys, revisions, usage
from smalt.store.tables.base import metadata
from smalt.store.tables.blocklists import blocklist_items, blocklists
from smalt.store.tables.connections import connector_connections, throttle_slots
from smalt.store.tables.connector_runs import connector_run_rows, connector_runs
from smalt.store.tables.containers import container_files, containers
from smalt.store.tables.conversations import conversation_items, conversations
from smalt.store.tables.files import blob_holds, blobs, doomed_blobs, files, upload_parts, uploads
from smalt.store.tables.idempotent_answers import idempotent_answers
from smalt.store.tables.jobs import job_runners, job_sweeps, jobs
from smalt.store.tables.prompts import prompt_versions, prompts
from smalt.store.tables.protected_materials import protected_fingerprints, protected_materials
from smalt.store.tables.responses import response_events, response_input_items, responses
from smalt.store.tables.spoken_answers import spoken_answers
from smalt.store.tables.stored_completions import stored_completion_metadata, stored_completions
from smalt.store.tables.vector_stores import (
    chunk_vectors,
    chunks,
    vector_store_file_batches,
    vector_store_files,
    vector_stores,
)

__all__ = [
    "blob_holds",
    "blobs",
    "blocklist_items",
    "blocklists",
    "chunk_vectors",
    "chunks",
    "connector_connections",
    "connector_run_rows",
    "connector_runs",
    "container_files",
    "containers",
    "conversation_items",
    "conversations",
    "doomed_blobs",
    "end_users",
    "files",
    "idempotent_answers",
    "job_runners",
    "job_sweeps",
    "jobs",
    "keys",
    "metadata",
    "prompt_versions",
    "prompts",
    "protected_fingerprints",
    "protected_materials",
    "response_events",
    "response_input_items",
    "responses",
    "revisions",
    "spoken_answers",
    "stored_completion_metadata",
    "stored_completions",
    "throttle_slots",
    "upload_parts",
    "uploads",
    "usage",
    "vector_store_file_batches",
    "vector_store_files",
    "vector_stores",
]
