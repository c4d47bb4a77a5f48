"""What an operator may choose of the content filter: policies for prompts and for answers."""

from typing import Literal

from pydantic import Field

from smalt.core.sections import Section

Severity = Literal["off", "annotate", "low", "medium", "high"]
"""What is done about a harm: nothing, telling of it, or blocking at and above a severity."""

Detection = Literal["off", "annotate", "block"]
"""What is done about something that is there or not."""


class SideSettings(Section):
    """What prompts and answers are both looked at for."""

    hate: Severity = Field(default="medium", description="Hate and harassment.")
    sexual: Severity = Field(default="medium", description="Sexual content.")
    violence: Severity = Field(default="medium", description="Violence.")
    self_harm: Severity = Field(default="medium", description="Self-harm.")
    profanity: Detection = Field(default="off", description="Swear words.")


class PromptPolicySettings(SideSettings):
    """What prompts are looked at for."""

    jailbreak: Detection = Field(default="block", description="Attempts of users to undo the model's instructions.")
    indirect_attack: Detection = Field(
        default="off", description="Instructions hidden in documents and in results of tools."
    )


class AnswerPolicySettings(SideSettings):
    """What answers are looked at for."""

    protected_material_text: Detection = Field(
        default="block", description="Texts of the operator's index; absent while it holds none."
    )
    protected_material_code: Detection = Field(
        default="annotate", description="Code of the operator's index; absent while it holds none."
    )
    ungrounded_material: Detection = Field(
        default="off", description="What an answer On Your Data says and its documents do not."
    )


class ContentPolicySettings(Section):
    """One policy: `[content_filter.policies.NAME]`."""

    mode: Literal["buffered", "asynchronous"] = Field(
        default="buffered",
        description="Text leaves after it was looked at, or (asynchronous) at once, and is told of later.",
    )
    prompts: PromptPolicySettings = Field(default_factory=PromptPolicySettings)
    answers: AnswerPolicySettings = Field(default_factory=AnswerPolicySettings)
    blocklists: list[str] = Field(
        default_factory=list[str], description="Block lists (smalt blocklists) that prompts and answers must not match."
    )


class ContentFilterSettings(Section):
    """What prompts and answers are looked at for, and what is done then."""

    enabled: bool = Field(
        default=True, description="Filter as policies say; the policy default is that of Azure's paths."
    )
    moderation_model: str = Field(
        default="omni-moderation-latest", description="The deployment or alias that scores texts."
    )
    image_model: str = Field(default="image-moderation", description="The deployment or alias that scores pictures.")
    guard_model: str | None = Field(
        default=None, description="A chat deployment of the Llama Guard kind that judges texts beside moderation_model."
    )
    on_failure: Literal["pass", "refuse"] = Field(
        default="pass", description="When nothing can judge: answer with results that say so, as Azure does, or 503."
    )
    policies: dict[str, ContentPolicySettings] = Field(
        default_factory=dict[str, ContentPolicySettings],
        description="Policies that deployments may name; one named default replaces the built-in one.",
    )
