"""What the pages share: the file, the study, the process for statistics, and what was seen of the run."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, TypeVar

from personas.errors import MtpaError
from runner.view.background import Background, Paced
from runner.view.fidelity_results import FidelityResults, fidelity_results
from runner.view.queries.file import has_run, has_survey_questions, reading, version_of
from runner.view.queries.heartbeat import Live, RunHeartbeat
from runner.view.queries.trial_table import Choices, choices
from runner.view.statistics import Effects, effects, report_page

T = TypeVar("T")
WATCH_SECONDS = 1.0


class Report(NamedTuple):
    """The report's page, on its way or made; `is_stale` says that the file has changed since it was asked for."""

    number: int
    future: "Future[str]"
    is_stale: bool


class ViewSource:
    """A file that is looked at. `study` is the study file, where the page was opened for one."""

    def __init__(self, path: Path, study: Path | None = None) -> None:
        self.path, self.study = path, study
        self.background = Background()
        self._effects = Paced(self.background, effects, path, study)
        self._heartbeat, self._lock = RunHeartbeat(), Lock()
        self._choices: tuple[Any, Choices] | None = None
        self._report: Report | None = None
        self._reported: Hashable = None
        self._has_begun, self._closed = False, Event()

    def has_begun(self) -> bool:
        """Whether a run has been entered into the file; where there is none yet, the page waits for it."""
        self._has_begun = self._has_begun or has_run(self.path)
        return self._has_begun

    def watch(self) -> None:
        """Compute what a run found as soon as it has ended, whether somebody looks or not."""
        Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        closed = False
        while not closed:
            with suppress(MtpaError, OSError):  # whoever looks at the page is told
                if self.has_begun() and version_of(self.path)[-1]:
                    self.effects()
            closed = self._closed.wait(WATCH_SECONDS)

    def effects(self) -> Effects | None:
        """What the last run finds, as computed last.

        While it runs, that may be some moments old; of a run that has ended, it is of the whole or None.
        """
        version = version_of(self.path)
        found: Effects | None = self._effects.latest(version, is_last=bool(version[-1]))
        return found if found is None or found.version == version or not version[-1] else None

    @property
    def trouble(self) -> str:
        """Why Δ could not be computed, where it could not."""
        return self._effects.error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only connection. Raises InputError or MachineError."""
        with reading(self.path) as connection:
            yield connection

    def look(self, read: Callable[..., T], *arguments: Any) -> T:
        """What `read(connection, *arguments)` finds."""
        with self.reading() as connection:
            return read(connection, *arguments)

    def live(self) -> Live:
        """The run as it is now."""
        with self._lock, self.reading() as connection:
            return self._heartbeat.read(connection)

    def choices(self) -> Choices:
        """What filters can be set to; read again when there are new people, items, models or variants."""
        sql = "SELECT " + ", ".join(f"(SELECT max(id) FROM {name})" for name in ("persona", "item", "model", "variant"))
        with self.reading() as connection:
            now = connection.execute(sql).fetchone()
            if self._choices is None or self._choices[0] != now:
                self._choices = now, choices(connection)
            return self._choices[1]

    def report(self, again: bool = False) -> Report:
        """The report of the last run; where there is one already, `again` makes it from the file as it is now."""
        version = version_of(self.path)
        with self._lock:
            before = self._report
            if before is None or (again and before.future.done() and version != self._reported):
                self._reported = version
                future = self.background.ask(("report", version), report_page, self.path, self.study)
                self._report = before = Report(1 if before is None else before.number + 1, future, False)
            return before._replace(is_stale=version != self._reported)

    def asks_survey(self) -> bool:
        """Whether a survey's own questions are put to personas."""
        return self.look(has_survey_questions)

    def fidelity(self, version: Sequence[Any] | None = None) -> "Future[FidelityResults]":
        """What the last run finds of fidelity, of the file as it is now, or as it was at that version."""
        key = ("fidelity", *(version or version_of(self.path)))
        return self.background.ask(key, fidelity_results, self.path, self.study)

    def close(self) -> None:
        """End the process for statistics, and the watch."""
        self._closed.set()
        self.background.close()
