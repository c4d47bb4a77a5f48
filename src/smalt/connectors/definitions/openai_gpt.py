"""The OpenAI GPT connector."""

from typing import Final

from smalt.connectors.definitions import openai_gpt_media as media
from smalt.connectors.definitions import openai_gpt_models as models
from smalt.connectors.definitions import openai_gpt_text as text
from smalt.connectors.definitions.vocabulary import ConnectionField, ConnectionKind, Connector, Throttle

API_KEY: Final = ConnectionKind(
    name="default",
    title="Default",
    description="Signs in with an API key.",
    fields=(
        ConnectionField(
            key="api_key",
            title="API Key",
            type="securestring",
            required=True,
            help="The key, with the word Bearer and a space before it.",
        ),
    ),
    # The key has the word Bearer in it.
    headers={"Authorization": "{api_key}"},
)

CONNECTOR: Final = Connector(
    name="openai-gpt",
    title="OpenAI GPT (Independent Publisher)",
    description="Chat, completions, embeddings, pictures, sound, moderation and fine-tuning by OpenAI's interface.",
    publisher="Troy Taylor",
    website="https://openai.com/",
    privacy_policy="https://openai.com/api/policies/terms/",
    categories=("AI",),
    brand_color="#0047ab",
    base_url="https://api.openai.com/v1",
    mount="/v1",
    connections=(API_KEY,),
    throttle=Throttle(calls=100, seconds=60),
    actions=(
        models.CANCEL_FINE_TUNING,
        text.CREATE_COMPLETION,
        text.CREATE_EMBEDDING,
        models.CREATE_FINE_TUNING_JOB,
        media.CREATE_IMAGE,
        media.CREATE_IMAGE_EDIT,
        media.CREATE_IMAGE_VARIATION,
        text.CREATE_MODERATION,
        media.CREATE_SPEECH,
        media.CREATE_TRANSCRIPTION,
        media.CREATE_TRANSLATION,
        text.EDIT_PROMPT,
        text.GET_CHAT_COMPLETIONS,
        models.LIST_FINE_TUNING_EVENTS,
        models.LIST_MODELS,
        models.RETRIEVE_FINE_TUNING_JOB,
    ),
    extra={"products": {"Logic Apps": "Standard", "Power Automate": "Premium", "Power Apps": "Premium"}},
)
