"""The one thread that writes: queued writes share a commit, and each is answered when it is durable."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from smalt.store.committing import Committing
from smalt.store.failures import explain, goes_by

logger = logging.getLogger(__name__)

BATCH = 128

Work = Callable[[sa.Connection], Any]


@dataclass(slots=True)
class Write:
    """A queued write, its answer and where it stands."""

    work: Work
    future: Future[Any] = field(default_factory=Future[Any])
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs writes one after the other in a thread of its own."""

    def __init__(self, engine: sa.Engine) -> None:
        self._committing = Committing(engine)
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="smalt-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[Any]:
        """Queue `work`; the future is done once its transaction is committed, or holds why it was not."""
        write = Write(work)
        with self._guard:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._queue.put(write)
        return write.future

    def close(self) -> None:
        """Finish what is queued, then end the thread; safe to call twice."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            writes = [write for write in batch if write.future.set_running_or_notify_cancel()]
            if writes:
                self._finish(writes, self._commit(writes))

    def _next_batch(self) -> tuple[list[Write], bool]:
        batch: list[Write] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH or self._queue.empty():
                return batch, True
            item = self._queue.get()
        return batch, False

    def _commit(self, writes: list[Write]) -> BaseException | None:
        def attempt_all(connection: sa.Connection) -> None:
            for write in writes:
                _attempt(connection, write)

        try:
            self._committing.run(attempt_all)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the ones who wait
            return error
        return None

    @staticmethod
    def _finish(writes: list[Write], failure: BaseException | None) -> None:
        if failure is not None:
            logger.error("writing failed", extra={"writes": len(writes)}, exc_info=failure)
            failure = explain(failure) or failure
        for write in writes:
            error = failure or write.error
            if error is not None:
                write.future.set_exception(error)
            else:
                write.future.set_result(write.result)


def _attempt(connection: sa.Connection, write: Write) -> None:
    write.error = None
    savepoint = connection.begin_nested()
    try:
        write.result = write.work(connection)
        savepoint.commit()
    except Exception as error:
        if goes_by(error):
            # The whole batch is tried again. Without its locks, which the others may be waiting for.
            raise
        write.error = error
        try:
            savepoint.rollback()
        except DBAPIError as lost:
            # The database gave up the whole transaction, not one write alone.
            raise (error if isinstance(error, DBAPIError) else lost) from None
