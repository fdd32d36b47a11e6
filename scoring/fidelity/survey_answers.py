"""A model's answers to a survey's questions, as personas, beside what the respondents themselves answered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.respondents import Respondents
from personas.traits import Trait
from scoring.answers.items import Item
from scoring.answers.metrics import PROBABILITIES
from scoring.benchmarks.trait_inference import OWN_ANSWER_PARTS, positions, survey_options
from scoring.statistics.levels import ALL, hidden_levels, levels_of
from scoring.statistics.pairs import Codes, Part, factorized
from scoring.statistics.weights import Floats

Matrix = NDArray[np.float64]
KEY = ["persona_id", "item_id", "traits", "format", "frame", "placement", "trait_order", "rotation", "replicate"]


@dataclass(frozen=True, eq=False)
class AskedQuestion:
    """A question that was put to some people: a row an answer.

    `person` are row numbers into the people; `shares` (n, options) what the model answered: the share of its answers,
    or its probabilities, of each option; `own` (n,) the number of the option that the respondent chose. `visible` are
    the traits that stood beside the question.
    """

    trait: Trait
    person: Codes
    shares: Matrix
    own: Codes
    visible: tuple[str, ...]

    @cached_property
    def places(self) -> Floats | None:
        """Where the options stand on the 0-1 scale; None where they are no scale."""
        return np.array(positions(self.trait)) if self.trait.ordinal else None

    @cached_property
    def options(self) -> int:
        """How many options there are."""
        return int(self.shares.shape[1])

    @cached_property
    def points(self) -> Matrix:
        """The options as points, shape (options, d): half a squared distance is how much two answers differ.

        Points on the scale, or the corners of a simplex.
        """
        return np.eye(self.options) if self.places is None else np.sqrt(2) * self.places[:, None]

    @property
    def labels(self) -> tuple[str, ...]:
        """The options in words."""
        return tuple(survey_options(self.trait).values())

    def of(self, people: NDArray[np.bool_]) -> "AskedQuestion":
        """The answers of some of the people."""
        kept = people[self.person]
        return AskedQuestion(self.trait, self.person[kept], self.shares[kept], self.own[kept], self.visible)

    def with_shares(self, shares: Matrix) -> "AskedQuestion":
        """The same question to the same people, answered otherwise."""
        return AskedQuestion(self.trait, self.person, shares, self.own, self.visible)


@dataclass(frozen=True, eq=False)
class SurveyAnswers:
    """One model's answers, of one part, beside one set of traits shown, by one metric.

    `people` has a row a persona: persona_id, cluster (who read the same), weight, country and the subgroup columns.
    `hides` says that no persona was told an answer to any of the questions.
    """

    model: str
    benchmark: str
    shown: str
    metric: str
    people: pd.DataFrame
    questions: Mapping[str, AskedQuestion]
    hides: bool

    @property
    def head(self) -> dict[str, object]:
        """What tells its rows of a table from others."""
        return {"model": self.model, "benchmark": self.benchmark, "shown": self.shown, "metric": self.metric}

    @cached_property
    def weight(self) -> Floats:
        """w_p of each person."""
        return np.asarray(self.people["weight"], dtype=float)

    @cached_property
    def cluster(self) -> Codes:
        """The persona cluster of each person."""
        return factorized(self.people["cluster"])

    def answered_as(self, shares: Mapping[str, Matrix]) -> "SurveyAnswers":
        """The same questions answered otherwise, those that have an answer."""
        questions = {name: self.questions[name].with_shares(each) for name, each in shares.items()}
        return SurveyAnswers(self.model, self.benchmark, self.shown, self.metric, self.people, questions, self.hides)

    def groups(self, attributes: Sequence[str]) -> Iterator[tuple[str, str, NDArray[np.bool_] | None]]:
        """Everybody, then each level of each attribute: (attribute, level, who is in it).

        The last is None for a level that has to be hidden.
        """
        yield ALL, ALL, np.ones(len(self.people), dtype=bool)
        for attribute in attributes:
            levels = levels_of(self.people, attribute)
            sizes = levels.value_counts().sort_index()
            hidden = hidden_levels(sizes)
            for level in sizes.index:
                yield attribute, str(level), None if level in hidden else (levels == level).to_numpy()


def survey_answers(
    parts: Sequence[Part],
    everyone: Respondents,
    items: Mapping[str, Item],
    sets: Mapping[str, Sequence[str]],
    probabilities: pd.DataFrame,
) -> list[SurveyAnswers]:
    """The answers to survey questions among the scores, for each model, part, set of traits shown and metric.

    `everyone` are the respondents that those asked were drawn from; `items` the questions by id, `sets` the traits of
    each set by its name. `probabilities` has a row an answer with letter probabilities: model, the columns of `KEY`,
    and `shares`, an array over the options. Answers of several rotations, replicates and wordings are averaged. People
    who did not answer a question themselves are left out of it.
    """
    found = []
    for part in parts:
        if part.benchmark not in OWN_ANSWER_PARTS:
            continue
        scores = part.clean.scores
        known = scores["item_id"].astype(str).isin(items) & scores["persona_id"].isin(everyone.frame["persona_id"])
        scores = scores[known & ~part.clean.alone]
        for shown, rows in scores.groupby(scores["traits"].astype(str), observed=True):
            beside = {name: items[name].visible(sets[str(shown)]) for name in rows["item_id"].astype(str).unique()}
            asked = {items[name].target_trait for name in beside}
            hides = not any(asked & set(told) for told in beside.values())
            people = _people(part, rows, everyone, _common(beside))
            own = probabilities[probabilities["model"] == part.model] if len(probabilities) else probabilities
            for metric, answers in _answers(rows, own):
                questions = _questions(answers, people, everyone, items, beside)
                if questions:
                    label = (part.model, part.benchmark, str(shown), metric)
                    found.append(SurveyAnswers(*label, people, questions, hides))
    return found


def _common(beside: Mapping[str, Sequence[str]]) -> list[str]:
    """The traits that stand beside every question."""
    first, *rest = beside.values()
    return [name for name in first if all(name in told for told in rest)]


def _answers(rows: pd.DataFrame, probabilities: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """(metric, rows with persona_id, item_id and shares): by the option chosen, then by letter probabilities."""
    chosen = rows["chosen_by_probability"].fillna(rows["chosen_by_text"])
    read = rows[chosen.notna()].assign(shares=chosen.dropna().astype(int))
    if len(read):
        words = read["metric"].astype(str).iloc[0] if "metric" in read else "answer given"
        yield words, read
    if len(probabilities):
        names = [name for name in KEY if name in rows and name in probabilities]
        theirs = probabilities[names].astype(str).assign(shares=probabilities["shares"])
        both = rows[names].astype(str).merge(theirs, on=names)
        if len(both):
            yield PROBABILITIES, both


def _people(part: Part, rows: pd.DataFrame, everyone: Respondents, visible: Sequence[str]) -> pd.DataFrame:
    """A row a persona; those who read the same text are one cluster."""
    people = rows.drop_duplicates("persona_id")
    names = people["persona_id"].astype(str)
    frame = everyone.frame.set_index("persona_id").loc[names]
    told = [name for name in visible if name in frame and name != "country"]
    codes = frame[told].where(frame[told] >= 0, -1)
    if "country" in visible:
        codes = codes.assign(country=frame["country"].astype(str))
    same = codes.groupby(list(codes.columns), sort=False, observed=True).ngroup() if len(codes.columns) else 0
    columns = [name for name in part.columns if name in people]
    table = people[columns].astype(str).reset_index(drop=True)
    return table.assign(
        persona_id=names.to_numpy(),
        country=frame["country"].astype(str).to_numpy(),
        cluster=np.asarray(same) if len(codes.columns) else 0,
        weight=part.weights_of(people["persona_id"]),
    )


def _questions(
    answers: pd.DataFrame,
    people: pd.DataFrame,
    everyone: Respondents,
    items: Mapping[str, Item],
    beside: Mapping[str, Sequence[str]],
) -> dict[str, AskedQuestion]:
    """The questions by trait, of people who have an answer of their own."""
    row_of = pd.Series(np.arange(len(people)), index=people["persona_id"])
    of_person = everyone.frame.set_index("persona_id")
    found = {}
    for name, rows in answers.groupby(answers["item_id"].astype(str)):
        item = items[str(name)]
        trait = everyone.traits.get(str(item.target_trait))
        if trait is None or trait.name not in of_person:
            continue
        codes = item.scoring.get("codes") or list(survey_options(trait))
        person = row_of[rows["persona_id"].astype(str)].to_numpy()
        shares = np.zeros((len(people), len(codes)))
        np.add.at(shares, person, _as_shares(rows["shares"], len(codes)))
        count = np.bincount(person, minlength=len(people))
        own = option_numbers(of_person.loc[people["persona_id"], trait.name].to_numpy(), codes)
        kept = np.flatnonzero((count > 0) & (own >= 0))
        if len(kept):
            asked = shares[kept] / count[kept, None]
            found[trait.name] = AskedQuestion(trait, kept, asked, own[kept], tuple(beside[str(name)]))
    return found


def _as_shares(shares: pd.Series, options: int) -> Matrix:
    """Rows over the options: an option number is all of its row."""
    if pd.api.types.is_integer_dtype(shares):
        return np.asarray(np.eye(options)[shares.to_numpy()], dtype=float)
    return np.array(shares.tolist(), dtype=float)


def option_numbers(codes: NDArray[np.int16], options: Sequence[int]) -> Codes:
    """The option number of each code; −1 for an answer that is missing or no option."""
    place = {code: number for number, code in enumerate(options)}
    values, inverse = np.unique(codes, return_inverse=True)
    return np.array([place.get(int(value), -1) for value in values], dtype=np.int64)[inverse]
