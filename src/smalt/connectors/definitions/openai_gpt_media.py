"""The actions of the OpenAI GPT connector that make and read pictures and sound."""

from typing import Final

from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import Action, Operation, Parameter

USER: Final = Parameter(
    key="user", title="User", type="string", help="Your own name for the person on whose behalf you ask."
)
SIZE: Final = Parameter(key="size", title="Size", type="string", help="Width and height, such as `1024x1024`.")
NUMBER: Final = Parameter(key="n", title="Number of Images", type="integer", help="How many pictures to make.")
IMAGE_MODEL: Final = Parameter(
    key="model", title="Model", type="string", values_from="list_models", help="The model that makes the picture."
)
IMAGES: Final = returned(
    ("created", "Created", "integer", "When they were made, in seconds since 1970."),
    ("data", "Data", "array of object", "The pictures."),
    ("data.url", "URL", "string", "Where the picture can be fetched for a while."),
    ("data.revised_prompt", "Revised Prompt", "string", "The description as the model took it."),
)
AUDIO_MODEL: Final = Parameter(
    key="model", title="Model", type="string", required=True, values_from="list_models", help="The model that listens."
)
AUDIO_TEMPERATURE: Final = Parameter(
    key="temperature",
    title="Temperature",
    type="float",
    help="How freely words are chosen, from 0 to 1; at 0 the model finds a fitting value itself.",
)
TEXT: Final = returned(("text", "Text", "string", "What was said."))

CREATE_IMAGE: Final = Action(
    name="create_image",
    title="Create image",
    description="Makes pictures from a description.",
    operations=(Operation(method="POST", path="/images/generations"),),
    parameters=(
        IMAGE_MODEL,
        Parameter(key="prompt", title="Prompt", type="string", required=True, help="What the picture shows."),
        NUMBER,
        Parameter(
            key="quality", title="Quality", type="string", help="How much care to take, such as `standard` or `hd`."
        ),
        SIZE,
        Parameter(key="style", title="Style", type="string", help="`vivid` or `natural`, for models that know them."),
        USER,
    ),
    returns=IMAGES,
)

CREATE_IMAGE_EDIT: Final = Action(
    name="create_image_edit",
    title="Create image edit",
    description="Changes or extends a picture as described.",
    operations=(Operation(method="POST", path="/images/edits", body="form"),),
    parameters=(
        Parameter(key="image", title="Image", type="file", required=True, help="The picture to change."),
        Parameter(key="prompt", title="Prompt", type="string", help="What the picture shall show."),
        Parameter(
            key="mask",
            title="Mask",
            type="file",
            help="A picture of the same size that is see-through where the first may change.",
        ),
        IMAGE_MODEL,
        NUMBER,
        SIZE,
        USER,
    ),
    returns=IMAGES,
)

CREATE_IMAGE_VARIATION: Final = Action(
    name="create_image_variation",
    title="Create image variation",
    description="Makes pictures like a given one.",
    operations=(Operation(method="POST", path="/images/variations", body="form"),),
    parameters=(
        Parameter(key="image", title="Image", type="file", required=True, help="The picture to vary."),
        IMAGE_MODEL,
        NUMBER,
        SIZE,
        USER,
    ),
    returns=IMAGES,
)

CREATE_SPEECH: Final = Action(
    name="create_speech",
    title="Create speech",
    description="Reads a text aloud.",
    operations=(Operation(method="POST", path="/audio/speech", answer="binary"),),
    parameters=(
        Parameter(
            key="model",
            title="Model",
            type="string",
            required=True,
            values_from="list_models",
            help="The model that speaks.",
        ),
        Parameter(key="input", title="Input", type="string", required=True, help="The text to read."),
        Parameter(key="voice", title="Voice", type="string", required=True, help="Whose voice it is, such as `alloy`."),
        Parameter(
            key="response_format",
            title="Response Format",
            type="string",
            help="The kind of sound file, such as `mp3`, `opus`, `flac` or `wav`.",
        ),
        Parameter(key="speed", title="Speed", type="float", help="From 0.25 to 4; 1 is how people speak."),
    ),
    returns=returned(
        ("$content", "Content", "string", "The sound file, in base64."),
        ("$content-type", "Content Type", "string", "What kind of file it is, such as `audio/mpeg`."),
    ),
)

CREATE_TRANSCRIPTION: Final = Action(
    name="create_transcription",
    title="Create transcription",
    description="Writes down what is said in a recording, in its own language.",
    operations=(Operation(method="POST", path="/audio/transcriptions", body="form"),),
    parameters=(
        Parameter(
            key="file", title="File", type="file", required=True, help="The recording: a common kind of sound file."
        ),
        AUDIO_MODEL,
        Parameter(key="language", title="Language", type="string", help="The language that is spoken, such as `en`."),
        Parameter(
            key="prompt", title="Prompt", type="string", help="Text in the wanted style, or what was said before."
        ),
        AUDIO_TEMPERATURE,
    ),
    returns=TEXT,
)

CREATE_TRANSLATION: Final = Action(
    name="create_translation",
    title="Create translation",
    description="Writes down in English what is said in a recording.",
    operations=(Operation(method="POST", path="/audio/translations", body="form"),),
    parameters=(
        Parameter(
            key="file", title="File", type="file", required=True, help="The recording: a common kind of sound file."
        ),
        AUDIO_MODEL,
        Parameter(key="prompt", title="Prompt", type="string", help="English text in the wanted style."),
        AUDIO_TEMPERATURE,
    ),
    returns=TEXT,
)
