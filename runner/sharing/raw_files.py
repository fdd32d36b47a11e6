"""A study's trials as CSV beside the tables of its report, and what each column of these files means."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from personas.errors import InputError
from runner.sharing.huggingface import shared_scores
from runner.sharing.redaction import temporary_copy
from runner.store.completeness import of_last_run
from runner.study.config import Study
from runner.study.logs import logger
from runner.study.sources import described
from scoring.report.dictionary import dictionary
from scoring.report.export import write_tables

log = logger(__name__)


def write_raw_files(study: Study) -> list[Path]:
    """Write NAME.trials.csv and NAME.dictionary.csv; returns what was written.

    The first has a row a trial of the last run, redacted as `export` does it; the second, a row a column of every CSV
    file that lies beside the database.

    Where scores themselves would tell a restricted survey's answers, the trials are left out and the log says
    why. Raises InputError or MachineError.
    """
    written = []
    try:
        with temporary_copy(study.database, study.report, share=False) as copy:
            trials = shared_scores(study, copy, share=False)
        written += write_tables(study.database, {"trials": trials}, "csv", of_last_run(study.database).sentence)
    except InputError as error:
        log.warning("no trials.csv: %s", error)
    columns = {name: list(pd.read_csv(path, comment="#", nrows=0).columns) for name, path in _tables(study.database)}
    table = dictionary(columns, study.report.attributes, _own_columns(study))
    return written + write_tables(study.database, {"dictionary": table}, "csv")


def _tables(database: Path) -> Iterable[tuple[str, Path]]:
    """The CSV files of a study's tables, by the table's name."""
    for path in sorted(database.parent.glob("*.csv")):
        name = path.name.removeprefix(f"{database.stem}.").removesuffix(".csv")
        if path.name.startswith(f"{database.stem}.") and "." not in name and name != "dictionary":
            yield name, path


def _own_columns(study: Study) -> dict[str, str]:
    """The columns that the study's benchmarks bring along: name → the benchmark's title."""
    found = [described(section.name, study) for section in study.benchmarks]
    return {name: each.title for each in found for name in each.meta_columns}
