"""Works out where a connection's calls go."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from smalt.connectors.definitions.vocabulary import Connector
from smalt.core.errors import InvalidRequest
from smalt.core.settings import LOOPBACK

PLACE: Final = re.compile(r"\{([^{}]+)\}")
LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
V1: Final = "/v1"
MOUNTS: Final = ("/openai/v1", V1, "/openai")


def places(template: str) -> list[str]:
    """The keys that a template has places for, written `{key}`."""
    return PLACE.findall(template)


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its places filled in; a value that is missing raises `KeyError`."""
    return PLACE.sub(lambda place: values[place[1]], template)


def check_label(key: str, value: str) -> None:
    """Refuse a value that would become part of a host's name and is more than one word of it."""
    if not LABEL.fullmatch(value):
        raise InvalidRequest(
            f"'{key}' is the resource's bare name, of letters, digits and hyphens (my-resource for "
            "https://my-resource.openai.azure.com); another address is given as base_url.",
            param=key,
        )


def checked_address(url: str) -> str:
    """An address of a server, without a slash at its end; raises `InvalidRequest` for what is none."""
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidRequest(
            f"{_shown(url)} is not the address of a server. Write http:// or https:// and a host, such as "
            "http://127.0.0.1:8080",
            param="base_url",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "An address may not have a user or a password in it. Give the key as the connection asks for it.",
            param="base_url",
        )
    if "?" in url or "#" in url:
        raise InvalidRequest("The address of a server has no ? and no # part. Leave it out.", param="base_url")
    return url.rstrip("/")


def is_open_to_listeners(url: str) -> bool:
    """Whether what is sent there crosses a network unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


def api_root(connector: Connector, values: Mapping[str, str], base_url: str | None) -> str:
    """What operations' paths are put behind: the cloud's API root, or the one of the server at `base_url`."""
    if base_url is None:
        return filled(connector.base_url, values)
    is_root = base_url.endswith(connector.mount) or (connector.mount.endswith(V1) and base_url.endswith(V1))
    return base_url if is_root else base_url + connector.mount


def server_root(root: str) -> str:
    """The address of the server that has this API root."""
    for mount in MOUNTS:
        if root.endswith(mount):
            return root.removesuffix(mount)
    return root


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isascii() and url.isprintable() and " " not in url else None


def _shown(url: str) -> str:
    # What stands before an @ may be a password.
    return f"'{url}'" if "@" not in url else "That"
