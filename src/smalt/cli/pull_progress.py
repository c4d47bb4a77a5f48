"""Shows pulls to a person: a bar in a terminal, plain lines everywhere else."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from smalt.models.progress import Watch

QUARTERS = 4


@contextmanager
def shown_pull(console: Console | None = None) -> Generator[Watch]:
    """A watch that shows pulls on the console (standard error by default) until the block ends."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield PlainWatch(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield BarWatch(progress)


class BarWatch:
    """One bar for the step at hand."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._step: TaskID | None = None

    def note(self, text: str) -> None:
        """Print a sentence above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, title: str, total: int | None) -> None:
        """Put a new bar in the place of the last."""
        if self._step is not None:
            self._progress.remove_task(self._step)
        self._step = self._progress.add_task(title.replace("[", r"\["), total=total)

    def reach(self, done: int) -> None:
        """Move the bar."""
        if self._step is not None:
            self._progress.update(self._step, completed=done)


class PlainWatch:
    """A line for each step, and one for each quarter of a long one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._total: int | None = None
        self._quarter = 0

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, title: str, total: int | None) -> None:
        """Print the beginning of a step that takes time."""
        self._title, self._total, self._quarter = title, total, 0
        size = f" ({total / 1e6:.1f} MB)" if total and total > 10**6 else ""
        self.note(f"  {title}{size}")

    def reach(self, done: int) -> None:
        """Print each quarter of a step of more than ten megabytes."""
        if not self._total or self._total < 10**7:
            return
        quarter = done * QUARTERS // self._total
        if self._quarter < quarter < QUARTERS:
            self._quarter = quarter
            self.note(f"  {self._title}: {100 * quarter // QUARTERS} %")
