"""Turns a storage's own failures into the errors that clients are told about."""

import errno
import logging
from collections.abc import Generator
from contextlib import contextmanager

from smalt.core.errors import Unavailable

logger = logging.getLogger(__name__)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def mapping_failures() -> Generator[None]:
    """Raise `Unavailable` in place of what a disk or a network raises."""
    try:
        yield
    except OSError as error:
        raise _explained(error) from error


@contextmanager
def mapping_storage_failures() -> Generator[None]:
    """The same, for what obstore raises; it must be imported by now."""
    from obstore.exceptions import BaseError

    try:
        with mapping_failures():
            yield
    except BaseError as error:
        raise _explained(error) from error


def _explained(error: Exception) -> Unavailable:
    # The client is told little, since the message may name buckets and folders; the operator needs all of it.
    logger.error("the blob storage failed", exc_info=error)
    if isinstance(error, OSError) and error.errno in FULL:
        return Unavailable("The disk for files is full. Free some space and try again.", retry_after=60)
    return Unavailable("The storage of files failed; the server's log says why. Try again shortly.")
