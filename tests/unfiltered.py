"""A content filter that looks at nothing, for tests of everything else."""

from smalt.engines.protocols import Deployment
from smalt.safety.content_filter import Delivery


class NoContentFilter:
    """Lets everything pass."""

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> None:
        del deployment, is_azure, delivery
