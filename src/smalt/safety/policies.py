"""Which policy a deployment has, and what a policy looks for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from smalt.core.content_filter_settings import (
    AnswerPolicySettings,
    ContentFilterSettings,
    ContentPolicySettings,
    Detection,
    PromptPolicySettings,
    Severity,
)
from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Deployment

DEFAULT: Final = "default"
NONE: Final = "none"
UNFILTERED_ENGINES: Final = frozenset({"echo"})
"""Engines for tests: their deployments have a policy only when they name one."""


@dataclass(frozen=True)
class Side:
    """What prompts, or answers, are looked at for; what is off is not in here."""

    harms: Mapping[str, Severity]
    detections: Mapping[str, Detection]

    @cached_property
    def needs_scores(self) -> bool:
        """Whether a moderation model has to look."""
        return bool(self.harms) or not self.detections.keys().isdisjoint(SCORED)

    @property
    def without_scores(self) -> "Side":
        """What of it needs no moderation model."""
        return Side({}, {name: wanted for name, wanted in self.detections.items() if name not in SCORED})


SCORED: Final = frozenset({"jailbreak", "indirect_attack"})
"""What only a moderation model can tell, beside the harms."""


@dataclass(frozen=True)
class Policy:
    """What one deployment's prompts and answers are looked at for."""

    name: str
    is_asynchronous: bool
    prompts: Side
    answers: Side
    blocklists: tuple[str, ...]

    @property
    def needs_scores(self) -> bool:
        """Whether a moderation model has to look."""
        return self.prompts.needs_scores or self.answers.needs_scores

    @property
    def looks_at_answers(self) -> bool:
        """Whether there is anything to look for in answers."""
        return bool(self.answers.harms or self.answers.detections or self.blocklists)

    @property
    def without_scores(self) -> "Policy":
        """What of it needs no moderation model."""
        return replace(self, prompts=self.prompts.without_scores, answers=self.answers.without_scores)


class Policies:
    """The policies of the settings."""

    def __init__(self, settings: ContentFilterSettings) -> None:
        made = {DEFAULT: ContentPolicySettings(), **settings.policies}
        if NONE in made:
            raise InvalidRequest(f"content_filter.policies.{NONE}: this name means no filter. Choose another.")
        self._is_enabled = settings.enabled
        self.named = {name: _policy(name, policy) for name, policy in made.items()}

    def of(self, deployment: Deployment, *, is_azure: bool) -> Policy | None:
        """The policy of a deployment, which on Azure's paths may be the default; None when nothing is looked at."""
        name = deployment.content_filter
        if name is None and is_azure and deployment.engine not in UNFILTERED_ENGINES:
            name = DEFAULT
        if not self._is_enabled or name is None or name == NONE:
            return None
        return self.named[name]

    def check(self, deployment: Deployment) -> None:
        """Refuse the name of a policy that there is not."""
        name = deployment.content_filter
        if name is not None and name != NONE and name not in self.named:
            raise InvalidRequest(
                f"deployments.{deployment.name}.content_filter: there is no policy '{name}'. "
                f"There are: {', '.join(sorted(self.named))}, and {NONE}."
            )


def _policy(name: str, settings: ContentPolicySettings) -> Policy:
    return Policy(
        name,
        settings.mode == "asynchronous",
        _prompts(settings.prompts),
        _answers(settings.answers),
        tuple(dict.fromkeys(settings.blocklists)),
    )


def _prompts(settings: PromptPolicySettings) -> Side:
    detections: dict[str, Detection] = {
        "indirect_attack": settings.indirect_attack,
        "jailbreak": settings.jailbreak,
        "profanity": settings.profanity,
    }
    return Side(_harms(settings), _wanted(detections))


def _answers(settings: AnswerPolicySettings) -> Side:
    detections: dict[str, Detection] = {
        "profanity": settings.profanity,
        "protected_material_code": settings.protected_material_code,
        "protected_material_text": settings.protected_material_text,
        "ungrounded_material": settings.ungrounded_material,
    }
    return Side(_harms(settings), _wanted(detections))


def _harms(settings: PromptPolicySettings | AnswerPolicySettings) -> Mapping[str, Severity]:
    harms: dict[str, Severity] = {
        "hate": settings.hate,
        "self_harm": settings.self_harm,
        "sexual": settings.sexual,
        "violence": settings.violence,
    }
    return {harm: severity for harm, severity in harms.items() if severity != "off"}


def _wanted(detections: Mapping[str, Detection]) -> Mapping[str, Detection]:
    return {name: detection for name, detection in detections.items() if detection != "off"}
