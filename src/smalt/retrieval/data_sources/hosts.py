"""Decides which hosts a request may name, and which may be shown this machine's identity."""

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from smalt.retrieval.data_sources.failures import HostForbidden, wrong
from smalt.retrieval.data_sources.protocols import PARAMETERS

SEARCH_DOMAINS = (".search.windows.net", ".search.azure.us", ".search.azure.cn", ".search.windows.us")
"""Where Azure AI Search lives: a token for it shown to these is shown to Microsoft only."""


class Hosts:
    """The hosts of `retrieval.data_source_hosts`; every host when the setting is absent."""

    def __init__(self, allowed: Sequence[str] | None) -> None:
        self._allowed = None if allowed is None else [name.lower() for name in allowed]

    def url(self, text: str, parameter: str) -> SplitResult:
        """The parts of an http or https URL whose host may be asked; raises for any other text."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = None, None, None
        if parts is None or parts.scheme not in {"http", "https"} or not host:
            raise wrong(parameter, f"Invalid '{PARAMETERS}.{parameter}': write a URL such as https://HOST.")
        if parts.username is not None or parts.fragment:
            raise wrong(parameter, f"Invalid '{PARAMETERS}.{parameter}': a URL without user name and fragment.")
        self.check(host, port, parameter)
        return parts

    def check(self, host: str, port: int | None, parameter: str) -> None:
        """Refuse a host that the operator did not list."""
        if self._allowed is None or self.lists(host, port):
            return
        raise HostForbidden(
            f"This server does not let requests search on '{host}'. Its operator may add the host to "
            "retrieval.data_source_hosts.",
            param=f"{PARAMETERS}.{parameter}",
        )

    def lists(self, host: str, port: int | None) -> bool:
        """Whether the setting names a host: by name, as HOST:PORT, or as *.DOMAIN."""
        host = host.lower()
        names = {host, f"{host}:{port}"}
        return any(
            entry in names or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in self._allowed or ()
        )

    def check_identity(self, parts: SplitResult, parameter: str) -> None:
        """Refuse to show this machine's own identity to a host that is neither Azure's nor listed."""
        host = (parts.hostname or "").lower()
        if self.lists(host, parts.port) or (parts.scheme == "https" and host.endswith(SEARCH_DOMAINS)):
            return
        raise HostForbidden(
            f"The managed identity of this machine is shown to Azure AI Search and to hosts in "
            f"retrieval.data_source_hosts only, and '{host}' is neither.",
            param=f"{PARAMETERS}.{parameter}",
        )
