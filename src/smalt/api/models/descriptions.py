"""Describes a model, in the words of v1 and in those of the classic paths."""

from typing import Any

from smalt.engines.protocols import Deployment

Json = dict[str, Any]

OWNER = "smalt"
NEVER = 4102444800
"""The first second of 2100: what is served here is not withdrawn, and the classic shape needs a date."""


def model_json(name: str, deployment: Deployment) -> Json:
    """A model as v1 and OpenAI list it, under a deployment's name or an alias."""
    return {"id": name, "object": "model", "created": deployment.created, "owned_by": OWNER}


def classic_model_json(name: str, deployment: Deployment) -> Json:
    """A model as the classic paths list it."""
    abilities = deployment.abilities
    return {
        "id": name,
        "object": "model",
        "status": "succeeded",
        "created_at": deployment.created,
        "capabilities": {
            "fine_tune": False,
            "inference": True,
            "completion": "completion" in abilities,
            "chat_completion": "chat_completion" in abilities,
            "embeddings": "embeddings" in abilities,
        },
        "lifecycle_status": "generally-available",
        "deprecation": {"inference": NEVER},
    }
