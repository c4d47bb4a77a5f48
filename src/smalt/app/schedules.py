"""When something must be swept: what the database itself says about the next expiry."""

import sqlalchemy as sa

from smalt.core.settings import Settings
from smalt.jobs.sweeping import Due, Schedule
from smalt.store.containers import ExpiredContainers
from smalt.store.containers import next_sweep_at as next_sweep_of_containers_at
from smalt.store.files import TOMBSTONE_SECONDS, ExpiredFiles
from smalt.store.idempotent_answers import ExpiredIdempotentAnswers
from smalt.store.response_endings import AbandonedResponses, silent_since
from smalt.store.spoken_answers import ExpiredSpokenAnswers
from smalt.store.tables import (
    blob_holds,
    blobs,
    doomed_blobs,
    files,
    idempotent_answers,
    job_sweeps,
    jobs,
    spoken_answers,
    uploads,
)
from smalt.store.uploads import KEPT_SECONDS, ExpiredUploads
from smalt.store.vector_stores import ExpiredStores, next_sweep_at

SECONDS_PER_DAY = 86_400


def schedules(settings: Settings) -> list[Schedule]:
    """What is swept, and when; the server asks them whether the job runner is needed at all."""
    sweep_after, keep_seconds = settings.storage.sweep_after_seconds, settings.jobs.keep_days * SECONDS_PER_DAY
    return [
        Schedule(ExpiredFiles.name, ExpiredFiles.seconds, _first(_expired_files, _old_files)),
        Schedule(ExpiredUploads.name, ExpiredUploads.seconds, _first(_expired_uploads, _old_uploads)),
        Schedule(ExpiredStores.name, ExpiredStores.seconds, next_sweep_at),
        Schedule(ExpiredContainers.name, ExpiredContainers.seconds, next_sweep_of_containers_at),
        Schedule(ExpiredSpokenAnswers.name, ExpiredSpokenAnswers.seconds, _earliest(spoken_answers.c.expires_at)),
        Schedule(
            ExpiredIdempotentAnswers.name, ExpiredIdempotentAnswers.seconds, _earliest(idempotent_answers.c.expires_at)
        ),
        Schedule(AbandonedResponses.name, AbandonedResponses.seconds, silent_since),
        Schedule("blobs", 60.0, _first(_doomed_blobs, _later(_held_blobs, sweep_after), _unswept_blobs)),
        Schedule("old-jobs", 60.0, _later(_finished_jobs, keep_seconds)),
    ]


def _first(*dues: Due) -> Due:
    """The earliest of several."""

    def due(connection: sa.Connection) -> int | None:
        return min((moment for one in dues if (moment := one(connection)) is not None), default=None)

    return due


def _later(due: Due, seconds: float) -> Due:
    def later(connection: sa.Connection) -> int | None:
        moment = due(connection)
        return None if moment is None else moment + int(seconds) + 1

    return later


def _earliest(column: sa.Column[int], *where: sa.ColumnElement[bool]) -> Due:
    query = sa.select(sa.func.min(column)).where(column.is_not(None), *where)
    return lambda connection: connection.execute(query).scalar_one()


def _unswept_blobs(connection: sa.Connection) -> int | None:
    """A day after the last sweep: a kill may leave files that no row tells of."""
    if connection.execute(sa.select(blobs.c.digest).limit(1)).first() is None:
        return None
    query = sa.select(job_sweeps.c.began_at).where(job_sweeps.c.name == "blobs")
    return (connection.execute(query).scalar_one_or_none() or 0) + SECONDS_PER_DAY


_expired_files = _earliest(files.c.expires_at, files.c.deleted_at.is_(None))
_old_files = _later(_earliest(files.c.deleted_at), TOMBSTONE_SECONDS)
_expired_uploads = _earliest(uploads.c.expires_at, uploads.c.status == "pending")
_old_uploads = _later(_earliest(uploads.c.expires_at, uploads.c.status != "pending"), KEPT_SECONDS)
_doomed_blobs = _earliest(doomed_blobs.c.doomed_at)
_held_blobs = _earliest(blob_holds.c.held_at)
_finished_jobs = _earliest(jobs.c.finished_at)
