"""A backend of matplotlib that keeps the figures that are shown, as PNG pictures."""

from io import BytesIO
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

FigureCanvas = FigureCanvasAgg

MOST_FIGURES = 10
shown: list[bytes] = []


def show(*_arguments: Any, **_options: Any) -> None:
    """Keep every open figure and close it."""
    for number in plt.get_fignums():
        figure: Any = plt.figure(number)  # pyright: ignore[reportUnknownMemberType]  # half of it has no types
        if len(shown) < MOST_FIGURES:
            picture = BytesIO()
            figure.savefig(picture, format="png", bbox_inches="tight")
            shown.append(picture.getvalue())
        plt.close(figure)


def take() -> list[bytes]:
    """What was shown since the last call, and what is still open, as a notebook shows it at the end of a cell."""
    show()
    pictures = shown.copy()
    shown.clear()
    return pictures
