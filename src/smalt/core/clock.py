"""Tells the time in the unit the API speaks."""

import time


def now() -> int:
    """The current time in whole Unix seconds."""
    return int(time.time())
