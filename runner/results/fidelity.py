"""Fidelity of a study: its answers to the survey's questions beside the respondents' own."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.respondents import Respondents
from runner.store.report_rows import load_survey_rows
from runner.study.config import Study
from runner.study.sources import load_everyone
from runner.study.tables.fidelity_section import FidelitySection
from scoring.benchmarks.trait_inference import OWN_ANSWER_PARTS
from scoring.fidelity.fidelity_tables import AskedTraits, FidelityDesign, fidelity_tables
from scoring.robustness.traits.twin_controls import twin_control_table
from scoring.statistics.pairs import Part


def study_fidelity(study: Study, parts: Sequence[Part], attributes: Sequence[str]) -> Mapping[str, pd.DataFrame]:
    """The tables of fidelity by name, by these attributes too; none where no survey question was asked.

    Raises InputError or MachineError.
    """
    if not any(part.benchmark in OWN_ANSWER_PARTS for part in parts):
        return {}
    asked = AskedTraits(*load_survey_rows(study.database))
    everyone = load_everyone(study)
    tables = fidelity_tables(parts, everyone, asked, _design(study, attributes))
    return {**tables, "twin_controls": twin_control_table(parts, everyone, study.study.seed)}


def _design(study: Study, attributes: Sequence[str]) -> FidelityDesign:
    section = study.fidelity or FidelitySection()

    def teachers(everyone: Respondents) -> NDArray[np.bool_]:
        chosen = everyone.where(section.learn_from).frame["persona_id"] if section.learn_from else None
        return (
            np.ones(len(everyone), dtype=bool)
            if chosen is None
            else everyone.frame["persona_id"].isin(chosen).to_numpy()
        )

    weighted = study.report.weights != "none"
    return FidelityDesign(attributes, teachers, section.retest, weighted, section.known, study.study.seed)
