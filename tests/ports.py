"""Ports for servers that are told where to listen, and do so seconds after their port was chosen."""

import itertools
import os
import random
import socket
from collections.abc import Iterator

FIRST, EACH = 20_000, 1_000
"""Below those that the system itself gives away meanwhile; every pytest worker has a thousand of its own."""


def _of_this_worker() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    start = random.randrange(EACH)
    return itertools.cycle(FIRST + EACH * number + (start + each) % EACH for each in range(EACH))


_ports = _of_this_worker()


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other test of this run will be given."""
    for port in itertools.islice(_ports, EACH):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is in use")
