"""The engine host process: `python -m smalt.engines.host --socket PATH --settings-json JSON`.

It lives as long as its standard input, when that is a pipe, so that it and its workers never outlive the server.
"""

import asyncio
import json
import logging
import os
import signal
import stat
import sys
from contextlib import suppress

from smalt.engines.host.policy import Policy, read_policy
from smalt.engines.host.server import HostServer


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as JSON."""
        fields = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name}
        fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def main(arguments: list[str]) -> int:
    """Serve until the parent goes or a signal says stop."""
    named = dict(zip(arguments[::2], arguments[1::2], strict=True))
    policy = read_policy(named.get("--settings-json", "{}"))
    os.umask(0o177)
    _write_logs(policy)
    asyncio.run(_serve(policy, named["--socket"]))
    return 0


def _write_logs(policy: Policy) -> None:
    handler = logging.StreamHandler()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    # The lines of the API processes look like this, and both land on one terminal.
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonLines() if policy.log_format == "json" else text)
    logging.basicConfig(level=policy.log_level.upper(), handlers=[handler])
    # asyncio's debug lines tell nothing about engines.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


async def _serve(policy: Policy, socket_path: str) -> None:
    folder = os.path.dirname(socket_path)  # noqa: PTH120 pathlib is one import too many here
    _remove_sockets(folder)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _stop_with_standard_input(loop, stop)
    try:
        await HostServer(policy, folder).serve(socket_path, stop)
    finally:
        _remove_sockets(folder)


def _stop_with_standard_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, read)


def _remove_sockets(folder: str) -> None:
    """The folder is ours; sockets of an earlier host lead nowhere."""
    for entry in os.scandir(folder):
        if entry.name.endswith(".sock"):
            with suppress(OSError):
                os.unlink(entry.path)  # noqa: PTH108 pathlib is one import too many here


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
