"""The content filter of the settings: every deployment has the checks of its policy."""

import logging
from collections.abc import Sequence

from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.errors import InvalidRequest, ModelNotFound
from smalt.engines.protocols import Deployment
from smalt.models import Models
from smalt.safety.blocklists import LiveBlocklists
from smalt.safety.checking import PolicyChecks
from smalt.safety.content_filter import Delivery
from smalt.safety.guard import Guard
from smalt.safety.judging import Judge
from smalt.safety.policies import DEFAULT, Policies
from smalt.safety.protected_material import ProtectedMaterial
from smalt.safety.scoring import Scorer
from smalt.store.blocklists import Blocklists
from smalt.store.database import Database
from smalt.store.protected_material import ProtectedMaterials

logger = logging.getLogger(__name__)


class PolicyFilter:
    """Gives each request the checks of its deployment's policy; raises `InvalidRequest` for settings that are wrong."""

    def __init__(self, settings: ContentFilterSettings, models: Models, database: Database) -> None:
        self._policies = Policies(settings)
        self._settings = settings
        self._models = models
        self._blocklists = LiveBlocklists(Blocklists(database))
        self._has_warned = False
        scorer = self._scorer()
        self._judge = Judge(
            scorer=scorer,
            guard=None if scorer is None else self._guard(),
            blocklists=self._blocklists,
            protected=ProtectedMaterial(ProtectedMaterials(database)),
            passes=settings.on_failure == "pass",
        )
        self._has_scorer = scorer is not None
        if settings.enabled:
            self._check_deployments(models.deployments())

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> PolicyChecks | None:
        """What a request to a deployment is looked at for; None when nothing is."""
        policy = self._policies.of(deployment, is_azure=is_azure)
        if policy is None:
            return None
        if deployment.content_filter is None and policy.needs_scores and not self._has_scorer:
            self._warn()
            if DEFAULT not in self._settings.policies:
                return None
            policy = policy.without_scores
        return PolicyChecks(policy, self._judge, tells=is_azure, delivery=delivery)

    async def check_blocklists(self) -> None:
        """Raise `InvalidRequest` when a policy names a block list that there is not."""
        wanted = {name: policy for policy in self._policies.named.values() for name in policy.blocklists}
        if not wanted or not self._settings.enabled:
            return
        there = await self._blocklists.names()
        for name, policy in wanted.items():
            if name not in there:
                raise InvalidRequest(
                    f"content_filter.policies.{policy.name}.blocklists: there is no block list '{name}'. There are: "
                    f"{', '.join(there) or 'none'}. Make it with: smalt blocklists create {name}"
                )

    def _check_deployments(self, deployments: Sequence[Deployment]) -> None:
        for deployment in deployments:
            self._policies.check(deployment)
            policy = self._policies.of(deployment, is_azure=False)
            if policy is not None and policy.needs_scores and not self._has_scorer:
                raise InvalidRequest(
                    f"deployments.{deployment.name}.content_filter: the policy '{policy.name}' needs a moderation "
                    f"model, and content_filter.moderation_model ('{self._settings.moderation_model}') does not exist. "
                    "Name a deployment with the ability moderation there, or set starter = true."
                )

    def _scorer(self) -> Scorer | None:
        settings = self._settings
        if not settings.enabled or self._named("moderation_model", "moderation") is None:
            return None
        image_model = self._named("image_model", "image_moderation")
        return Scorer(self._models, model=settings.moderation_model, image_model=image_model)

    def _guard(self) -> Guard | None:
        if self._settings.guard_model is None or (name := self._named("guard_model", "chat_completion")) is None:
            return None
        return Guard(self._models, name)

    def _named(self, field: str, ability: str) -> str | None:
        """The model that a setting names; None when the setting is left out and what it stands for is not there."""
        name: str = getattr(self._settings, field)
        try:
            deployment = self._models.find(name)
        except ModelNotFound as error:
            if field in self._settings.model_fields_set:
                raise InvalidRequest(f"content_filter.{field}: {error.message}") from error
            return None
        # One without any lacks its packages, which whoever leases it is told.
        if deployment.abilities and ability not in deployment.abilities:
            raise InvalidRequest(f"content_filter.{field}: the model '{name}' has no {ability}. Name one that has.")
        return name

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            is_written = DEFAULT in self._settings.policies
            logger.warning(
                "%s filtered: the policy needs a moderation model and there is none",
                "harms and attacks are not" if is_written else "nothing is",
                extra={"policy": DEFAULT, "moderation_model": self._settings.moderation_model},
            )
