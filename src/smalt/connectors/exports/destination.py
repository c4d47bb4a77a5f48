"""Where an exported connector calls: a Smalt's facade, or the service that the connector is made for."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from smalt.connectors.definitions.vocabulary import Connector
from smalt.core.errors import InvalidRequest

LOCAL: Final = "http://127.0.0.1:8080"
EXAMPLE_RESOURCE: Final = "your-resource-name"


@dataclass(frozen=True, slots=True)
class Destination:
    """A place below which an exported definition's paths lie.

    `template` is the whole address with connection fields in braces, where a connection decides on the host.
    """

    scheme: str
    host: str
    base_path: str
    is_cloud: bool = False
    template: str = ""

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"{self.scheme}://{self.host}{self.base_path}"


def on_smalt(connector: Connector, url: str = LOCAL) -> Destination:
    """The connector's place on the Smalt at `url`; raises `InvalidRequest` unless that is an http address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequest(
            f"{url!r} is no address of a server. Give one such as https://smalt.example.com.", param="url"
        )
    if parts.username or parts.password:
        raise InvalidRequest("The address must not hold a password. Leave out what stands before the @.", param="url")
    path = parts.path.rstrip("/").removesuffix("/openai/v1").removesuffix("/v1")
    return Destination(parts.scheme, parts.netloc, f"{path}/connectors/{connector.name}")


def in_the_cloud(connector: Connector) -> Destination:
    """The connector's own service; a host that a connection decides on has an example in its place."""
    parts = urlsplit(connector.base_url.replace("{resource_name}", EXAMPLE_RESOURCE))
    template = connector.base_url if "{" in connector.base_url else ""
    return Destination(parts.scheme, parts.netloc, parts.path, is_cloud=True, template=template)
