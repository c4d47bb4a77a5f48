"""Carries a transaction through: again when another was in the way, and exactly once when the connection breaks."""

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa

from smalt.store.failures import OutcomeUnknown, goes_by, is_lost
from smalt.store.postgres import transaction_number, was_committed

logger = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0

Work = Callable[[sa.Connection], None]


class Committing:
    """Runs transactions on an engine that writes."""

    def __init__(self, engine: sa.Engine, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._engine = engine
        self._retry_seconds = retry_seconds

    def run(self, work: Work) -> None:
        """Run `work` and commit; durable when this returns. `work` may run several times, its effect is there once."""
        deadline = time.monotonic() + self._retry_seconds
        pause = PAUSE_SECONDS
        while True:
            try:
                if self._run_once(work, deadline):
                    return
            except Exception as error:
                if not goes_by(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _run_once(self, work: Work, deadline: float) -> bool:
        """Whether the work is done; False when it may be tried again."""
        with self._engine.connect() as connection:
            transaction = connection.begin()
            work(connection)
            number = transaction_number(connection)
            try:
                transaction.commit()
            except Exception as error:
                if number is None or not is_lost(error):
                    raise
                lost = error
            else:
                return True
        try:
            return self._took_effect(number, deadline)
        except Exception:
            logger.exception("nobody can say whether the last writes were made")
            raise OutcomeUnknown from lost

    def _took_effect(self, number: int, deadline: float) -> bool:
        """Ask the server what became of a transaction whose connection was lost while it was committed."""
        while True:
            try:
                with self._engine.connect() as connection:
                    return was_committed(connection, number)
            except Exception as error:
                if not goes_by(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(PAUSE_SECONDS)
