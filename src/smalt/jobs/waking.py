"""Tells the one who watches over the job runner that there is something to do: a datagram to a private socket."""

import hashlib
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

NAME = "jobs.sock"

LONGEST_PATH = 100
"""Unix socket paths end at 103 bytes on some systems."""


def wake_path(data_dir: Path) -> Path:
    """Where the server of this data folder hears that there is something to do; everybody works it out alike."""
    path = data_dir.absolute() / "run" / NAME
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    common = Path(tempfile.gettempdir())
    if len(os.fsencode(common)) > LONGEST_PATH - 60:
        common = Path("/tmp")  # noqa: S108 the folder in it is private
    return common / f"smalt-{os.getuid()}" / f"jobs-{digest}.sock"


class WakeListener:
    """Hears the wake-ups of one data folder; the newest listener gets them all."""

    def __init__(self, data_dir: Path) -> None:
        self._path = wake_path(data_dir)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - its only parameter
        self._inode = 0
        # In a folder that is somebody else's nobody is heard; the watcher's own looks at the database remain.
        if _is_ours(self._path.parent):
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._socket.bind(str(self._path))
            self._path.chmod(0o600)
            self._inode = self._path.stat().st_ino

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget the wake-ups that have arrived."""
        with suppress(BlockingIOError):
            while self._socket.recv(16):
                pass

    def wake(self) -> None:
        """Wake the listener from within its own process."""
        wake(self._path)

    def close(self) -> None:
        """Hear no more; one that has taken this one's place goes on hearing."""
        self._socket.close()
        with suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def wake(path: Path) -> None:
    """Send one wake-up and do not wait; nobody may be listening."""
    # A full queue means that enough wake-ups wait already.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # noqa: FBT003 - its only parameter
        sender.sendto(b"\n", str(path))


def _is_ours(folder: Path) -> bool:
    about = folder.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
