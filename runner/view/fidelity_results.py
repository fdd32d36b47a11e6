"""What a run finds of fidelity, as the page shows it; a plain function of a file, for a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from runner.results.study_report import brief_study_findings
from runner.view.statistics import study_of
from scoring.fidelity.summary import fidelity_statements
from scoring.report.export import csv_text
from scoring.report.fidelity.fidelity_figures import fidelity_figures
from scoring.report.html_tables import HtmlTable, html_tables

PREFIX = "fidelity_"


@dataclass(frozen=True)
class FidelityResults:
    """Fidelity of a run, as the page shows it.

    (The sentence on top, the rest) of each model, the figures as (id, title, description, figure), the tables as they
    are shown and as CSV files, by name; `incomplete` says what is missing of the run.
    """

    statements: tuple[tuple[str, str], ...]
    figures: tuple[tuple[str, str, str, go.Figure], ...]
    tables: Mapping[str, HtmlTable]
    files: Mapping[str, str]
    incomplete: str


def fidelity_results(path: Path, study: Path | None) -> FidelityResults:
    """Everything that the report's section on fidelity has, in tables whose small cells are hidden.

    Raises InputError or MachineError.
    """
    found = brief_study_findings(study_of(path, study), fidelity=True)
    own = {name: table for name, table in found.tables.items() if name.startswith(PREFIX) and len(table)}
    shown = html_tables({"effects": pd.DataFrame(), **own}, found.slicing.min_n)
    files = {name.removeprefix(PREFIX): csv_text(table, found.incomplete) for name, table in own.items()}
    tables = {name.removeprefix(PREFIX): table for name, table in shown.items()}
    return FidelityResults(
        tuple(fidelity_statements(own)), tuple(fidelity_figures(own)), tables, files, found.incomplete
    )
