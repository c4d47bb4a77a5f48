"""What engines ask of a deployment before they start a worker for it."""

import os
from collections.abc import Collection, Sequence

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.protocols import Deployment


def check_options(deployment: Deployment, known: Collection[str]) -> None:
    """Raise `EngineFailed` for an option that the deployment's engine does not know."""
    if unknown := sorted(deployment.options.keys() - set(known)):
        raise EngineFailed(
            f"Deployment {deployment.name}: the engine {deployment.engine} has no option {', '.join(unknown)}; "
            f"it knows {', '.join(sorted(known))}."
        )


def readable_weights(deployment: Deployment, roles: Sequence[str]) -> dict[str, str]:
    """The files of these roles; raises `NotInstalled` for one that is not there or cannot be read."""
    for role in roles:
        path = deployment.weights.get(role)
        if path is None or not os.access(path, os.R_OK):
            raise NotInstalled(
                f"Deployment {deployment.name} lacks a readable file for weights.{role} ({path}). "
                f"Fetch it with: smalt models pull {deployment.name}"
            )
    return {role: deployment.weights[role] for role in roles}
