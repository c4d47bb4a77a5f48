"""The actions of the OpenAI GPT connector about models and their fine-tuning."""

from typing import Final

from smalt.connectors.definitions.rows import Row, returned
from smalt.connectors.definitions.vocabulary import Action, Operation, Parameter

JOB_ID: Final = Parameter(
    key="fine_tuning_job_id",
    title="Fine-tuning Job ID",
    type="string",
    required=True,
    place="path",
    help="The job, such as `ftjob-…`.",
)
OBJECT: Final[Row] = ("object", "Object", "string", "What the result is: `fine_tuning.job`.")
JOB: Final[tuple[Row, ...]] = (
    ("id", "ID", "string", "The job."),
    ("model", "Model", "string", "The model that is tuned."),
    ("created_at", "Created At", "integer", "When the job was made, in seconds since 1970."),
)
TUNED: Final[tuple[Row, ...]] = (
    ("fine_tuned_model", "Fine-Tuned Model", "string", "The new model, once there is one."),
    ("organization_id", "Organization ID", "string", "Whose job it is."),
    ("result_files", "Result Files", "array of string", "The files that hold the measurements of the training."),
)
FILES: Final[tuple[Row, ...]] = (
    ("status", "Status", "string", "Where the job stands, such as `running` or `succeeded`."),
    ("validation_file", "Validation File", "string", "The file that the model is measured on."),
    ("training_file", "Training File", "string", "The file that the model learns from."),
)

CANCEL_FINE_TUNING: Final = Action(
    name="cancel_fine_tuning",
    title="Cancel fine-tuning",
    description="Stops a fine-tuning job at once.",
    operations=(Operation(method="POST", path="/fine_tuning/jobs/{fine_tuning_job_id}/cancel", body="none"),),
    parameters=(JOB_ID,),
    returns=returned(
        OBJECT,
        *JOB,
        *TUNED,
        ("hyperparameters.n_epochs", "Epochs", "integer", "How often the training file is gone through."),
        *FILES,
    ),
)

CREATE_FINE_TUNING_JOB: Final = Action(
    name="create_fine_tuning_job",
    title="Create fine-tuning job",
    description="Begins to tune a model on a file of examples.",
    operations=(Operation(method="POST", path="/fine_tuning/jobs"),),
    parameters=(
        Parameter(
            key="training_file",
            title="Training File",
            type="string",
            required=True,
            help="The id of the uploaded file to learn from.",
        ),
        Parameter(
            key="validation_file",
            title="Validation File",
            type="string",
            help="The id of an uploaded file to measure the model on.",
        ),
        Parameter(
            key="model",
            title="Model",
            type="string",
            required=True,
            values_from="list_models",
            help="The model to tune.",
        ),
        Parameter(
            key="n_epochs",
            title="Epochs",
            type="integer",
            at="hyperparameters.n_epochs",
            help="How often to go through the training file.",
        ),
        Parameter(
            key="suffix", title="Suffix", type="string", help="A part of the new model's name, of up to 40 characters."
        ),
    ),
    returns=returned(OBJECT, *JOB, *TUNED, *FILES),
)

LIST_FINE_TUNING_EVENTS: Final = Action(
    name="list_fine_tuning_events",
    title="List fine-tuning events",
    description="Tells what has happened in a fine-tuning job so far.",
    operations=(Operation(method="GET", path="/fine_tuning/jobs/{fine_tuning_job_id}/events", body="none"),),
    parameters=(
        JOB_ID,
        Parameter(
            key="after", title="After", type="string", place="query", help="The last event of the page before this one."
        ),
        Parameter(key="limit", title="Limit", type="integer", place="query", help="How many events to list at most."),
    ),
    returns=returned(
        ("object", "Object", "string", "What the result is: `list`."),
        ("data", "Data", "array of object", "The events, the newest first."),
        ("data.object", "Object", "string", "What the entry is: `fine_tuning.job.event`."),
        ("data.id", "ID", "string"),
        ("data.created_at", "Created At", "integer", "When it happened, in seconds since 1970."),
        ("data.level", "Level", "string", "How grave it is: `info`, `warn` or `error`."),
        ("data.message", "Message", "string", "What happened."),
        ("data.data", "Data", "string", "The figures that belong to it, as JSON."),
        ("data.type", "Type", "string", "`message` or `metrics`."),
        ("has_more", "Has More", "boolean", "Whether there is another page."),
    ),
)

LIST_MODELS: Final = Action(
    name="list_models",
    title="List models",
    description="Lists the models that can be used.",
    operations=(Operation(method="GET", path="/models", body="none"),),
    returns=returned(
        ("object", "Object", "string", "What the result is: `list`."),
        ("data", "Data", "array of object", "The models."),
        ("data.id", "ID", "string", "The name that requests use."),
        ("data.object", "Object", "string", "What the entry is: `model`."),
        ("data.created", "Created", "integer", "Since when there is the model, in seconds since 1970."),
        ("data.owned_by", "Owned By", "string", "Whose model it is."),
        ("data.permission", "Permission", "array of object", "What may be done with it, in old answers."),
        ("data.permission.id", "ID", "string"),
        ("data.permission.object", "Object", "string"),
        ("data.permission.created", "Created", "integer"),
        ("data.permission.allow_create_engine", "Allow Create Engine", "boolean"),
        ("data.permission.allow_sampling", "Allow Sampling", "boolean"),
        ("data.permission.allow_logprobs", "Allow Logprobs", "boolean"),
        ("data.permission.allow_search_indices", "Allow Search Indices", "boolean"),
        ("data.permission.allow_view", "Allow View", "boolean"),
        ("data.permission.allow_fine_tuning", "Allow Fine Tuning", "boolean"),
        ("data.permission.organization", "Organization", "string"),
        ("data.permission.group", "Group", "string"),
        ("data.permission.is_blocking", "Is Blocking", "boolean"),
        ("data.root", "Root", "string", "The model that it was made from first, in old answers."),
        ("data.parent", "Parent", "string", "The model that it was made from, in old answers."),
    ),
)

RETRIEVE_FINE_TUNING_JOB: Final = Action(
    name="retrieve_fine_tuning_job",
    title="Retrieve fine-tuning job",
    description="Tells where a fine-tuning job stands.",
    operations=(Operation(method="GET", path="/fine_tuning/jobs/{fine_tuning_job_id}", body="none"),),
    parameters=(JOB_ID,),
    returns=returned(
        OBJECT,
        *JOB,
        ("finished_at", "Finished At", "integer", "When the job ended, in seconds since 1970."),
        *TUNED,
        *FILES,
        ("hyperparameters.n_epochs", "epochs", "integer", "How often the training file is gone through."),
        ("trained_tokens", "Trained Tokens", "integer", "How many tokens the model has learned from."),
    ),
)
