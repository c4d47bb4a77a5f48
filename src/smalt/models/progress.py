"""How a pull tells whoever waits for it how far it is."""

import logging
import threading
from typing import Protocol

from smalt.core.errors import Unavailable

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """Looks on while packs are pulled; called from the pulling thread, often, so it must be quick."""

    def note(self, text: str) -> None:
        """Hear one sentence for a person."""
        ...

    def begin(self, title: str, total: int | None) -> None:
        """Hear that a step begins, and how many bytes or pieces it has when that is known."""
        ...

    def reach(self, done: int) -> None:
        """Hear how much of the step is done; raising here stops the pull, and what was fetched is kept."""
        ...


class Silent:
    """A watch that keeps quiet."""

    def note(self, text: str) -> None:
        """Keep quiet about a sentence."""

    def begin(self, title: str, total: int | None) -> None:
        """Keep quiet about a step."""

    def reach(self, done: int) -> None:
        """Keep quiet about how far it is."""


class Logged:
    """A watch for a server: sentences go to the log, and `stop` ends the pull from another thread."""

    def __init__(self) -> None:
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        """Let the pull end at its next sign of life."""
        self._is_stopped.set()

    def note(self, text: str) -> None:
        """Log a sentence."""
        logger.info(text)
        self.reach(0)

    def begin(self, title: str, total: int | None) -> None:
        """Log the beginning of a step."""
        logger.info("pull step begins", extra={"step": title, "total": total})

    def reach(self, done: int) -> None:
        """End the pull when it was told to stop."""
        del done
        if self._is_stopped.is_set():
            raise Unavailable("The server is stopping. What was fetched is kept; the next pull goes on from there.")
