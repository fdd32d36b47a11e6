"""All tables of fidelity, from a study's scores and its respondents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.respondents import Respondents
from scoring.answers.items import Item
from scoring.answers.metrics import PROBABILITIES
from scoring.fidelity.both_halves import person_slope_rows, point_rows, slope_rows
from scoring.fidelity.calibration import brier_rows, reliability_rows
from scoring.fidelity.corrected_shares import corrected_rows
from scoring.fidelity.correlations import structure_row
from scoring.fidelity.group_distances import group_rows
from scoring.fidelity.learned import is_installed, learned_shares
from scoring.fidelity.own_answers import LEARNED, OwnAnswers, own_answer_rows
from scoring.fidelity.references import country_shares
from scoring.fidelity.second_sample import Pool
from scoring.fidelity.spread import spread_rows
from scoring.fidelity.survey_answers import Matrix, SurveyAnswers, survey_answers
from scoring.statistics.levels import columns_of, levels_of
from scoring.statistics.pairs import Part

Rows = Iterator[dict[str, object]]
NAMES = ("people", "groups", "structure", "spread", "calibration", "reliability", "points", "slopes", "corrected")


@dataclass(frozen=True)
class FidelityDesign:
    """What a study says about fidelity.

    The attributes by which results are broken down, who may be learned from, published retest agreement by trait,
    whether people have weights, the share of known answers (None: no correction), the seed.
    """

    attributes: Sequence[str] = ()
    learn_from: Callable[[Respondents], NDArray[np.bool_]] = lambda everyone: np.ones(len(everyone), dtype=bool)
    retest: Mapping[str, float] = field(default_factory=dict)
    weighted: bool = False
    known: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class AskedTraits:
    """What was asked.

    The questions by item id, the traits of each set shown by its name, and the answers that came with letter
    probabilities (`survey_answers`).
    """

    items: Mapping[str, Item]
    sets: Mapping[str, Sequence[str]]
    probabilities: pd.DataFrame


def fidelity_tables(
    parts: Sequence[Part], everyone: Respondents, asked: AskedTraits, design: FidelityDesign
) -> dict[str, pd.DataFrame]:
    """The tables by name, `fidelity_people` and so on; none where no survey question was asked."""
    every = survey_answers(parts, everyone, asked.items, asked.sets, asked.probabilities)
    if not every:
        return {}
    levels = _levels(everyone, design.attributes)
    learned = _Learned(everyone, design)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in NAMES}
    for answers in every:
        smallest = _smallest(answers, every, asked.sets)
        for name, made in _of(answers, smallest, parts, everyone, levels, learned, design).items():
            rows[name] += [{**answers.head, **row} for row in made]
    tables = {f"fidelity_{name}": pd.DataFrame(found) for name, found in rows.items()}
    by_level = pd.DataFrame(list(slope_rows(tables["fidelity_points"])))
    return {**tables, "fidelity_slopes": pd.concat([by_level, tables["fidelity_slopes"]], ignore_index=True)}


def _of(
    answers: SurveyAnswers,
    smallest: SurveyAnswers | None,
    parts: Sequence[Part],
    everyone: Respondents,
    levels: Mapping[str, Sequence[str]],
    learned: "_Learned",
    design: FidelityDesign,
) -> dict[str, Rows]:
    """The rows of one model's answers, by table."""
    seed, pool = design.seed, Pool.of(answers, everyone, design.weighted)
    shares = country_shares(answers, everyone)
    beside = OwnAnswers.of(answers, shares, learned.of(answers), design.retest)
    structure = structure_row(answers, pool, seed)
    soft = answers.metric == PROBABILITIES
    return {
        "people": own_answer_rows(beside, design.attributes, smallest),
        "groups": group_rows(answers, pool, levels, design.attributes, seed),
        "structure": iter([structure] if structure else []),
        "spread": spread_rows(answers, pool, levels, design.attributes, seed),
        "calibration": brier_rows(answers, beside.references.get(LEARNED)) if soft else iter(()),
        "reliability": reliability_rows(answers) if soft else iter(()),
        "points": point_rows(answers, smallest, parts, design.attributes),
        "slopes": person_slope_rows(answers, smallest, parts),
        "corrected": corrected_rows(answers, design.known, seed) if design.known else iter(()),
    }


def _levels(everyone: Respondents, attributes: Sequence[str]) -> dict[str, Sequence[str]]:
    """Each respondent's level of each attribute, or pair of attributes."""
    columns = {name: everyone.attribute(name).to_numpy() for name in columns_of(attributes)}
    frame = pd.DataFrame(columns, index=everyone.frame.index)
    return {name: list(levels_of(frame, name)) for name in attributes}


def _smallest(
    answers: SurveyAnswers, every: Sequence[SurveyAnswers], sets: Mapping[str, Sequence[str]]
) -> SurveyAnswers | None:
    """The same beside the fewest traits; None where these are the fewest."""
    same = [
        each
        for each in every
        if (each.model, each.benchmark, each.metric) == (answers.model, answers.benchmark, answers.metric)
    ]
    least = min(same, key=lambda each: len(sets[each.shown]))
    return least if least.shown != answers.shown else None


class _Learned:
    """The learned reference, learned once for each question and set of visible traits."""

    def __init__(self, everyone: Respondents, design: FidelityDesign) -> None:
        self._everyone, self._seed = everyone, design.seed
        self._installed = is_installed()
        self._teachers = design.learn_from(everyone)
        self._known: dict[object, Matrix] = {}

    def of(self, answers: SurveyAnswers) -> dict[str, Matrix]:
        """The shares of the options by question; none where scikit-learn is not there."""
        found = {}
        for name, question in answers.questions.items() if self._installed else ():
            asked = tuple(answers.people["persona_id"].iloc[question.person])
            key = (name, question.visible, asked)
            if key not in self._known:
                learned = learned_shares(question, asked, self._everyone, self._teachers, self._seed)
                self._known[key] = learned
            if not np.isnan(self._known[key]).all():
                found[name] = self._known[key]
        return found
