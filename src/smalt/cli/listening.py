"""The socket that the server listens on, and how its address is written."""

import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager

from smalt.cli.options import refuse

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown, not listened on
BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A socket that has the address but does not listen yet; an address in use ends the program with advice."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        refuse(f"server.host = {host!r} is not an address of this machine: {error.strerror}.")
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with _advising(bound, host, port):
        bound.bind(address)
    return bound


def listen(bound: socket.socket, host: str) -> None:
    """Let clients connect. Another program may have begun to listen since `bind`; then the program ends with advice."""
    with _advising(bound, host, port_of(bound)):
        bound.listen(BACKLOG)


def port_of(bound: socket.socket) -> int:
    """The port a socket is bound to."""
    return bound.getsockname()[1]


def base_url(host: str, port: int) -> str:
    """The URL by which a client on this machine reaches the server."""
    host = ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _advising(bound: socket.socket, host: str, port: int) -> Generator[None]:
    try:
        yield
    except OSError as error:
        bound.close()
        refuse(_advice(error, host, port))


def _advice(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use. Stop what listens there, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has. Choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"server.host = {host!r} is not an address of this machine."
    return f"{host}:{port} cannot be listened on: {error.strerror}."
