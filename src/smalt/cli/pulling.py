"""Shows how far a pull of models is: a bar on a terminal, sentences elsewhere."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from smalt.models.progress import Watch


class Bar:
    """A watch that draws one bar for the present step."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._step: TaskID | None = None

    def note(self, text: str) -> None:
        """Print a sentence above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def begin(self, title: str, total: int | None) -> None:
        """Replace the bar by one for the next step."""
        if self._step is not None:
            self._progress.remove_task(self._step)
        self._step = self._progress.add_task(title, total=total)

    def reach(self, done: int) -> None:
        """Move the bar."""
        if self._step is not None:
            self._progress.update(self._step, completed=done)


@contextmanager
def showing_progress() -> "Generator[Watch]":
    """A watch for a pull, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=False),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress)
