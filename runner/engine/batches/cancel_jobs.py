"""Jobs that go on at a provider after a run has ended, and cancelling them."""

import asyncio
import sqlite3
from typing import NamedTuple

from personas.errors import InputError
from runner.backends.batches.base import Batches, make_batches
from runner.backends.errors import BackendError
from runner.store.database import now, opened
from runner.study.config import Study


class Left(NamedTuple):
    """A job at the provider of one of the study's models."""

    id: int
    model: str
    provider_id: str
    requests: int


def jobs_left(study: Study) -> list[Left]:
    """The study's jobs that a provider still works on, as far as the file knows."""
    if not study.database.exists():
        return []
    with opened(study.database) as connection:
        return _left(connection, study)


def _left(connection: sqlite3.Connection, study: Study) -> list[Left]:
    sql = (
        "SELECT job.id, name, provider_id, requests FROM job JOIN model ON model.id = job.model "
        "WHERE state = 'submitted' ORDER BY job.id"
    )
    names = {section.name for section in study.models if section.has_batches}
    return [Left(*row) for row in connection.execute(sql) if row[1] in names]


async def cancel_jobs(study: Study) -> int:
    """Ask the providers to stop working on the study's jobs; returns how many they stop.

    What they have answered is paid for; the next run collects it and asks the rest again. A job that has just ended
    cannot be stopped. Raises InputError where the providers refuse them all.
    """
    left, stopped, refusals = jobs_left(study), 0, list[BackendError]()
    for section in study.models:
        mine = [job for job in left if job.model == section.name]
        if not mine:
            continue
        batches = make_batches(section)
        try:
            ends = await asyncio.gather(*(_cancel(batches, job) for job in mine))
        finally:
            await batches.close()
        refusals += filter(None, ends)
        _note_cancelled(study, [job for job, refusal in zip(mine, ends, strict=True) if refusal is None])
        stopped += ends.count(None)
    if refusals and not stopped:
        raise InputError(f"the jobs cannot be cancelled: {refusals[0]}")
    return stopped


async def _cancel(batches: Batches, job: Left) -> BackendError | None:
    try:
        await batches.cancel(job.provider_id)
    except BackendError as error:
        return error
    return None


def _note_cancelled(study: Study, jobs: list[Left]) -> None:
    with opened(study.database) as connection:
        for job in jobs:
            sql = "UPDATE job SET state = 'cancelling', changed = ? WHERE id = ? AND state = 'submitted'"
            connection.execute(sql, (now(), job.id))
