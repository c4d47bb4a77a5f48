"""Puts right what a kill left behind: dead runners' jobs, and rows that are out of step with DBOS."""

import logging
from collections.abc import Iterable

from smalt.jobs.registry import Registry
from smalt.jobs.runner import Runner

logger = logging.getLogger(__name__)


class Recovery:
    """Looks again and again; several runners may do so at once, since each repair names the state that it repairs.

    A difference that is seen once may be a change on its way, so it is repaired when it is seen twice.
    """

    def __init__(self, runner: Runner, registry: Registry) -> None:
        self._runner = runner
        self._rows = runner.rows
        self._durable = runner.durable
        self._registry = registry
        self._suspects: set[tuple[str, str]] = set()

    async def look(self) -> None:
        """Repair what is broken."""
        await self._take_over()
        suspects = await self._suspicious()
        for what, job_id in suspects & self._suspects:
            await self._repair(what, job_id)
        self._suspects = suspects - self._suspects

    async def _take_over(self) -> None:
        for runner in await self._registry.dead():
            logger.warning("a job runner is dead or silent; its jobs go on here", extra={"runner": runner})
            # First of all it is struck off, so that it does not go on when it was only slow.
            await self._registry.remove(runner)
        # Who runs something was entered before, so in this order whoever is not found alive is dead.
        workflows, rows = await self._durable.running(), await self._rows.running()
        alive = await self._registry.alive()
        for runner in {claimed.runner for claimed in workflows} - alive:
            await self._durable.recover(runner)
        for job_id, runner in rows.items():
            if runner not in alive:
                await self._rows.release(job_id, runner)

    async def _suspicious(self) -> set[tuple[str, str]]:
        """What DBOS or the table believes, and the other does not."""
        me, active = self._runner.id, self._runner.active
        workflows = [claimed.id for claimed in await self._durable.running() if claimed.runner == me]
        rows = [job_id for job_id, runner in (await self._rows.running()).items() if runner == me]
        dispatched = await self._rows.dispatched()
        states = await self._durable.states(dispatched)
        return {
            *_all("workflow", (id_ for id_ in workflows if id_ not in active)),
            *_all("row", (id_ for id_ in rows if id_ not in active)),
            *_all("dispatch", (id_ for id_ in dispatched if states.get(id_) not in {"waiting", "running"})),
        }

    async def _repair(self, what: str, job_id: str) -> None:
        logger.warning("a job is put back in its queue", extra={"job": job_id, "found": what})
        if what == "workflow":
            await self._durable.resume(await self._rows.queue_of(job_id) or "default", job_id)
        elif what == "row":
            await self._rows.release(job_id, self._runner.id)
        else:
            await self._rows.undispatch(job_id)


def _all(what: str, job_ids: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((what, job_id) for job_id in job_ids)
