"""Says what went wrong with a data source, without the secrets that the request carried."""

from collections.abc import Sequence

from smalt.core.errors import InvalidRequest, PermissionDenied, UpstreamFailed
from smalt.retrieval.data_sources.protocols import PARAMETERS

LONGEST_QUOTE = 300
HIDDEN = "***"


class DataSourceRefused(InvalidRequest):
    """The source does not take what the request says of it: a wrong key, index, field or filter (400)."""

    default_code = "data_source_refused"


class DataSourceFailed(UpstreamFailed):
    """The source could not be reached, or failed itself (502)."""

    default_code = "data_source_failed"


class HostForbidden(PermissionDenied):
    """The operator does not let requests name this host (403)."""

    default_code = "data_source_host_forbidden"


def wrong(parameter: str, message: str) -> InvalidRequest:
    """The refusal of one parameter of the data source."""
    return InvalidRequest(message, param=f"{PARAMETERS}.{parameter}", code="invalid_value")


def missing(parameter: str, reason: str) -> InvalidRequest:
    """The refusal of a request that leaves out a parameter it needs."""
    param = f"{PARAMETERS}.{parameter}"
    return InvalidRequest(
        f"Missing required parameter: '{param}'. {reason}", param=param, code="missing_required_parameter"
    )


def quoted(text: str, secrets: Sequence[str]) -> str:
    """What a service said, cut short and without the secrets it may have repeated."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
