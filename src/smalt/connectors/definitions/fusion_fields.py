"""The fields and the operations that several Fusion modules share or choose among."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from smalt.connectors.definitions.vocabulary import Operation, Parameter

CREATE_JOB: Final = "create_fine_tuning_job"
OF_ONE_JOB: Final = ("retrieve_fine_tuning_job", "cancel_fine_tuning_job", "list_fine_tuning_events")

IMAGE_OPERATIONS: Final = (
    Operation(method="POST", path="/images/edits", name="create_image_edit", title="Create an edit", body="form"),
    Operation(
        method="POST", path="/images/variations", name="create_image_variation", title="Create a variation", body="form"
    ),
)
MODEL_OPERATIONS: Final = (
    Operation(method="GET", path="/models", name="list_models", title="List models", body="none"),
    Operation(method="GET", path="/models/{model}", name="retrieve_model", title="Retrieve model", body="none"),
)
SOUND_OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/audio/transcriptions",
        name="create_transcription",
        title="Transcribe into the input language",
        body="form",
    ),
    Operation(
        method="POST",
        path="/audio/translations",
        name="create_translation",
        title="Transcribe into English",
        body="form",
    ),
)
FILE_OPERATIONS: Final = (
    Operation(method="GET", path="/files", name="list_files", title="List files", body="none"),
    Operation(method="DELETE", path="/files/{file_id}", name="delete_file", title="Delete a file", body="none"),
    Operation(method="GET", path="/files/{file_id}", name="retrieve_file", title="Retrieve a file", body="none"),
    Operation(
        method="GET",
        path="/files/{file_id}/content",
        name="retrieve_file_content",
        title="Retrieve a file's content",
        body="none",
        answer="binary",
    ),
)
JOB_OPERATIONS: Final = (
    Operation(method="POST", path="/fine_tuning/jobs", name=CREATE_JOB, title="Fine-tune a model from a dataset"),
    Operation(
        method="GET",
        path="/fine_tuning/jobs/{fine_tuning_job_id}",
        name="retrieve_fine_tuning_job",
        title="Get information about a fine-tune job",
        body="none",
    ),
    Operation(
        method="POST",
        path="/fine_tuning/jobs/{fine_tuning_job_id}/cancel",
        name="cancel_fine_tuning_job",
        title="Cancel a fine-tune job",
        body="none",
    ),
    Operation(
        method="GET",
        path="/fine_tuning/jobs/{fine_tuning_job_id}/events",
        name="list_fine_tuning_events",
        title="Get status updates for a fine-tune job",
        body="none",
    ),
    Operation(
        method="DELETE", path="/models/{model}", name="delete_model", title="Delete a fine-tuned model", body="none"
    ),
)
API_OPERATION: Final = Operation(method="GET", path="/{url}", name="custom_call", title="Make a custom API call")

MODEL: Final = Parameter(
    key="model",
    title="Model",
    type="string",
    required=True,
    values_from="get_models",
    help="The model; Get models lists them.",
)
MESSAGES: Final = (
    Parameter(
        key="role",
        title="Role",
        type="string",
        required=True,
        at="messages[].role",
        choices=("developer", "system", "user", "assistant"),
        help="Who says the message.",
    ),
    Parameter(
        key="content", title="Content", type="string", required=True, at="messages[].content", help="What it says."
    ),
    Parameter(
        key="name",
        title="Name",
        type="string",
        at="messages[].name",
        help="The name of its author: up to 64 letters, digits and underscores.",
    ),
)
REQUEST: Final = (
    Parameter(
        key="url",
        title="URL",
        type="string",
        required=True,
        place="custom",
        help="The path below the API's root, such as `models`.",
    ),
    Parameter(
        key="method",
        title="Method",
        type="string",
        required=True,
        place="custom",
        choices=("GET", "POST", "PUT", "PATCH", "DELETE"),
        help="What to do there.",
    ),
    Parameter(
        key="headers",
        title="Headers",
        type="object",
        place="custom",
        help="Names and values as a JSON object; the connection adds who you are.",
    ),
    Parameter(
        key="qs",
        title="Query String",
        type="object",
        place="custom",
        help="Names and values of the query as a JSON object.",
    ),
    Parameter(key="body", title="Body", type="object", place="custom", help="What to send, as a JSON object."),
)
JOB_FIELDS: Final = (
    Parameter(
        key="file_id",
        title="File ID",
        type="string",
        required=True,
        at="training_file",
        operations=(CREATE_JOB,),
        help="The uploaded file of examples to learn from.",
    ),
    Parameter(
        key="fine_tuning_job_id",
        title="Job ID",
        type="string",
        required=True,
        place="path",
        operations=OF_ONE_JOB,
        help="The job.",
    ),
    Parameter(
        key="stream",
        title="Stream",
        type="boolean",
        place="query",
        operations=("list_fine_tuning_events",),
        help="Answers of a connector come whole, so this stays off.",
    ),
    Parameter(
        key="model",
        title="Model ID",
        type="string",
        required=True,
        place="path",
        values_from="get_models",
        operations=("delete_model",),
        help="The fine-tuned model to delete.",
    ),
)


def selector(title: str, operations: Sequence[Operation]) -> Parameter:
    """The field that chooses among the operations."""
    return Parameter(
        key="operation",
        title=title,
        type="string",
        required=True,
        place="selector",
        choices=tuple(operation.name for operation in operations),
        help="What to do.",
    )


def limit(items: str) -> Parameter:
    """The field that says how many `items` of the answer a cycle of the scenario works with."""
    return Parameter(
        key="limit",
        title="Limit",
        type="integer",
        place="limit",
        at=items,
        help="How many results the module works with at most in each cycle of the scenario.",
    )


def for_operation(name: str, parameter: Parameter) -> Parameter:
    """The field, for one of the module's operations alone."""
    return replace(parameter, operations=(name,))
