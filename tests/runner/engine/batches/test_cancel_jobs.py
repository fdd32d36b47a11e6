"""Cancelling jobs: those that a provider stops are noted, whatever it says of the others."""

from pathlib import Path

import pytest
from studies import load, model

from personas.errors import InputError
from runner.backends.errors import BadRequest
from runner.engine.batches import cancel_jobs as cancel
from runner.engine.batches.cancel_jobs import Left, cancel_jobs


class Provider:
    """Stops every job but those that have ended."""

    def __init__(self, ended: set[str]) -> None:
        self.ended = ended

    async def cancel(self, job: str) -> None:
        if job in self.ended:
            raise BadRequest("400", f"{job} is completed")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("ended", "noted"), [({"two"}, [1, 3]), (set(), [1, 2, 3]), ({"one", "two", "three"}, [])])
async def test_one_that_has_just_ended_does_not_keep_the_others(
    ended: set[str], noted: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [Left(number, "fake", name, 5) for number, name in enumerate(("one", "two", "three"), start=1)]
    found: list[int] = []
    monkeypatch.setattr(cancel, "jobs_left", lambda study: jobs)
    monkeypatch.setattr(cancel, "make_batches", lambda section: Provider(ended))
    monkeypatch.setattr(cancel, "_note_cancelled", lambda study, some: found.extend(job.id for job in some))
    study = load(tmp_path, [model("http://127.0.0.1:9/v1")])
    if noted:
        assert await cancel_jobs(study) == len(noted)
    else:
        with pytest.raises(InputError, match="one is completed"):
            await cancel_jobs(study)
    assert found == noted
