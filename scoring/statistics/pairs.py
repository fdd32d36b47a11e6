"""From scores to cells: the paired difference of each persona and item, and what each adds to an estimate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.pseudonyms import TWIN
from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.codes import compacted, first_rows, varies
from scoring.statistics.designs.inclusion import COLUMNS, ROUND, equally_drawn, estimated, is_drawn, row_weights
from scoring.statistics.weights import Floats, Weights, persona_weights

Codes = NDArray[np.int64]
Made = TypeVar("Made")
CONTROL = "neutral"
TEXT = "same_text"  # the column of who reads the same in one variant; `cluster` is of all variants together
SCORED = ("value", "expected")
INVALID = ("unparsed", "refused", "no probabilities", "failed")
WORDING = ["format", "frame", "placement", "trait_order"]
PERSONA = ["persona_id", "cluster", "weight", "survey", "wave"]
_PAIRED = (*PERSONA, "item_id", "group", "rotation", *WORDING, *SCORED, "status", "sampled", *COLUMNS)


@dataclass(frozen=True, eq=False)
class Part:
    """The scores of one model and benchmark, their pairs (built once a measure), and what each persona weighs.

    `columns` are the persona columns that the pairs keep; `weight` is w_p by persona id, 1 for everybody where absent.
    Where adaptive rounds asked item groups with unequal chances, `scores` are those of the first round, in which the
    chances were equal, so that whatever counts them is right; `drawn` are those of all rounds (`whole`).
    """

    model: str
    benchmark: str
    scores: pd.DataFrame
    columns: tuple[str, ...] = ()
    weight: Mapping[str, float] | None = None
    drawn: pd.DataFrame | None = None
    kept: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)  # see `once`

    @cached_property
    def alone(self) -> pd.Series:
        """Which rows are the baseline."""
        return self.scores["persona_id"] == ""

    @cached_property
    def control(self) -> pd.Series:
        """Which rows are the neutral control, which says nothing about anybody."""
        return self.scores["format"] == CONTROL if "format" in self.scores else self.alone & False

    @cached_property
    def twins(self) -> pd.Series:
        """Which rows are counterfactual twins of a respondent."""
        return is_twin(self.scores["persona_id"])

    @property
    def clean(self) -> "Part":
        """The baseline and the respondents: neither the neutral control nor counterfactual twins."""
        return self._without_controls or self

    @cached_property
    def _without_controls(self) -> "Part | None":
        control = self.control | self.twins
        return self.of(self.scores[~control]) if control.any() else None

    @cached_property
    def measures(self) -> list[str]:
        """The measures that there are scores by; at least "value"."""
        return [name for name in SCORED if name in self.scores and self.scores[name].notna().any()] or ["value"]

    @property
    def whole(self) -> "Part":
        """The same with the scores of all rounds, whose pairs honour the chances with which they were asked."""
        return self._of_all_rounds or self  # a part that held itself would outlive its use

    @cached_property
    def _of_all_rounds(self) -> "Part | None":
        return None if self.drawn is None else self.of(self.drawn)

    def of(self, scores: pd.DataFrame) -> "Part":
        """Other scores of the same personas, who weigh what they weigh here."""
        columns = tuple(name for name in self.columns if name in scores)
        return replace(self, scores=scores, columns=columns, drawn=None)

    def some(self, rows: Codes) -> "Part":
        """Some rows of the scores, with the columns that pairs and rates are made of."""
        names = dict.fromkeys((*_PAIRED, *self.columns))
        return self.of(self.scores[[name for name in names if name in self.scores]].iloc[rows])

    def pairs(self, measure: str = "value") -> "Cells":
        """The pairs of the baseline and the respondents by a measure."""
        return self.once("pairs", measure, lambda: cells(self.clean, measure, self.columns))

    def once(self, name: str, measure: str, make: Callable[[], Made]) -> Made:
        """What several tables need of a measure, made when the first asks for it."""
        if (name, measure) not in self.kept:
            self.kept[name, measure] = make()
        found: Made = self.kept[name, measure]
        return found

    def weights_of(self, persona_id: pd.Series) -> Floats:
        """w_p of each row."""
        if self.weight is None:
            return np.ones(len(persona_id))
        codes, names = pd.factorize(persona_id)
        weights: Floats = np.array([self.weight.get(name, np.nan) for name in names], dtype=float)[codes]
        return weights


Scores: TypeAlias = pd.DataFrame | Sequence[Part]


def is_invalid(scores: pd.DataFrame, measure: str = "value") -> pd.Series:
    """Which answers are no answer: unparsed, refused or failed; those without a value, where no status tells."""
    return scores["status"].isin(INVALID) if "status" in scores else scores[measure].isna()


def is_twin(persona_id: pd.Series) -> pd.Series:
    """Which ids are a twin's."""
    names = pd.Series(persona_id.unique())
    twins = names[names.astype(str).str.contains(TWIN, regex=False)]
    return persona_id.isin(twins) if len(twins) else pd.Series(False, index=persona_id.index)


