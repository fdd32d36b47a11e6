"""A second sample of as many people: what the respondents' answers would be if others like them had been asked.

It is the measure of every distance between groups: two samples of the same people differ too. A second sample is drawn
country by country from all respondents of a group, whole people at a time, so that the questions keep their
correlations. The pool is itself a sample: each draw weighs its people anew (the Bayesian bootstrap, Rubin 1981) before
as many of them are drawn as the asked ones count for (Kish's n of their weights). Where the pool is no larger than what
was asked, the second sample so varies about it as a fresh one would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personas.people.respondents import Respondents
from scoring.benchmarks.trait_inference import survey_options
from scoring.fidelity.survey_answers import Matrix, SurveyAnswers, option_numbers
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats, effective_n

DRAWS = 1_000
SPARE = 1.25  # people drawn for each who must have answered, over their share


@dataclass(frozen=True, eq=False)
class Pool:
    """All respondents: their own option numbers by question (−1: no answer), weight, and country."""

    own: Mapping[str, Codes]
    weight: Floats
    country: NDArray[np.str_]

    @classmethod
    def of(cls, answers: SurveyAnswers, everyone: Respondents, weighted: bool) -> "Pool":
        """The pool that the people of some answers are from; unweighted ones all weigh the same."""
        frame = everyone.frame
        own = {
            name: option_numbers(frame[name].to_numpy(), list(survey_options(question.trait)))
            for name, question in answers.questions.items()
        }
        weight = frame["weight"].to_numpy(dtype=float) if weighted else np.ones(len(frame))
        return cls(own, weight, frame["country"].astype(str).to_numpy(dtype=str))

    def draws(
        self, answers: SurveyAnswers, people: NDArray[np.bool_], inside: NDArray[np.bool_], seed: int
    ) -> "SecondSample":
        """Second samples of some of the asked people, from those of the pool who are `inside` their group."""
        random = np.random.default_rng(seed)
        asked = {name: question.of(people) for name, question in answers.questions.items()}
        there = {name: question for name, question in asked.items() if len(question.person)}
        country = answers.people["country"].to_numpy(dtype=str)
        blocks = []
        for each in np.unique(country[people]):
            own = {name: question.person[country[question.person] == each] for name, question in there.items()}
            sizes = {name: effective_n(answers.weight[rows]) for name, rows in own.items() if len(rows)}
            mass = {name: float(answers.weight[rows].sum()) for name, rows in own.items() if len(rows)}
            pool = np.flatnonzero(inside & (self.country == each) & (self.weight > 0))
            if len(pool):
                blocks.append(_Block(self._drawn(pool, sizes, random), sizes, mass))
        return SecondSample(self, blocks)

    def _drawn(self, pool: Codes, sizes: Mapping[str, float], random: np.random.Generator) -> NDArray[np.int32]:
        """People drawn from a pool, a row a draw, enough to answer every question as often as it was answered."""
        count = 1
        for name, size in sizes.items():
            answered = float(self.weight[pool] @ (self.own[name][pool] >= 0) / self.weight[pool].sum())
            count = max(count, int(np.ceil(SPARE * size / max(answered, 0.01))) + 8)
        rows = np.empty((DRAWS, count), dtype=np.int32)
        for draw in range(DRAWS):
            mass = np.cumsum(random.standard_exponential(len(pool)) * self.weight[pool])
            rows[draw] = pool[
                np.searchsorted(mass, random.random(count) * mass[-1], side="right").clip(max=len(pool) - 1)
            ]
        return rows


@dataclass(frozen=True, eq=False)
class _Block:
    """The people drawn for one country, how many each question needs, and what its answers weigh."""

    rows: NDArray[np.int32]
    sizes: Mapping[str, float]
    mass: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class SecondSample:
    """Draws of people, country by country."""

    pool: Pool
    blocks: Sequence[_Block]

    def shares(self, name: str, options: int) -> Matrix:
        """The shares of a question's options in each draw (draws, options); NaN where a country has no answer."""
        total = np.zeros((DRAWS, options))
        mass = 0.0
        for block in self.blocks:
            if name not in block.sizes:
                continue
            counts = _counts(self.pool.own[name][block.rows], block.sizes[name], options)
            with np.errstate(invalid="ignore"):
                total += block.mass[name] * counts / counts.sum(axis=1, keepdims=True)
            mass += block.mass[name]
        return total / mass if mass else np.full((DRAWS, options), np.nan)

    def people(self, draw: int) -> Codes:
        """The people of one draw, as many of each country as its most asked question has."""
        found = [block.rows[draw, : max(2, round(max(block.sizes.values())))] for block in self.blocks if block.sizes]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _counts(own: NDArray[np.int64], size: float, options: int) -> Matrix:
    """How often each option is among the first `size` answers of each row; the last one counts for the fraction."""
    there = own >= 0
    place = np.cumsum(there, axis=1)
    weight = np.clip(size - place + 1, 0.0, 1.0) * there
    return np.stack([(weight * (own == option)).sum(axis=1) for option in range(options)], axis=1)
