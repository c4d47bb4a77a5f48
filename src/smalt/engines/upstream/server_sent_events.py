"""Cuts a byte stream of server-sent events into the data of each event."""

from smalt.core.errors import UpstreamFailed

LONGEST_EVENT_BYTES = 32 * 2**20


class EventDecoder:
    """Takes bytes as they arrive, in any pieces, and gives the data of every event that is complete.

    Knows LF and CRLF line ends, comments, several data lines in one event, and fields other than data (skipped).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that `received` completes."""
        lines = (self._rest + received).split(b"\n") if self._rest else received.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_EVENT_BYTES:
            raise UpstreamFailed(f"The upstream sent one event of over {LONGEST_EVENT_BYTES} bytes.")
        complete: list[bytes] = []
        for line in lines:
            self._line(line.removesuffix(b"\r"), complete)
        return complete

    def close(self) -> list[bytes]:
        """The data of a last event that the upstream did not end with an empty line."""
        complete: list[bytes] = []
        self._line(self._rest.removesuffix(b"\r"), complete)
        self._line(b"", complete)
        self._rest = b""
        return complete

    def _line(self, line: bytes, complete: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif not line and self._data:
            complete.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()