def parts(
    scores: Scores,
    columns: tuple[str, ...] = (),
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
) -> Sequence[Part]:
    """Every model and benchmark with scores, in the order of their names; as they are where they were made before.

    Raises InputError where population weights are asked for and a country has no figure.
    """
    if not isinstance(scores, pd.DataFrame):
        return scores
    found = []
    for (model, benchmark), rows in _split(scores):
        weight = weights_by_person(rows, weights, population)
        equal, drawn = (equally_drawn(rows), rows) if is_drawn(rows) else (rows, None)
        found.append(Part(str(model), str(benchmark), equal, columns, weight, drawn))
    return found


def _split(scores: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each model and benchmark: where they stand one after another, not a copy of them."""
    grouped = scores.groupby(["model", "benchmark"], observed=True)
    code = grouped.ngroup().to_numpy()
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    if len(starts) > grouped.ngroups or not len(starts):
        yield from grouped
        return
    ends = dict(zip(starts.tolist(), [*starts[1:].tolist(), len(code)], strict=True))
    for start, name in zip(sorted(ends, key=lambda row: code[row]), grouped.size().index, strict=True):
        yield name, scores.iloc[start : ends[start]]


def weights_by_person(
    scores: pd.DataFrame, weights: Weights, population: Mapping[str, float] | None
) -> dict[str, float] | None:
    """w_p by persona id; None where everybody weighs the same. Countries are scaled by those who gave an answer.

    Raises InputError where population weights are asked for and a country has no figure.
    """
    if weights == "none":
        return None
    names = [name for name in ("persona_id", "country", "survey", "weight") if name in scores]
    people = scores.loc[(scores["persona_id"] != "") & ~is_twin(scores["persona_id"]), [*names, "value"]]
    answered = people.loc[people["value"].notna(), "persona_id"].unique()
    people = people.drop_duplicates("persona_id")
    found = persona_weights(people, weights, population, people["persona_id"].isin(answered).to_numpy())
    return dict(zip(people["persona_id"].astype(str), found, strict=True))


@dataclass(frozen=True)
class Cells:
    """Paired differences of one model and benchmark: one cell a persona and item, d = y − b.

    `people` has one row a persona (`PERSONA` and the subgroup columns), `items` one an item (item_id, group);
    `person` and `item` are row numbers into them, a cell each. y and b are means over rotations, replicates and
    wordings, b of the same rotations. `sampled` says whether an answer is a draw (text at a temperature); then `noise`
    is the variance of each item's b as its replicates tell it (NaN where it was asked once), and `draws` how many
    answers b is the mean of. `wording` is persona × wording: the mean difference under each format, frame, placement
    and order. Where items were asked with unequal chances there is a cell for every persona and item, d an unbiased
    estimate (`inclusion`), and `given` has the pairs that were answered.
    """

    people: pd.DataFrame
    items: pd.DataFrame
    person: Codes
    item: Codes
    y: Floats
    b: Floats
    sampled: bool
    noise: Floats
    draws: Floats
    wording: Matrix
    wordings: tuple[str, ...]
    given: "Cells | None" = None

    @property
    def answers(self) -> "Cells":
        """The pairs that were answered."""
        return self if self.given is None else self.given

    @cached_property
    def d(self) -> Floats:
        """The paired differences."""
        return self.y - self.b

    @cached_property
    def possible(self) -> tuple[float, float] | None:
        """The range of a possible mean difference where every score lies in [0, 1]; None where scores lie elsewhere.

        −1 and 1, or narrower where no item's exact baseline is at 1, or at 0.
        """
        if self.given is not None or not all(bool(((each >= 0) & (each <= 1)).all()) for each in (self.y, self.b)):
            return None
        return (-1.0, 1.0) if self.sampled or not len(self.b) else (-float(self.b.max()), 1 - float(self.b.min()))

    @cached_property
    def group(self) -> Codes:
        """Item group of each cell, 0 … `n_groups` − 1."""
        return factorized(self.items["group"])[self.item]

    @cached_property
    def cluster(self) -> Codes:
        """Persona cluster of each persona."""
        return factorized(self.people["cluster"])

    @property
    def n_groups(self) -> int:
        """How many item groups have a cell."""
        return int(self.group.max(initial=-1)) + 1

    @cached_property
    def answered(self) -> Floats:
        """I_p: items with a pair, a persona."""
        return np.bincount(self.person, minlength=len(self.people)).astype(float)

    def per_group(self, values: Floats, weight: Floats) -> Matrix:
        """Persona × item group: Σ w_p (1/I_p) · values over the cells."""
        place = self.person * self.n_groups + self.group
        scale = (weight / np.maximum(self.answered, 1))[self.person]
        size = len(self.people) * self.n_groups
        sums = np.bincount(place, weights=scale * values, minlength=size).astype(np.float64, copy=False)
        return sums.reshape(len(self.people), self.n_groups)

    @cached_property
    def answer_variance(self) -> float:
        """How much personas' scores of one item vary, averaged over the items."""
        count = np.bincount(self.item)
        mean = np.bincount(self.item, weights=self.y) / np.maximum(count, 1)
        square = np.bincount(self.item, weights=(self.y - mean[self.item]) ** 2)
        freedom = float(np.maximum(count - 1, 0).sum())
        return float(square.sum() / freedom) if freedom > 0 else 0.0

    def on_items(self, kept: NDArray[np.bool_]) -> "Cells":
        """The pairs on some of the items alone; everybody stays, also who has none of them."""
        there = kept[self.item]
        names = ("person", "item", "y", "b")
        given = self.given and self.given.on_items(kept)
        return replace(self, given=given, **{name: getattr(self, name)[there] for name in names})

    def on_people(self, kept: NDArray[np.bool_]) -> "Cells":
        """The pairs of some of the people alone, who are numbered anew; all items stay."""
        there, number = kept[self.person], np.cumsum(kept) - 1
        pairs = {name: getattr(self, name)[there] for name in ("item", "y", "b")}
        people, given = self.people[kept].reset_index(drop=True), self.given and self.given.on_people(kept)
        person, wording = number[self.person[there]], self.wording[kept]
        return replace(self, people=people, person=person, wording=wording, given=given, **pairs)

    def items_of(self, people: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which items some of these people have a pair on."""
        if self.answered[people].max(initial=0) == self.n_items:  # one of them has them all
            return self.asked_items
        found = np.zeros(len(self.items), dtype=bool)
        found[self.item[people[self.person]]] = True
        return found

    @cached_property
    def asked_items(self) -> NDArray[np.bool_]:
        """Which items have a cell."""
        return np.bincount(self.item, minlength=len(self.items)) > 0

    @property
    def n_items(self) -> int:
        """How many items have a cell."""
        return int(self.asked_items.sum())

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """Each persona's mean score, and the baseline's on the persona's items."""
        return self.by_persona(self.y), self.by_persona(self.b)

    def by_persona(self, values: Floats) -> Floats:
        """The mean over a persona's cells."""
        sums = np.bincount(self.person, weights=values, minlength=len(self.people))
        means: Floats = np.divide(sums, self.answered, out=np.full(len(sums), np.nan), where=self.answered > 0)
        return means


def cells(part: Part, value: str = "value", extra: tuple[str, ...] = ()) -> Cells:
    """The pairs of a part; `extra` names persona columns to keep beside `PERSONA`.

    A score without a value (unparsed, refused) makes no pair, nor does one whose item has no parsed baseline on the
    same rotation, or one that no round asked for where items were drawn.
    """
    scores, drawn = part.scores, is_drawn(part.scores)
    valid, alone = scores[value].notna().to_numpy(), part.alone.to_numpy()
    if drawn:
        valid = valid & (alone | scores[ROUND].notna().to_numpy())
    item_code = factorized(scores["item_id"])
    turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
    asked = item_code * turns + scores["rotation"].to_numpy()
    values = scores[value].to_numpy(dtype=float)
    size = (int(item_code.max(initial=-1)) + 1) * turns
    base, noise, draws = baseline_means(asked[valid & alone], values[valid & alone], size)
    chosen = np.flatnonzero(valid & ~alone)
    chosen = chosen[~np.isnan(base[asked[chosen]])]
    person = factorized(scores["persona_id"].iloc[chosen])
    people = scores.iloc[chosen[first_rows(person)]]
    kept = [*dict.fromkeys([*(name for name in PERSONA if name in scores), *extra])]
    y, b = values[chosen], base[asked[chosen]]
    flat = person * (int(item_code.max(initial=-1)) + 1) + item_code[chosen]
    places, code = compacted(flat)
    count = np.bincount(code)
    items = int(item_code.max(initial=-1)) + 1
    counts = row_weights(scores.iloc[chosen]) if drawn else np.ones(len(chosen))
    wording, names = _wordings(
        scores[[name for name in WORDING if name in scores]].iloc[chosen], person, y - b, counts, len(people)
    )
    found = Cells(
        people[kept].reset_index(drop=True),
        scores[["item_id", "group"]].iloc[first_rows(item_code)].reset_index(drop=True),
        places // max(items, 1),
        places % max(items, 1),
        np.bincount(code, weights=y) / count,
        np.bincount(code, weights=b) / count,
        ("sampled" in scores and bool(scores["sampled"].any())) or bool(draws.max(initial=0) > 1),
        _item_noise(noise.reshape(-1, turns), draws.reshape(-1, turns)),
        draws.reshape(-1, turns).sum(axis=1),
        wording,
        names,
    )
    if not drawn or not len(chosen):
        return found
    first = np.full(len(places), len(scores), dtype=np.int64)
    np.minimum.at(first, code, chosen)
    place = found.person, found.item
    person, item, y, b = estimated(scores.iloc[first], place, found.d, base.reshape(-1, turns), found.cluster)
    return replace(found, given=found, person=person, item=item, y=y, b=b)


def factorized(column: pd.Series) -> Codes:
    """0 … n − 1 for each distinct value, in order of appearance."""
    return np.asarray(pd.factorize(column)[0], dtype=np.int64)


def baseline_means(asked: Codes, values: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    """Of each item and rotation: the mean, its variance, and the number of replicates.

    The mean is NaN where there is none, the variance NaN of fewer than two replicates.
    """
    count = np.bincount(asked, minlength=size).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(asked, weights=values, minlength=size) / count
        square = np.bincount(asked, weights=(values - mean[asked]) ** 2, minlength=size)
        noise = np.where(count > 1, square / (count - 1) / count, np.nan)
    return mean, noise, count


def _item_noise(noise: Matrix, draws: Matrix) -> Floats:
    """Variance of the mean over an item's own rotations: their mean variance by their number; NaN if unknown."""
    known = ~np.isnan(noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_rotation = np.where(known, noise, 0.0).sum(axis=1) / known.sum(axis=1)
        found: Floats = of_rotation / (draws > 0).sum(axis=1)
    return found


def _wordings(
    scores: pd.DataFrame, person: Codes, d: Floats, counts: Floats, people: int
) -> tuple[Matrix, tuple[str, ...]]:
    columns = [name for name in WORDING if name in scores and varies(scores[name])]
    if not columns:
        return np.zeros((people, 0)), ()
    grouper = scores.groupby(columns if len(columns) > 1 else columns[0], observed=True, sort=True)
    code, keys = grouper.ngroup().to_numpy(), list(grouper.groups)
    place = person * len(keys) + code
    count = np.bincount(place, weights=counts, minlength=people * len(keys))
    sums = np.bincount(place, weights=counts * d, minlength=people * len(keys))
    mean = np.divide(sums, count, out=np.full(len(sums), np.nan), where=count > 0)
    names = tuple(" · ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in keys)
    return mean.reshape(people, len(keys)), names
